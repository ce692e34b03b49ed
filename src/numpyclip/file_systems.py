"""URL → FILE SYSTEM, through fsspec, with retries and exponential backoff."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from time import sleep
from typing import Any, TypeAlias, TypeVar

from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.extras import missing

TRIES = 5

_T = TypeVar("_T")
_Error: TypeAlias = type[NumPyCLIPError]
_SCHEME = "[A-Za-z][A-Za-z0-9+.-]+"  # two letters at least: `C://` is a disk
_URL = re.compile(f"(?:{_SCHEME}::)*{_SCHEME}://")
_QUOTED_URL = re.compile(rf"{_URL.pattern}[^\s'\"]+")
_FIRST_PAUSE = 0.5  # seconds; each is twice the one before
_CONNECT, _SILENT, _REQUEST = 10, 30, 60  # seconds that web servers have: to connect, to say anything, to answer a link
_FINAL = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError, TypeError, ImportError),
    *(NotImplementedError, MemoryError),
)
_FINAL_ERRNO = (0, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.ENOSPC, errno.EROFS)  # 0: of `open_regular`
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")  # classes of botocore
_LATER = (408, 429)  # of the HTTP statuses from 400 to 499, those that may change


class OutageError(InputError):
    """A file cannot be reached after several tries; a later try may succeed."""


class CredentialsError(InputError):
    """Credentials for an object store are missing."""


def is_url(place: str) -> bool:
    """Tell whether a place is a URL (``s3://bucket/key``, ``simplecache::s3://bucket/key``), not a path."""
    return _URL.match(place) is not None


def is_web(place: str) -> bool:
    """Tell whether a place is a URL of a web server, where ``?`` begins a query."""
    return place[:8].lower().startswith(("http://", "https://"))


def without_passwords(place: str) -> str:
    """Return a path or URL without passwords and, of web servers, user names, which may be tokens."""
    if not is_url(place):
        return place
    return re.sub("(://[^/:@]*):[^/]*@", r"\1@", re.sub("(?i)(https?://)[^/?#]*@", r"\1", place))


def without_secrets(place: str) -> str:
    """Return the path or URL of a shard without secrets: passwords, and query strings of web servers.

    A query is most often a signature, or a token.
    """
    links = without_passwords(place).split("::")
    return "::".join(re.split("[?#]", link, maxsplit=1)[0] if is_web(link) else link for link in links)


def file_system(place: str, patient: bool = True) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it; with patience, web servers may send slowly."""
    where, options = without_secrets(place), {}
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise missing(f"{where}: URLs need the package fsspec, and s3:// also s3fs", "remote", "s3fs") from error
    try:
        if is_web(place):  # aiohttp would wait five minutes for a server that hangs, and end longer streams
            from aiohttp import ClientTimeout

            total = None if patient else _REQUEST
            options["timeout"] = ClientTimeout(total, sock_connect=_CONNECT, sock_read=_SILENT)
        system, path = url_to_fs(place, **options)
    except ImportError as error:
        raise MissingPackageError(f"{where}: needs a package that is not installed ({error}).") from error
    except Exception as error:  # of any package
        raise InputError(f"{where}: is not a URL that can be opened ({_reason(error)}).") from error
    return system, path


def retry_reading(place: str, act: Callable[[], _T], tries: int = TRIES) -> _T:
    """Retry a function until it succeeds; OutageError after the last try, InputError if retries cannot help."""
    failure = f"{without_secrets(place)}: cannot be read"

    def read() -> _T:
        try:
            return act()
        except Exception as error:
            if type(error).__name__ not in _NO_CREDENTIALS:
                raise
            advice = "For a public bucket set FSSPEC_S3_ANON=true."
            raise CredentialsError(f"{failure} ({_reason(error)}). {advice}") from error

    return _retry(read, tries, failure, InputError, OutageError)


def retry_writing(place: str, act: Callable[[], _T], done: str = "written") -> _T:
    """Retry a function until it succeeds; NumPyCLIPError after the last try, or if retries cannot help."""
    return _retry(act, TRIES, f"{without_secrets(place)}: cannot be {done}", NumPyCLIPError, NumPyCLIPError)


def _retry(act: Callable[[], _T], tries: int, failure: str, final: _Error, outage: _Error) -> _T:
    for attempt in range(tries):
        try:
            return act()
        except NumPyCLIPError:
            raise
        except Exception as error:  # each package has its own
            if (is_final := _is_final(error)) or attempt == tries - 1:
                raise (final if is_final else outage)(f"{failure} ({_reason(error)}).") from error
        sleep(_FIRST_PAUSE * 2**attempt)
    raise AssertionError  # the last try returns or raises


def _is_final(error: Exception) -> bool:
    """Tell whether retries cannot help."""
    error = _actual(error)
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    refused = isinstance(status, int) and 400 <= status < 500 and status not in _LATER
    refused = refused or type(error).__name__ in (*_NO_CREDENTIALS, "TooManyRedirects")  # the latter is aiohttp's
    return refused or isinstance(error, _FINAL) or getattr(error, "errno", None) in _FINAL_ERRNO


def _actual(error: Exception) -> Exception:
    """Return what fsspec calls FileNotFoundError, as it does whatever keeps a web server from answering."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and getattr(cause, "status", None) != 404:
        is_of_web = isinstance(cause, TimeoutError) or type(cause).__module__.startswith(("aiohttp.", "asyncio."))
        return cause if is_of_web else error
    return error


def _reason(error: Exception) -> str:
    error = _actual(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if getattr(error, "message", None) == "":  # aiohttp's
        return type(error).__name__
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{_QUOTED_URL.sub(lambda url: without_secrets(url[0]), reason[:1000]):.200}"  # as aiohttp quotes it
