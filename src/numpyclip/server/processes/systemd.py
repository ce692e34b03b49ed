"""systemd's protocols: socket activation, and the notification that the service is ready."""

from __future__ import annotations

import contextlib
import os
import socket

from numpyclip.errors import NumPyCLIPError

_FIRST_DESCRIPTOR = 3  # of those that systemd hands over


def inherited_listener() -> socket.socket | None:
    """Take the socket of systemd, in which connections wait while this server restarts: see sd_listen_fds(3).

    Returns
    -------
    socket or None
        None if there is none for this process.

    Raises
    ------
    NumPyCLIPError
        If there are several, or if it is no port.
    """
    process, count, _ = (os.environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES"))
    if process != str(os.getpid()):
        return None
    if count != "1":
        raise NumPyCLIPError(f"LISTEN_FDS is {count!r:.20}; expected 1: the unit has one ListenStream=, a port.")
    try:
        listener = socket.socket(fileno=_FIRST_DESCRIPTOR)
    except OSError as error:
        raise NumPyCLIPError(f"LISTEN_FDS is 1, and descriptor 3 is no socket ({error.strerror}).") from error
    is_listening = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listener.family not in (socket.AF_INET, socket.AF_INET6) or not is_listening:
        raise NumPyCLIPError("descriptor 3 of systemd is no port that is listened at; expected ListenStream=PORT.")
    listener.set_inheritable(False)
    return listener


def notify_ready() -> None:
    """Tell systemd that requests are answered, if the unit has ``Type=notify``: see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)  # @: of no file
        manager.sendall(b"READY=1")
