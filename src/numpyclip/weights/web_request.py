"""HTTP requests that cannot hang, leak a token, or leave the web."""

import email.utils
import http.client
import io
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import IO, Any, NamedTuple

from numpyclip.weights.network_settings import is_on_loopback

TIMEOUT = 15.0  # seconds: for all headers of a response, and without a single byte of its body
CONNECT_TIMEOUT = 10.0  # seconds: the system asks again after 1, 3 and 7 of them, and then only after 15


class Refused(Exception):
    """The server refused, and retrying would not help, unless it is busy: then it may tell how long to `wait`."""

    def __init__(self, reason: str, status: int = 0, headers: Message | None = None, host: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.host = host  # if it is another than was asked, to which that one has redirected
        self.code = headers.get("X-Error-Code", "") if headers else ""  # a hub's
        self.wait = _wait(headers) if headers else None

    def __str__(self) -> str:
        return super().__str__() + (f"; it asks to wait for {self.wait:.0f} seconds" if self.wait else "")


class Wrong(Refused):
    """The server sent a file, but not the published one."""


class Broken(Exception):
    """The connection broke, or (not `connected`) was never made; retrying may help, less so if it `stalled`."""

    def __init__(self, reason: str, connected: bool = True, stalled: bool = False) -> None:
        super().__init__(reason)
        self.connected = connected
        self.stalled = stalled


def _wait(headers: Message) -> float | None:
    """Read how long to wait; the Hugging Face hub has a header of its own, ``"api";r=0;t=12``."""
    limit = re.search(r";\s*t\s*=\s*([0-9]{1,9})", headers.get("RateLimit", ""))
    return float(limit[1]) if limit and "Retry-After" not in headers else _seconds(headers.get("Retry-After", ""))


def _seconds(retry_after: str) -> float | None:
    """Read the seconds to wait, or the date to wait for."""
    if re.fullmatch(r"\d{1,9}", retry_after.strip(), re.ASCII):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


class _Socket(io.RawIOBase):
    """A socket to read from until a deadline: with a timeout alone, each single byte would begin it anew."""

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw, self._sock = raw, sock
        self.begin()

    def begin(self) -> None:
        """Set the deadline."""
        self._deadline = time.monotonic() + TIMEOUT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """A response with one deadline for all of its headers, and one for each piece of its body."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._timed = _Socket(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._timed)

    def read1(self, n: int = -1) -> bytes:
        self._timed.begin()
        return super().read1(n)


class _Proxies(urllib.request.ProxyHandler):
    """The proxies of the environment, but not for this machine: a token would go to theirs in clear."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        return None if is_on_loopback(req.full_url) else super().proxy_open(req, proxy, type)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_HTTPConnection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_HTTPSConnection, req)


def _connect(address: tuple[str, int], *_: object) -> socket.socket:
    """Connect to one of a host's addresses, in one timeout for all of them together."""
    deadline, failure = time.monotonic() + CONNECT_TIMEOUT, OSError("the host has no address")
    places = [place[:2] for *_, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM)]
    for others, place in zip(reversed(range(len(places))), places, strict=True):
        left = max(0.1, deadline - time.monotonic()) / (others + 1)
        try:
            connected = socket.create_connection((str(place[0]), int(place[1])), left)
        except OSError as error:
            failure = error
        else:
            connected.settimeout(TIMEOUT)
            return connected
    raise failure


class _HTTPConnection(http.client.HTTPConnection):
    response_class = _Response

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._create_connection = _connect  # where Python's own has a timeout for each address


class _HTTPSConnection(http.client.HTTPSConnection, _HTTPConnection):
    pass


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Return the scheme, host and port of a URL."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_within(url: str, other: str) -> bool:
    """Tell whether a redirect stays on its host, perhaps from http to https."""
    (scheme, host, port), (other_scheme, other_host, other_port) = _origin(url), _origin(other)
    is_upgrade = (scheme, port, other_scheme, other_port) == ("http", 80, "https", 443)
    return host == other_host and (is_upgrade or (scheme, port) == (other_scheme, other_port))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to http, nor out of the web, nor with a token to another host."""

    def __init__(self, stays: bool = False) -> None:
        self._stays = stays  # whether redirects to another host are not followed
        self.stayed = False  # whether there was one
        self.hops: list[Message] = []  # the headers of each redirect

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        self.hops.append(headers)
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and (req.type, scheme) != ("http", "http"):
            reason = f"redirected from {req.type} to {newurl}, which is not secure; not followed"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        is_same = _is_within(req.full_url, newurl)
        if self._stays and not is_same:
            self.stayed = True
            return None
        known = 307 if code == 308 else code  # Python 3.10 does not know 308
        request = super().redirect_request(req, fp, known, msg, headers, newurl)
        if request is not None:
            request.method = req.get_method()
            if is_same and "Authorization" in req.unredirected_hdrs:
                request.add_unredirected_header("Authorization", req.unredirected_hdrs["Authorization"])
        return request

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message) -> Any:
        fp.close()  # urllib would read the body to its end, and it may have none
        return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener(redirects: _Redirects) -> urllib.request.OpenerDirector:
    """Speak http and https, nothing else: a redirect must not lead to a local file or to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _Proxies(),
        urllib.request.UnknownHandler(),
        _Http(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Https(),
        redirects,
    ):
        opener.add_handler(handler)
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


def _public(text: str) -> str:
    """Remove from a message what URLs in it may have that is secret: passwords and signatures."""
    return re.sub(r"\?[^\s'\";,]*", "?...", re.sub(r"//[^/@\s]*@", "//", text))


class Answer(NamedTuple):
    """What a server answered: the body yet to be read, if any, and all headers on the way there."""

    body: Any  # http.client.HTTPResponse
    headers: list[Message]

    def header(self, name: str) -> str | None:
        """Return the first header of this name, that of a redirect before that of where it leads."""
        return next((headers[name] for headers in self.headers if name in headers), None)


def ask(url: str, method: str = "GET", first_byte: int = 0, token: str | None = None, stays: bool = False) -> Answer:
    """Request `url`, from a byte on.

    Parameters
    ----------
    url, method
    first_byte : int, default=0
    token : str, optional
        Sent to the host of `url` alone.
    stays : bool, default=False
        Do not follow a redirect to another host, but return it.

    Raises
    ------
    Refused
    Broken
    """
    headers = {"User-Agent": "numpyclip", "Accept-Encoding": "identity"}
    if first_byte:
        headers["Range"] = f"bytes={first_byte}-"
    redirects = _Redirects(stays)
    try:
        request = urllib.request.Request(url, headers=headers, method=method)
        if token:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        body = _opener(redirects).open(request, timeout=TIMEOUT)
        return Answer(body, [*redirects.hops, body.headers])
    except urllib.error.HTTPError as error:
        error.close()
        if redirects.stayed:
            return Answer(error, redirects.hops)
        # urllib's message about redirect loops has two lines
        reason = " ".join(_public(str(error.reason)).split())
        host = None if _is_within(url, error.url) else urllib.parse.urlsplit(error.url).hostname
        by = f", by {host}" if host else ""
        raise Refused(f"HTTP {error.code}, {reason}{by}", error.code, error.headers, host) from error
    except urllib.error.URLError as error:
        raise Broken(_why(error, request), connected=False) from error
    except TimeoutError as error:
        raise Broken(f"no answer for {TIMEOUT:g} seconds", connected=False) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise Refused(f"not a usable URL: {_public(str(error))}") from error
    except OSError as error:
        raise Broken(f"no answer: {error or type(error).__name__}") from error
    except http.client.HTTPException as error:
        raise Broken("its answer is not one of a web server") from error
