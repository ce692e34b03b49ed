"""What commands write: files that are there whole or not at all."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from numpyclip.errors import NumPyCLIPError


def output_path(*suffixes: str) -> Callable[[str], Path]:
    """Make what reads the name of a file to be written, which must end in one of these."""

    def read(text: str) -> Path:
        if not text.endswith(suffixes):
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(suffixes)}")
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        return Path(text).resolve()  # where a link points, lest it be replaced

    return read


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name when it is complete; after any error there is none."""
    from numpyclip.weights.unfinished import unfinished

    try:
        with unfinished(path) as part:
            with part.open("wb") as file:
                yield file
            part.replace(path)
    except OSError as error:
        raise NumPyCLIPError(f"{path}: cannot be written ({error.strerror or error}).") from error
