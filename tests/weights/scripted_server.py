"""A web server on this machine that answers, request by request, as a script tells it to."""

import contextlib
import gzip
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import running

Move = Callable[["Handler"], None]


@dataclass
class Script:
    """What to answer with (in turn; the last for ever), and what was asked."""

    body: bytes
    moves: list[Move]
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    script: Script

    def do_GET(self) -> None:
        self.script.asked.append((self.path, dict(self.headers)))
        moves = self.script.moves
        move = moves.pop(0) if len(moves) > 1 else moves[0]
        move(self)

    do_CONNECT = do_GET  # as a proxy

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start(self) -> int:
        """Send the headers of a proper answer, and return the first byte that belongs into it."""
        body = self.script.body
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not match:
            self.head(200, Content_Length=len(body))
            return 0
        start = int(match[1])
        if start >= len(body):
            self.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
            return len(body)
        told = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.head(206, Content_Range=told, Content_Length=len(body) - start)
        return start


def proper(handler: Handler) -> None:
    """Do all that a good server does."""
    handler.wfile.write(handler.script.body[handler.start() :])


def drop_after(count: int, then: Callable[[], object] = lambda: None, reset: bool = False) -> Move:
    """Send `count` bytes of a proper answer, and hang up."""

    def move(handler: Handler) -> None:
        start = handler.start()
        handler.wfile.write(handler.script.body[start : start + count])
        then()
        if reset:  # hang up rudely
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()

    return move


def stall_after(count: int) -> Move:
    """Send `count` bytes of a proper answer, and then nothing, while the connection stays open."""

    def move(handler: Handler) -> None:
        start = handler.start()
        handler.wfile.write(handler.script.body[start : start + count])
        handler.script.ending.wait()

    return move


def silent(handler: Handler) -> None:
    """Do not even send headers."""
    handler.script.ending.wait()


def hang_up(handler: Handler) -> None:
    """Close without a word."""


def babble(handler: Handler) -> None:
    """Speak something else than HTTP."""
    handler.wfile.write(b"220 ftp ready\r\n")


def answer(status: int, body: bytes = b"", **headers: object) -> Move:
    """Send this, whatever was asked for."""

    def move(handler: Handler) -> None:
        handler.head(status, **{"Content_Length": len(body), **headers})
        handler.wfile.write(body)

    return move


def whole(handler: Handler) -> None:
    """Send everything; know nothing of ranges."""
    handler.head(200, Content_Length=len(handler.script.body))
    handler.wfile.write(handler.script.body)


def without_length(handler: Handler) -> None:
    """Send everything without saying how much it is."""
    handler.head(200)
    handler.wfile.write(handler.script.body)


def chunked(handler: Handler) -> None:
    """Send everything in chunks."""
    handler.head(200, Transfer_Encoding="chunked")
    body = handler.script.body
    for at in range(0, len(body), 10_000):
        piece = body[at : at + 10_000]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def gzipped(handler: Handler) -> None:
    """Compress, though nobody asked for it."""
    data = gzip.compress(handler.script.body)
    handler.head(200, Content_Length=len(data), Content_Encoding="gzip")
    handler.wfile.write(data)


def endless(handler: Handler) -> None:
    """Never stop sending."""
    handler.head(200)
    with contextlib.suppress(OSError):
        while not handler.script.ending.is_set():
            handler.wfile.write(bytes(1 << 16))


@contextlib.contextmanager
def serving(body: bytes, *moves: Move, tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    """Run a server for the length of the block."""
    script = Script(body, list(moves) or [proper])
    handler = type("ScriptedHandler", (Handler,), {"script": script})
    with running(handler, daemon_threads=False, tls=tls) as script.url:
        try:
            yield script
        finally:
            script.ending.set()
