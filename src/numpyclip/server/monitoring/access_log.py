"""Middleware that logs every request (client, status, duration), and counts it in the metrics."""

from __future__ import annotations

import logging
import re
import secrets
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from numpyclip.server.access.addresses import client_address
from numpyclip.server.access.authorization import PROBES
from numpyclip.server.http.request_context import CURRENT, RequestRecord
from numpyclip.server.http.responses import error_response
from numpyclip.server.monitoring.logs import log_error
from numpyclip.server.monitoring.prometheus import Metrics

_ACCESS = logging.getLogger("numpyclip.access")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")  # of a client; any other is replaced
_CLIENT_CLOSED_REQUEST = 499  # in logs and metrics, as nginx has it
_MAX_PATH = 200  # characters in the log
_POLLED = (*PROBES, "/metrics")  # every few seconds; in the log at debug, unless they fail
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send `Origin: null` with forms of the page
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class AccessLogMiddleware:
    """ASGI middleware that logs requests and unexpected errors, records metrics, and sets headers of all responses.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    varies : bool
        Responses depend on the origin of a request, so that no cache may give those of one to another.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, varies: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._varies = varies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), 0, 0
        record = RequestRecord(_request_id(scope))

        async def send_recorded(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = record.id
                if self._varies and "Origin" not in headers.get("Vary", ""):
                    headers.add_vary_header("Origin")
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)
            size += len(message.get("body", b"")) * (scope["method"] != "HEAD")  # to which no body is sent

        before = CURRENT.set(record)
        try:
            await self._app(scope, receive, send_recorded)
        except ClientDisconnect:  # nobody waits for an answer
            status = status or _CLIENT_CLOSED_REQUEST
        except Exception as error:
            log_error(error)
            if status:
                raise  # so that the connection is closed, and the client knows that something is missing
            message = f"an unexpected error; the server's log has it, as that of request {record.id}."
            await error_response(500, message)(scope, receive, send_recorded)
            record.reason = None  # which the line above is
        finally:
            seconds = time.perf_counter() - start
            self._metrics.requests.labels(record.route, status or 500).inc()
            self._metrics.seconds.labels(record.route).observe(seconds)
            _log(scope, record, (status or 500, size, seconds))
            CURRENT.reset(before)


def _request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("x-request-id", "")
    return sent if _ID.fullmatch(sent) else secrets.token_hex(8)


def _log(scope: Scope, record: RequestRecord, outcome: tuple[int, int, float]) -> None:
    """Log a request: no query string, header or body, which may be private; of the token its name only."""
    if not _ACCESS.isEnabledFor(logging.INFO):
        return
    status, size, seconds = outcome
    fields = {
        "client": str(client_address(scope) or "-"),
        "method": scope["method"][:20],
        "path": quote(scope["path"])[:_MAX_PATH],
        "status": status,
        "bytes": size,
        "seconds": round(seconds, 4),
        "queue_seconds": round(record.queue_seconds, 4),
        "compute_seconds": round(record.compute_seconds, 4),
        "token": record.token,
        "request_id": record.id,
    }
    if record.reason is not None:
        fields["reason"] = record.reason
    text = "{client} {method} {path} {status} {bytes}B {seconds:.3f}s".format(**fields)
    if record.compute_seconds:
        text += " queue={queue_seconds:.3f}s compute={compute_seconds:.3f}s".format(**fields)
    text += f" token={record.token}" * (record.token is not None) + f" id={record.id}"
    text += f" reason={record.reason!r}" * (record.reason is not None)
    level = logging.DEBUG if status < 400 and scope["path"] in _POLLED else logging.INFO
    _ACCESS.log(level, "%s", text, extra={"fields": fields})
