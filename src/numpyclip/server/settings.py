"""What a server allows, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Limits of a server. The defaults suit a machine of a few cores and 4 GiB.

    Attributes
    ----------
    names : tuple of str
        By which requests may call the model; any if there are none.
    token : str or None
        What a request must show to be answered.
    hosts : tuple of str
        Names by which the server may be called, as in the header ``Host``; any if there are none. A page that has made
        its own name point to this machine cannot read what only this machine may.
    fetch_hosts : tuple of str
        Hosts from which pictures may be fetched, as ``name`` or ``name:port``.
    max_body : int
        Bytes of a request.
    max_bodies : int
        Bytes of all requests that are in work at once.
    max_requests : int
        That are in work at once.
    max_pixels : int
        Of a picture.
    max_inputs : int
        Texts or pictures in a request.
    max_waiting : int
        Texts and pictures that wait to be embedded; when there are as many, requests are sent away.
    batch_size : int
        Pictures embedded at once; of texts eight times as many.
    timeout : float
        Seconds in which a request must have arrived, and in which its answer must be there.
    """

    names: tuple[str, ...] = ()
    token: str | None = None
    hosts: tuple[str, ...] = ()
    fetch_hosts: tuple[str, ...] = ()
    max_body: int = 32 << 20
    max_bodies: int = 256 << 20
    max_requests: int = 256
    max_pixels: int = 64_000_000
    max_inputs: int = 256
    max_waiting: int = 1024
    batch_size: int = 32
    timeout: float = 60.0
