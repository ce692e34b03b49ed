"""The record of a request in flight, for the access log."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass
class RequestRecord:
    """The record of one request.

    Attributes
    ----------
    id : str
        The client's ``X-Request-ID``, or one that was made; empty outside of requests.
    token : str or None
        Name of the token that was sent.
    route : str
        Path of the matched route.
    queue_seconds : float
        Time that inputs have waited for a batch.
    compute_seconds : float
        Time that their batches have taken.
    sent : object
        Its fields by name, once they are parsed.
    reason : str or None
        Why it failed, without what the client sent.
    """

    id: str = ""
    token: str | None = None
    route: str = "none"
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    sent: Any = None
    reason: str | None = None


CURRENT: ContextVar[RequestRecord | None] = ContextVar("numpyclip_request", default=None)


def current_request() -> RequestRecord:
    """Return the record of the request that is being answered, or one that nobody reads."""
    return CURRENT.get() or RequestRecord()
