"""An HTTP server on this machine, for as long as a test needs it."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the play."""


@contextlib.contextmanager
def running(
    handler: type[BaseHTTPRequestHandler], *, daemon_threads: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server and give its URL; without daemon threads, wait at the end until all requests are answered."""
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = daemon_threads
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
