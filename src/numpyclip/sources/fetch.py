"""PATHS AND URLS → CONTENTS of images that a source names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.file_systems import (
    CredentialsError,
    OutageError,
    is_url,
    is_web,
    without_passwords,
    without_secrets,
)
from numpyclip.remote import join, open_stream
from numpyclip.sources.part import LARGE, MOST_BYTES, Row

_T = TypeVar("_T")
_U = TypeVar("_U")

_THREADS = 16  # that wait for servers
_SCHEMES = ("http", "https", "s3", "s3a", "gs", "gcs", "hf", "abfs", "abfss", "az", "adl", "oss")


def in_order(
    function: Callable[[_T], _U], items: Iterable[_T], waits: Callable[[_T], bool] = lambda _: True
) -> Iterator[_U]:
    """Apply a function that waits for servers to items on threads, some at a time, in order.

    Items for which it does not wait are left to the caller's thread, and at once, unless others are before them.
    """
    pool = ThreadPoolExecutor(_THREADS)
    begun: deque[tuple[bool, Callable[[], _U]]] = deque()  # whether it waits, and what returns the result
    try:
        for item in items:
            is_waiting = waits(item)
            begun.append((is_waiting, pool.submit(function, item).result if is_waiting else partial(function, item)))
            while begun and (len(begun) > _THREADS or not begun[0][0]):
                yield begun.popleft()[1]()
        for _, result in begun:
            yield result()
    finally:  # after an error, or if no more are needed
        pool.shutdown(wait=False, cancel_futures=True)


def fetched(rows: Iterable[Row], source: str | None = None, *, raises_outages: bool = True) -> Iterator[Row]:
    """Replace the URLs of images by their contents.

    Parameters
    ----------
    rows : iterable of Row
    source : str, optional
        The untrusted list or table that names them; None if the user does.
    raises_outages : bool, default=True
        Raise an OutageError for an image that cannot be reached now; otherwise its row has the error.

    Raises
    ------
    OutageError
        If an image that the user has named, or one in the same store as the source, cannot be reached now.
    MissingPackageError
        If a package for these, or for web servers, is not installed.
    """
    fetch = partial(_fetched, source=source, raises_outages=raises_outages)
    for row in in_order(partial(fetch, most=LARGE), rows, lambda row: _url(row) is not None):
        yield fetch(row, most=MOST_BYTES)


def located(name: str, source: str) -> str:
    """Return the place of an image that a source names.

    A relative path is one here, or else beside the source. A source at a URL names no files here: what begins with a
    slash is in the same store.
    """
    if is_url(name):
        return name
    if is_url(source):
        folder = (source.partition("?")[0] if is_web(source) else source).rpartition("/")[0]
        return join(_store(source) if name.startswith("/") else folder, name.lstrip("/"))
    beside = os.path.join(os.path.dirname(source), name)
    return beside if not os.path.exists(name) and os.path.exists(beside) else name


def _fetched(row: Row, source: str | None, most: int, *, raises_outages: bool = True) -> Row:
    """Fetch an image of so many bytes; a larger one is left for its turn, when no other waits with it."""
    if (url := _url(row)) is None:
        return row
    is_own = source is None or _store(url) == _store(source)
    try:
        if source is not None:
            _check(url, source)
        with open_stream(url, patient=is_own or not is_web(url)) as stream:
            content = stream.read(most + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"{without_secrets(url)}: has more than {MOST_BYTES} bytes.")
        return row if len(content) > most else replace(row, content=content)
    except (InputError, MissingPackageError) as error:
        of_store = (CredentialsError, OutageError) if raises_outages else CredentialsError  # not of this image alone
        is_missing = isinstance(error, MissingPackageError) and (is_own or is_web(url))
        if is_missing or (is_own and isinstance(error, of_store)):
            raise
        named = str(error).replace(without_secrets(url), without_passwords(url), 1)  # a query may tell it from others
        return replace(row, content=None, error=named)


def _url(row: Row) -> str | None:
    """Return where an image is, if it is elsewhere."""
    return row.content if isinstance(row.content, str) and is_url(row.content) else None


def _store(url: str) -> str:
    """Return the part of a URL that names a server or bucket."""
    return "/".join(url.split("/")[:3])


def _check(url: str, source: str) -> None:
    """Refuse URLs that an untrusted source must not open, such as local files and chained file systems."""
    scheme, of_source = (place.partition("://")[0].lower() for place in (url, source))
    if "::" in url or scheme not in (*_SCHEMES, of_source):
        raise InputError(
            f"{without_secrets(url)}: is refused in a list; expected a URL of one of {', '.join(_SCHEMES)}."
        )
