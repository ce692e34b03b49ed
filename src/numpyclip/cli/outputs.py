"""Where commands write to, and whether lines name the image."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.images.find import is_picture_name


def are_several(sources: Sequence[str]) -> bool:
    """Tell whether sources may be more than one image, so that a line has to begin with the path of its own."""
    return len(sources) != 1 or sources[0] == "-" or Path(sources[0]).is_dir()


def output_path(*suffixes: str) -> Callable[[str], Path]:
    """Make what reads the name of a file to be written, which must end in one of these."""

    def read(text: str) -> Path:
        if not text.endswith(suffixes):
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(suffixes)}")
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        return Path(text).resolve()  # where a link points, lest it be replaced

    return read


def check_output(output: Path | None, sources: Iterable[str | None] = ()) -> None:
    """Find out before all work is done what would keep a file from being written.

    Raises
    ------
    InputError
        If it is one of those that are read, or an image in a folder of them.
    NumPyCLIPError
        If there is no folder for it.
    """
    if output is None:
        return
    if not output.parent.is_dir():
        raise NumPyCLIPError(f"{output}: cannot be written ({os.strerror(errno.ENOENT)}).")
    for source in sources:
        if source is not None and output.exists() and _holds(source, output):
            raise InputError(f"{output}: would be overwritten, but is read; choose another name for the output.")


def _holds(source: str, output: Path) -> bool:
    place = Path(source)
    try:
        if place.is_dir():
            return is_picture_name(output.name) and output.is_relative_to(place.resolve())
        return place.samefile(output)
    except (OSError, ValueError):  # no file, or no name of one
        return False
