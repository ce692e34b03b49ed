"""The socket at which requests arrive."""

from __future__ import annotations

import errno
import os
import socket

from numpyclip.errors import NumPyCLIPError
from numpyclip.server.processes.systemd import inherited_listener

QUEUE = 2048  # connections that the system keeps until they are accepted
_ADVICE = {
    errno.EADDRINUSE: "Another program uses the port; try another --port.",
    errno.EACCES: "Ports below 1024 are privileged; try another --port.",
}


def listen(host: str, port: int) -> socket.socket:
    """Open the socket, before the slow loading of the model, so that a port in use is reported at once.

    If systemd has opened one for this process, that is taken instead.

    Returns
    -------
    socket

    Raises
    ------
    NumPyCLIPError
        If it cannot be opened.
    """
    if (inherited := inherited_listener()) is not None:
        return inherited
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=QUEUE)
        # asyncio sets TCP_NODELAY only if the socket's protocol is IPPROTO_TCP; without it responses take 40 ms longer.
        return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        # not str(error): socket.create_server appends the address, which the message below has already
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        advice = _ADVICE.get(number, "Expected as --host an address of this machine, such as 127.0.0.1 or 0.0.0.0.")
        raise NumPyCLIPError(f"{host}:{port}: cannot listen there ({reason}). {advice}") from error
