"""Atomic writes of files at a path or URL."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from numpyclip.atomic import atomic_file, temporary_path, written
from numpyclip.errors import InputError
from numpyclip.file_systems import is_url, without_secrets
from numpyclip.remote import base_name, put

_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "hf", "memory")  # whose uploads are atomic


@contextlib.contextmanager
def new_file(place: str) -> Iterator[IO[bytes]]:
    """Open a temporary file to write, which is renamed into place at the end, unless an error was raised.

    A file for a URL is written locally, and uploaded when it is complete.

    Raises
    ------
    NumPyCLIPError
        If it cannot be written.
    """
    if not is_url(place):
        with atomic_file(Path(place)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a part that is there is not written again, so it has to survive a power failure
        return
    # The name is the same for the same URL: what a killed process has left is removed by the next that writes there.
    digest = hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()
    with temporary_path(Path(tempfile.gettempdir(), f"numpyclip-{digest[:32]}")) as waiting:
        with written(waiting), waiting.open("wb") as file:
            yield file
        put(waiting, place)


def check_atomic(place: str) -> None:
    """Raise InputError for a URL where uploads are not atomic."""
    if is_url(place) and place.partition("://")[0].lower() not in _STORES:
        where, stores = without_secrets(place), ", ".join(_STORES)
        raise InputError(f"{where}: cannot be written atomically; expected a path, or a URL of {stores}.")


def make_folder(place: str) -> None:
    """Make a folder unless it exists, with an existing parent; object stores need none.

    Raises
    ------
    InputError
        If files at this URL would not be atomic.
    NumPyCLIPError
        If it cannot be made.
    """
    check_atomic(place)
    if not is_url(place):
        with written(Path(place)):
            Path(place).mkdir(exist_ok=True)


def numbered_files(places: Iterable[str], name: Callable[[int], str]) -> dict[int, str]:
    """Find the files that have the name of a number, by that number."""
    found = {}
    for place in places:
        digits = re.search(r"([0-9]{1,9})\.[a-z]+$", base_name(place))
        if digits and name(number := int(digits[1])) == base_name(place):
            found[number] = place
    return found
