"""One URL into one growing file, resumed from wherever it stopped the last time.

A part is continued without ``If-Range``: the URLs name their content by its SHA-256, any mirror may continue a part,
and the hash of the whole decides in the end.
"""

import contextlib
import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, Any, NamedTuple

from numpyclip.escaping import printable

TIMEOUT = 30.0  # seconds without a single byte before a connection counts as stalled
CHUNK = 1 << 20
LIMIT = 8 << 30  # far more than any file in the catalogue; an endless stream is cut here


class Refused(Exception):
    """The server refused, and retrying would not help."""


class Wrong(Refused):
    """The server sent a file, but not the published one."""


class Broken(Exception):
    """The connection broke, or (not `connected`) was never made; retrying may help."""

    def __init__(self, reason: str, connected: bool = True) -> None:
        super().__init__(reason)
        self.connected = connected


class Part:
    """A partial file, created or continued, and the SHA-256 of its contents.

    Written without a buffer: what was counted is in the file, even if the process is killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.total: int | None = None  # size of the whole file, once a server has announced it
        self.spliced = False  # whether it is made of several responses
        self._hash = hashlib.sha256()
        self._file = path.open("a+b", buffering=0)
        try:
            self._file.seek(0)
            while data := self._file.read(CHUNK):
                self._count(data)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        if self.size == 0:  # nothing to continue from
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _count(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Of the contents so far."""
        return self._hash.hexdigest()

    def append(self, data: bytes) -> None:
        """Write all of the data at the end."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]  # a raw file may take less than it was given
        self._count(data)

    def clear(self) -> None:
        """Drop the contents."""
        self._file.truncate(0)
        self.size, self.spliced, self._hash = 0, False, hashlib.sha256()

    def settle(self) -> None:
        """Flush the file to the disk."""
        os.fsync(self._file.fileno())

    def head(self) -> bytes:
        """Return the first bytes."""
        self._file.seek(0)  # what is appended goes to the end all the same
        return self._file.read(64) or b""


class Progress:
    """Bytes, rate and time left on stderr, behind a label, if stderr is a terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._visible = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, text: str) -> None:
        """Write a line of its own."""
        if self._visible:
            self._close()
            print(printable(f"{self._label}: {text}"), file=sys.stderr)

    def show(self, part: Part) -> None:
        """Draw how far `part` is; a part that shrank starts a new bar."""
        if not self._visible:
            return
        from tqdm import tqdm

        if self._bar is not None and part.size < self._bar.n:
            self._close()
        if self._bar is None:
            scale: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
            self._bar = tqdm(desc=printable(self._label), initial=part.size, total=part.total, file=sys.stderr, **scale)
        self._bar.total = part.total
        self._bar.update(part.size - self._bar.n)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http, nor out of the web."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and (req.type, scheme) != ("http", "http"):
            reason = f"redirected from {req.type} to {newurl}, which is not secure; not followed"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        known = 307 if code == 308 else code  # Python 3.10 does not know 308
        return super().redirect_request(req, fp, known, msg, headers, newurl)

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message) -> Any:
        fp.close()  # urllib would read the body to its end, and it may have none
        return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """Speak http and https, nothing else: a redirect must not lead to a local file or to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPSHandler,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


def _why(error: urllib.error.URLError, request: urllib.request.Request) -> str:
    """Say why there is no connection, and what may help."""
    reason = str(error.reason)
    hint = "$SSL_CERT_FILE may name the authorities to trust"
    if untrusted := getattr(error.reason, "verify_message", ""):  # of ssl.SSLCertVerificationError
        reason = f"the certificate is not trusted ({untrusted}); {hint}"
    # a proxy takes the place of the host in the request
    if request.host != urllib.parse.urlsplit(request.full_url).netloc:
        return f"could not connect through the proxy {request.host}: {reason}; see $HTTP_PROXY and $HTTPS_PROXY"
    return f"could not connect: {reason}"


def _ask(url: str, part: Part) -> http.client.HTTPResponse:
    """Request the rest of `url` that `part` lacks."""
    headers = {"User-Agent": "numpyclip", "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        answer: http.client.HTTPResponse = _opener().open(request, timeout=TIMEOUT)
        return answer
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and part.size:
            part.clear()
            raise Broken("the part here does not fit the file there (416); starting over") from error
        # urllib's message about redirect loops has two lines
        raise Refused(f"HTTP {error.code}, {' '.join(str(error.reason).split())}") from error
    except urllib.error.URLError as error:
        raise Broken(_why(error, request), connected=False) from error
    except TimeoutError as error:
        raise Broken(f"no answer for {TIMEOUT:g} seconds", connected=False) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise Refused(f"not a usable URL: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"no answer: {error or type(error).__name__}") from error


class _Span(NamedTuple):
    """Where this response ends and where the file ends, as far as announced."""

    stop: int | None
    total: int | None


def _span(answer: http.client.HTTPResponse, part: Part) -> _Span:
    """Read from the headers which bytes will come, and prepare `part` for them."""
    encoding = answer.headers.get("Content-Encoding", "")
    if encoding.lower() not in ("", "identity"):
        raise Refused(f"sent as {encoding}, though plain bytes were requested")
    if answer.status == 200:  # the whole file, whatever was requested
        if part.size:
            part.clear()
        return _Span(answer.length, answer.length)
    content_range = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", content_range.strip())
    if answer.status != 206 or not part.size:
        raise Refused(f"HTTP {answer.status}, {answer.reason}; expected 200")
    if not match or int(match[1]) != part.size or int(match[2]) < part.size:
        expected = f"bytes {part.size}-"
        part.clear()
        raise Broken(f"Content-Range is {content_range!r}; expected {expected!r}; starting over")
    part.spliced = True
    stop = int(match[2]) + 1
    return _Span(stop, stop if match[3] == "*" else int(match[3]))


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    """Read the bytes that have arrived, at least one unless the response is over."""
    try:
        return answer.read1(most)  # read() would lose what arrived before a stall
    except TimeoutError as error:
        raise Broken(f"stalled: no byte for {TIMEOUT:g} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"dropped: {error or type(error).__name__}") from error


def fetch(url: str, part: Part, progress: Progress) -> None:
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
    with _ask(url, part) as answer:
        stop, part.total = _span(answer, part)
        announced = max(stop or 0, part.total or 0)
        if announced > LIMIT:
            raise Refused(f"announced {announced:,} bytes; expected at most {LIMIT:,}")
        progress.show(part)
        while stop is None or part.size < stop:
            if part.size >= LIMIT:
                part.clear()
                raise Refused(f"sent more than {LIMIT:,} bytes without end")
            data = _read(answer, min(CHUNK, (stop or LIMIT) - part.size))
            if not data:
                break
            part.append(data)
            progress.show(part)
    if part.total is not None and part.size < part.total:
        raise Broken(f"dropped: {part.size:,} of {part.total:,} bytes came")
