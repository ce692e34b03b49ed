"""PATHS AND URLS → CONTENTS: of images that a source only names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TypeVar

from numpyclip.errors import InputError
from numpyclip.remote import is_url, join, read_bytes
from numpyclip.shards.part import Row

_T = TypeVar("_T")
_U = TypeVar("_U")

_THREADS = 16  # that wait for servers
_TRIES = 2  # many links of datasets are dead
_MOST_BYTES = 2**28  # of an image
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


def fetched(rows: Iterable[Row], source: str) -> Iterator[Row]:
    """Replace the URLs of images, which a source names, by their contents."""
    for are_remote, some in groupby(rows, _is_remote):
        if are_remote:
            yield from in_order(partial(_fetched, source=source), some)
        else:
            yield from some


def located(name: str, source: str) -> str:
    """Return the place of an image that a source names: a relative path is one here, or else beside the source."""
    if is_url(name) or os.path.isabs(name):
        return name
    if is_url(source):
        return join(source.rpartition("/")[0], name)
    beside = os.path.join(os.path.dirname(source), name)
    return beside if not os.path.exists(name) and os.path.exists(beside) else name


def _is_remote(row: Row) -> bool:
    return isinstance(row.content, str) and is_url(row.content)


def _fetched(row: Row, source: str) -> Row:
    try:
        return replace(row, content=read_bytes(_checked(str(row.content), source), _MOST_BYTES, tries=_TRIES))
    except InputError as error:
        return replace(row, content=None, error=str(error))


def _checked(url: str, source: str) -> str:
    """Refuse what an untrusted list should not open: files here, chains of file systems and the like."""
    scheme, of_source = (place.partition("://")[0].lower() for place in (url, source))
    if "::" in url or scheme not in (*_SCHEMES, of_source):
        raise InputError(f"{url}: is not opened; expected a URL of one of {', '.join(_SCHEMES)}.")
    return url
