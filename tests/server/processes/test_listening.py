"""The listening socket."""

import socket

import pytest

from numpyclip.errors import NumPyCLIPError
from numpyclip.server.processes.listening import listen


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NumPyCLIPError, match=f"127.0.0.1:{port}: cannot listen there .*try another --port"):
            listen("127.0.0.1", port)
    with pytest.raises(NumPyCLIPError, match=r"nowhere\.invalid:0: cannot listen there"):
        listen("nowhere.invalid", 0)


def test_answers_do_not_wait_for_more_to_send() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # by which asyncio decides on TCP_NODELAY
