"""Where commands write to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def output_path(*suffixes: str) -> Callable[[str], Path]:
    """Make what reads the name of a file to be written, which must end in one of these."""

    def read(text: str) -> Path:
        if not text.endswith(suffixes):
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(suffixes)}")
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        return Path(text).resolve()  # where a link points, lest it be replaced

    return read
