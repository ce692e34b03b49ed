"""The listening socket."""

import socket

import pytest

from numpyclip.errors import NumPyCLIPError
from numpyclip.server.processes.listening import listen


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        expected = f"127.0.0.1:{port}: cannot listen there .*Another program uses the port; try another --port"
        with pytest.raises(NumPyCLIPError, match=expected):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
def test_of_a_host_that_is_not_here_the_option_is_named(host: str) -> None:
    with pytest.raises(NumPyCLIPError, match=f"{host}:0: cannot listen there .*Expected as --host an address of this"):
        listen(host, 0)


def test_answers_do_not_wait_for_more_to_send() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # by which asyncio decides on TCP_NODELAY
