"""A socket of systemd, and what it is told."""

import http.client
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server.processes.systemd import notify_ready
from tests.server.processes.test_workers import embed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd")

SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[2]}
os.execve(sys.executable, [sys.executable, "-m", "numpyclip", "serve", "--no-index", "-m", "tiny"], environment)
"""


def served_by_systemd(listener: socket.socket, count: str = "1") -> subprocess.Popen[str]:
    """Start a server as systemd does: with the socket as descriptor 3, and variables with its own process ID."""
    command = [sys.executable, "-c", SYSTEMD, str(listener.fileno()), count]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, pass_fds=[listener.fileno()])


def test_a_restart_behind_a_socket_of_systemd_loses_no_connection(
    tiny: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.settimeout(60)
        manager.bind(str(tmp_path / "notify"))
        port = listener.getsockname()[1]
        for _ in range(2):
            with (  # which is made while no server runs
                closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection,
                served_by_systemd(listener) as server,
            ):
                np.testing.assert_allclose(embed(connection, "a bird"), tiny.embed_texts("a bird")[0], atol=1e-5)
                assert manager.recv(100) == b"READY=1"
                server.terminate()
                assert f"tiny at http://127.0.0.1:{port} (Ctrl-C stops it)" in server.communicate(timeout=60)[1]


@pytest.mark.exhaustive
def test_sockets_of_systemd_that_it_cannot_serve_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, served_by_systemd(listener, "2") as server:
        assert "LISTEN_FDS is '2'; expected 1" in server.communicate(timeout=60)[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        with served_by_systemd(listener) as server:
            assert "expected ListenStream=PORT" in server.communicate(timeout=60)[1]


@pytest.mark.parametrize("name", ["{}/notify", "@{}/notify"])
def test_systemd_is_told_that_the_server_is_ready(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notify_ready()  # nobody
    address = name.format(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(60)
        manager.bind(address.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify_ready()
        assert manager.recv(100) == b"READY=1"
    notify_ready()  # nobody listens any more
