"""One URL into one growing file, resumed from wherever it stopped.

A part is continued without ``If-Range`` where the SHA-256 of the file is known: any mirror may continue it, and the
hash decides in the end. Where none is known, the ETag must stay the same.
"""

import http.client
import re
import time
from typing import Any, NamedTuple

from numpyclip.weights import web_request
from numpyclip.weights.partial_file import CHUNK, Expected, Part
from numpyclip.weights.progress import Progress
from numpyclip.weights.web_request import Broken, Refused, Wrong, ask

SLOWEST = 1000  # bytes per second; what comes slower than this, on average over the timeout, has stalled
LIMIT = 64 << 30  # bytes; far more than any published file; an endless stream is cut here


class _Span(NamedTuple):
    """Where this response ends and where the file ends, as far as announced."""

    stop: int | None
    total: int | None


def _span(answer: http.client.HTTPResponse, part: Part, expected: Expected) -> _Span:
    """Read from the headers which bytes will come."""
    if answer.status == 200:  # the whole file, whatever was requested
        return _Span(answer.length, answer.length)
    content_range = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", content_range.strip())
    if answer.status != 206 or not part.size:
        raise Refused(f"HTTP {answer.status}, {answer.reason}; expected 200")
    etag, before = answer.headers.get("ETag"), part.etag
    if expected.sha256 is None and (etag is None or etag != before):
        part.clear()
        raise Broken(f"the file there has changed: its ETag is {etag}, not {before}; starting over")
    if not match or int(match[1]) != part.size or int(match[2]) < part.size:
        awaited = f"bytes {part.size}-"
        part.clear()
        raise Broken(f"Content-Range is {content_range!r}; expected {awaited!r}; starting over")
    stop = int(match[2]) + 1
    return _Span(stop, stop if match[3] == "*" else int(match[3]))


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Read the bytes that have arrived, at least one unless the response is over."""
    try:
        return answer.read1(most)  # read() would lose what arrived before a stall
    except TimeoutError as error:
        raise Broken(f"stalled: no byte for {web_request.TIMEOUT:g} seconds", stalled=True) from error
    except (OSError, http.client.HTTPException) as error:
        why = f": {error or type(error).__name__}" if isinstance(error, OSError) else " in the middle of the body"
        raise Broken(f"dropped{why}") from error


def _ask(url: str, first_byte: int = 0, token: str | None = None) -> Any:
    """Ask for plain bytes."""
    answer = ask(url, first_byte=first_byte, token=token).body
    encoding = answer.headers.get("Content-Encoding", "")
    if encoding.lower() not in ("", "identity"):
        answer.close()
        raise Refused(f"sent as {encoding}, though plain bytes were requested")
    return answer


class _Pace:
    """Notices a server that sends a byte now and then, which no timeout does."""

    def __init__(self) -> None:
        self._since, self._bytes = time.monotonic(), 0

    def count(self, size: int) -> None:
        self._bytes += size
        passed = time.monotonic() - self._since
        if passed > web_request.TIMEOUT:
            if self._bytes < SLOWEST * passed:
                raise Broken(f"stalled: {self._bytes:,} bytes in {passed:.0f} seconds", stalled=True)
            self._since, self._bytes = time.monotonic(), 0


def _most(expected: Expected) -> int:
    return min(LIMIT, expected.most or LIMIT, LIMIT if expected.size is None else expected.size)


def _checked(span: _Span, answer: http.client.HTTPResponse, expected: Expected) -> _Span:
    """Refuse a response that cannot be the file, or whose end could not be told from a broken connection."""
    page = ", which looks like a web page" if answer.headers.get_content_type() == "text/html" else ""
    if expected.size is not None and span.total not in (None, expected.size):
        raise Wrong(f"announced {span.total:,} bytes{page}; expected {expected.size:,}")
    announced, most = max(span.stop or 0, span.total or 0), _most(expected)
    if announced > most:
        raise Refused(f"announced {announced:,} bytes; expected at most {most:,}")
    is_known = expected.sha256 is not None or expected.size is not None or span.total is not None
    if not is_known and answer.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise Refused("states neither a size nor a hash, by which a broken connection would be noticed")
    return span


def fetch(url: str, part: Part, progress: Progress, expected: Expected, token: str | None = None) -> None:
    """Request once the rest of `url`, and append it to `part`, or start over if the server cannot continue it.

    Raises
    ------
    Broken
        If less came than was announced; `part` has it.
    Refused
        If the server does not have the file.
    OSError
        If the file cannot be written.
    """
    try:
        found = _ask(url, part.size, token)
    except Refused as refused:
        if refused.status == 416 and part.size:
            part.clear()
            raise Broken("the part here does not fit the file there (416); starting over") from refused
        raise
    with found as answer:
        stop, total = _checked(_span(answer, part, expected), answer, expected)
        if answer.status == 200:
            part.clear()
        part.begin(answer.headers.get("ETag"), expected.size if total is None else total)
        progress.show(part.size, part.total)
        pace, most = _Pace(), _most(expected)
        while stop is None or part.size < stop:
            if part.size > most:
                part.clear()
                raise Refused(f"sent more than {most:,} bytes")
            data = _read(answer, min(CHUNK, (stop or most + 1) - part.size))
            if not data:
                break
            part.append(data)
            pace.count(len(data))
            progress.show(part.size, part.total)
    if part.total is not None and part.size < part.total:
        raise Broken(f"dropped: {part.size:,} of {part.total:,} bytes came")


def read_all(url: str, most: int, token: str | None = None) -> bytes:
    """Return what is at a URL, at most so many bytes."""
    data, pace = bytearray(), _Pace()
    with _ask(url, token=token) as answer:
        while piece := _read(answer, CHUNK):
            data += piece
            pace.count(len(piece))
            if len(data) > most:
                raise Refused(f"sent more than {most:,} bytes")
        if answer.length:
            raise Broken(f"dropped: {answer.length:,} bytes are missing")
    return bytes(data)
