"""PATHS AND URLS → CONTENTS: of images that a source only names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


def in_order(function: Callable[[_T], _U], items: Iterable[_T]) -> Iterator[_U]:
    """Apply a function that waits for servers to items on threads, some at a time, in order."""
    pool = ThreadPoolExecutor(_THREADS)
    begun: deque[Future[_U]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > _THREADS:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:  # after an error, or if no more are needed
        pool.shutdown(wait=False, cancel_futures=True)


def fetched(rows: Iterable[Row], source: str | None = None) -> Iterator[Row]:
    """Replace the URLs of images by their contents.

    Parameters
    ----------
    rows : iterable of Row
    source : str, optional
        The untrusted list or table that names them; None if the user does.

    Raises
    ------
    InputError
        If what the user has named, or a file in the same store as the source, cannot be reached, but may be later.
    MissingPackageError
        If a package for these, or for web servers, is not installed.
    """
    for row in in_order(partial(_fetched, source=source, most=LARGE), rows):
        yield _fetched(row, source, MOST_BYTES)


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


def _fetched(row: Row, source: str | None, most: int) -> Row:
    """Fetch an image of so many bytes; a larger one is left for its turn, when no other waits with it."""
    if not isinstance(row.content, str) or not is_url(row.content):
        return row
    url, is_own = row.content, source is None or _store(row.content) == _store(source)
    try:
        if source is not None:
            _check(url, source)
        with open_stream(url, patient=is_own or not is_web(url)) as stream:
            content = stream.read(most + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"{without_secrets(url)}: has more than {MOST_BYTES} bytes.")
        return row if len(content) > most else replace(row, content=content)
    except (InputError, MissingPackageError) as error:
        is_missing = isinstance(error, MissingPackageError)
        if (is_own and isinstance(error, OutageError | CredentialsError)) or (is_missing and (is_own or is_web(url))):
            raise
        named = str(error).replace(without_secrets(url), without_passwords(url), 1)  # a query may tell it from others
        return replace(row, content=None, error=named)


def _store(url: str) -> str:
    """Return the part of a URL that names a server or bucket."""
    return "/".join(url.split("/")[:3])


def _check(url: str, source: str) -> None:
    """Refuse URLs that an untrusted source should not open: of files here, chains of file systems and the like."""
    scheme, of_source = (place.partition("://")[0].lower() for place in (url, source))
    if "::" in url or scheme not in (*_SCHEMES, of_source):
        raise InputError(f"{without_secrets(url)}: is not opened; expected a URL of one of {', '.join(_SCHEMES)}.")
