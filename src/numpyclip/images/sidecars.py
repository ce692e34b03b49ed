"""IMAGE → SIDECARS: which files beside an image have its XMP.

``IMG.jpg.xmp`` is the habit of digiKam, darktable and Immich, ``IMG.xmp`` that of Adobe's programs. The second tells no
suffix: it is that of the image whose name no other one has, but that a RAW file and the JPEG file beside it are one
photograph. Who has both has written them with several programs: both are read, and both written.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from numpyclip.atomic import atomic_file, written
from numpyclip.errors import InputError, PictureError
from numpyclip.image_marks import Marks
from numpyclip.images.embedded_xmp import embedded_marks
from numpyclip.images.find import SIDECAR_SUFFIX, is_picture_name
from numpyclip.images.raw_files import RAW_SUFFIXES
from numpyclip.regular_file import open_regular
from numpyclip.xmp.packet import MOST_BYTES, Packet
from numpyclip.xmp.properties import has_rating, marks_in

Naming = Literal["append", "replace"]


class Sidecars:
    """Sidecars of images, for one command: a folder is listed once.

    Parameters
    ----------
    naming : {"append", "replace"}, default="append"
        What a new one is called: ``IMG.jpg.xmp`` or ``IMG.xmp``.
    """

    def __init__(self, naming: Naming = "append") -> None:
        self._naming = naming
        self._directory: str | None = None
        self._names: dict[str, list[str]] = {}  # of files in it, by their names without suffix

    def of(self, path: str) -> list[str]:
        """List the sidecars of an image, the one with its suffix first."""
        directory, name = os.path.split(path)
        stem, suffix = os.path.splitext(name)
        stems = [name, stem] if suffix and self._is_the_only(directory, name) else [name]
        named = [other for each in stems for other in self._called(directory, each) if _is_sidecar(other)]
        return [os.path.join(directory, other) for other in named]

    def new(self, path: str) -> str:
        """Return the path of a new sidecar of an image; InputError if it would also be that of another one."""
        stem, suffix = os.path.splitext(path)
        if self._naming == "append" or not suffix:
            return path + SIDECAR_SUFFIX
        if not self._is_the_only(*os.path.split(path)):
            raise InputError(
                f"{path}: {stem}{SIDECAR_SUFFIX} would also be that of another image; it can only be {path}.xmp."
            )
        return stem + SIDECAR_SUFFIX

    def _is_the_only(self, directory: str, name: str) -> bool:
        """Tell whether no other image has the same name without its suffix: of RAW files, or of others."""
        others = (other for other in self._called(directory, os.path.splitext(name)[0]) if other != name)
        return not any(_is_raw(other) if _is_raw(name) else _is_other(other) for other in others)

    def _called(self, directory: str, stem: str) -> list[str]:
        if directory != self._directory:
            self._directory, self._names = directory, {}
            with suppress(OSError):  # of a folder that cannot be listed, which the image will tell
                for name in sorted(os.listdir(directory or os.curdir)):
                    self._names.setdefault(os.path.splitext(name)[0], []).append(name)
        return self._names.get(stem, [])


def _is_sidecar(name: str) -> bool:
    return name.lower().endswith(SIDECAR_SUFFIX)


def _is_other(name: str) -> bool:
    return is_picture_name(name) and not _is_raw(name)


def _is_raw(name: str) -> bool:
    return name.lower().endswith(RAW_SUFFIXES)


def read_sidecar(path: str) -> Packet:
    """Read a sidecar; PictureError if it cannot be read, or is no XMP."""
    try:
        return Packet(_content(path), path)
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror or error}).") from error


def replace_sidecar(path: str, before: Packet | None, data: bytes | None) -> None:
    """Write a sidecar atomically, with the permissions of the one that is there; without data remove it.

    PictureError, and nothing is written, if it is not what it was `before`, when it was read; None if there was none.
    """
    if data is None:
        with written(Path(path)):
            _check_unchanged(path, before)
            Path(path).unlink()
        return
    target = Path(path).resolve()  # where a link points, lest it be replaced
    with atomic_file(target) as file:
        file.write(data)
        file.flush()
        with suppress(OSError):
            shutil.copymode(target, file.name)
        _check_unchanged(path, before)


def _check_unchanged(path: str, before: Packet | None) -> None:
    try:
        found = _content(path)
    except FileNotFoundError:
        found = None
    if found != (None if before is None else before.edited({})):
        raise PictureError(f"{path}: was changed by another program just now, and is left as it is; try again.")


def _content(path: str) -> bytes:
    with open_regular(path) as file:
        return file.read(MOST_BYTES + 1)


def read_marks(path: str, sidecars: Sidecars) -> Marks:
    """Read the marks in the sidecars of an image and in itself; of ratings that of the first sidecar counts."""
    marks = embedded_marks(path)
    for packet in map(read_sidecar, reversed(sidecars.of(path))):
        marks = (replace(marks, rating=None) if has_rating(packet) else marks) | marks_in(packet)
    return marks
