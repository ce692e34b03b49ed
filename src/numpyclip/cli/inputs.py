"""What commands read: pictures from files, folders and standard input, and lines of text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from numpyclip.errors import InputError, PictureError
from numpyclip.model.run import batched

if TYPE_CHECKING:
    from numpyclip.model.clip import CLIP
    from numpyclip.model.ops import Array

Embedded: TypeAlias = "tuple[str, Array]"  # a path or text, and its embedding (e,)

# Of the formats that Pillow reads, those in which people keep pictures.
_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".heic", ".heif", ".jp2", ".j2k"),
    *(".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".qoi"),
)


def picture_paths(sources: Iterable[str]) -> Iterator[str]:
    """Paths of pictures: files as they are, folders searched, and ``-`` for paths on standard input."""
    for source in sources:
        if source == "-":
            yield from lines("-")
        elif Path(source).is_dir():
            yield from _pictures_below(source)
        else:
            yield source


def _pictures_below(folder: str) -> Iterator[str]:
    """Pictures in a folder and those within it, by their suffix, in a stable order; hidden ones are left out."""
    found = False
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in _SUFFIXES and not name.startswith("."):
                found = True
                yield os.path.join(parent, name)  # noqa: PTH118  as the user began it: `./a` stays `./a`
    if not found:
        raise InputError(f"{folder}: found no pictures in this folder; expected files such as .jpg or .png.")


def lines(file: str) -> Iterator[str]:
    """Lines of a file, or of standard input for ``-``, as they come; empty ones are left out."""
    if file == "-":
        yield from _texts(sys.stdin.buffer)
        return
    try:
        with Path(file).open("rb") as stream:
            yield from _texts(stream)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}).") from error


def _texts(stream: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(stream):
        text = os.fsdecode(line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line).rstrip("\r\n")
        if text.strip():
            yield text


class ReadablePictures:
    """Embeds pictures batch by batch; those that cannot be read are reported on stderr and left out.

    Attributes
    ----------
    failed : int
        How many were left out so far.
    """

    def __init__(self, model: CLIP, paths: Iterable[str], batch_size: int, *, orient: bool = True) -> None:
        self.failed = 0
        self._model = model
        self._paths = paths
        self._batch_size = batch_size
        self._orient = orient

    def __iter__(self) -> Iterator[Embedded]:
        """Iterate over pairs of a path and its embedding (e,)."""
        for batch in batched(self._paths, self._batch_size):
            yield from self._embed(batch)

    def _embed(self, paths: list[str]) -> Iterator[Embedded]:
        try:
            yield from zip(paths, self._model.embed_images(paths, len(paths), orient=self._orient), strict=True)
        except PictureError as error:
            if len(paths) == 1:
                self.failed += 1
                print(f"numpyclip: {error}", file=sys.stderr)
            else:  # find the culprit, and lose nothing else
                for path in paths:
                    yield from self._embed([path])


def progress(items: Iterable[Embedded], unit: str) -> Iterable[Embedded]:
    """Count items on stderr while they come; quiet where results scroll by on the same terminal."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        return items
    from tqdm import tqdm

    bar: Iterable[Embedded] = tqdm(items, unit=unit, dynamic_ncols=True)
    return bar
