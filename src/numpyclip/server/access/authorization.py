"""Authorization of requests: by Host, origin, token and client address."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from numpyclip.server.access.addresses import LOOPBACK, UNKNOWN_PROXY, Network, client_address, is_within
from numpyclip.server.http.request_context import current_request
from numpyclip.server.http.responses import error_response
from numpyclip.server.settings import Settings

_LOG = logging.getLogger("numpyclip.server")
COOKIE = "numpyclip_session"
PROBES = ("/health", "/healthz", "/ping", "/.well-known/live", "/.well-known/ready")  # are answered under any load
_PUBLIC_PATHS = ("/", "/login", "/logout", *PROBES)  # their responses reveal nothing
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@,\[\]]+)(:\d{1,5})?", re.IGNORECASE)


class Authorization:
    """Decides which requests are rejected.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._has_warned = False

    def rejection(self, scope: Scope) -> Response | None:
        """Return the response to a request that is rejected, else None."""
        headers, settings = Headers(scope=scope), self._settings
        host = _HOST.fullmatch(headers.get("host", ""))
        if host is None and (settings.allowed_hosts or "host" in headers):
            return error_response(421, "the header Host is no name of a server.")
        name = host[1].lower() if host is not None else ""
        if settings.allowed_hosts and name not in settings.allowed_hosts:
            return error_response(421, "this Host is not allowed; the server's owner can allow it with --allow-host.")
        path = scope["path"]
        if path and path == settings.url_prefix:  # from where the page's relative addresses would lead elsewhere
            query = scope["query_string"].decode("latin-1")
            return Response(status_code=308, headers={"Location": f"{path}/{query and '?'}{query}"})
        is_cross_site = _is_cross_site(headers)
        if is_cross_site and (scope["method"], path) != ("GET", "/") and not self._is_cors_allowed(headers):
            return error_response(403, "cross-site requests are refused; the server's owner can allow a site: --cors.")
        is_trusted = not is_cross_site and self._is_trusted(scope, name)
        if not settings.tokens:
            return self._metrics_rejection(scope) if path == "/metrics" and not is_trusted else None
        current_request().token = token = self._token(headers, with_cookie=not is_cross_site)
        if token is None and not is_trusted and not is_public(path):
            message = "a token is needed: send it as `Authorization: Bearer TOKEN`."
            if "authorization" in headers:
                message = "the token is not valid; expected one of this server as `Authorization: Bearer TOKEN`."
            elif self._is_from(scope, settings.trusted_networks) and not is_cross_site:
                message = "this Host needs a token, unless the server's owner allows it with --allow-host."
            return error_response(401, message, {"WWW-Authenticate": "Bearer"})
        return None

    def _is_cors_allowed(self, headers: Headers) -> bool:
        """Tell whether pages of this origin may send requests."""
        origins, origin = self._settings.cors_origins, headers.get("origin")
        return origin is not None and ("*" in origins or origin in origins)

    def _is_trusted(self, scope: Scope, host: str) -> bool:
        """Tell whether a client needs no token.

        The Host may be no name that somebody else's DNS could point here: else a page of theirs, in a browser at a
        trusted address, would be one of this server's (DNS rebinding).
        """
        is_ours = "." not in host or _is_address(host) or host in self._settings.allowed_hosts
        return is_ours and self._is_from(scope, self._settings.trusted_networks)

    def _is_from(self, scope: Scope, networks: Iterable[Network]) -> bool:
        """Tell whether a client is in one of the networks; none is behind an untrusted proxy."""
        address = client_address(scope)
        if UNKNOWN_PROXY not in scope or not is_within(address, networks):
            return is_within(address, networks)
        if not self._has_warned:
            self._has_warned = True
            is_sent = "x-forwarded-for" in Headers(scope=scope)  # and not only X-Real-IP, say
            _LOG.warning(
                "requests from %s name another client, and are not trusted. If it is a reverse proxy%s.",
                address,
                f" that sets X-Forwarded-For: --proxy {address}" if is_sent else ", have it set X-Forwarded-For",
            )
        return False

    def _metrics_rejection(self, scope: Scope) -> Response | None:
        if self._is_from(scope, LOOPBACK):
            return None
        address = client_address(scope)
        more = f"--trusted-address {address or '...'}" if UNKNOWN_PROXY not in scope else "--proxy, a token"
        return error_response(403, f"metrics are for this machine; the server's owner can allow more: {more}")

    def _token(self, headers: Headers, *, with_cookie: bool) -> str | None:
        """Return the name of the token that was sent; pages of other sites have to send it themselves."""
        tokens = self._settings.tokens
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        name = tokens.name_of(sent.strip(" \t").encode("latin-1")) if scheme.lower() == "bearer" else None
        if name is not None or not with_cookie:
            return name
        cookies = (cookie.strip().partition("=") for cookie in headers.get("cookie", "").split(";"))
        found = (tokens.name_of_session(value) for name, _, value in cookies if name == COOKIE)
        return next((name for name in found if name is not None), None)


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return False


def _is_cross_site(headers: Headers) -> bool:
    """Return whether a page of another site made the request, by Sec-Fetch-Site or else Origin."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in ("same-origin", "none"):
        return False
    is_same_origin = origin is not None and re.sub("^https?://", "", origin.lower()) == headers.get("host", "").lower()
    return not is_same_origin if origin is not None else site is not None


def is_public(path: str) -> bool:
    """Return whether a path needs no token."""
    return path in _PUBLIC_PATHS or path.startswith("/static/")
