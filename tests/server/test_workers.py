"""Several processes at one socket: killed, replaced under load, stopped."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.server.conftest import Client
from tests.server.test_uvicorn_server import process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Windows has no workers; /proc")

Server = tuple[subprocess.Popen[str], Client]
TEXTS = [f"{number} birds" for number in range(16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(place: str, folder: Path) -> Iterator[Server]:
    with process("--store", place, "-m", "tiny", "--workers", "2", TMPDIR=str(folder)) as server:
        yield server


def workers(server: subprocess.Popen[str]) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()}


def read_until(server: subprocess.Popen[str], words: str) -> None:
    assert server.stderr is not None
    while line := server.stderr.readline():
        if words in line:
            return
    pytest.fail(f"the server ended without saying {words!r}")


def embed(connection: http.client.HTTPConnection, text: str) -> np.ndarray:
    connection.request("POST", "/v1/embeddings", json.dumps({"input": text}).encode())
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return np.array(json.loads(body)["data"][0]["embedding"], np.float32)


class Load:
    """Threads that ask without pause, over connections that they keep or not, and compare each answer."""

    def __init__(self, port: int, expected: np.ndarray) -> None:
        self._port = port
        self._expected = expected
        self._stop = threading.Event()
        self._has_begun = threading.Barrier(9)
        self.problems: list[str] = []
        self.answers = 0
        self._threads = [threading.Thread(target=self._ask, args=(number % 2 == 0,)) for number in range(8)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self._has_begun.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        waits = True
        while not self._stop.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
                for row in range(len(TEXTS) if keeps else 1):
                    try:
                        found = embed(connection, TEXTS[row])
                        if not np.allclose(found, self._expected[row], atol=1e-5):
                            self.problems.append("another embedding")
                        self.answers += 1
                    except Exception as error:
                        self.problems.append(repr(error))
                        break
                    if waits:
                        self._has_begun.wait(60)
                    waits = False


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    process, client = server
    (killed, other) = workers(process)
    os.kill(killed, signal.SIGKILL)
    read_until(process, "has ended with signal 9 (Killed); another one takes its place.")
    assert client.get("/search?q=a+house").status == 200  # the other one answers
    process.send_signal(signal.SIGHUP)  # waits for its turn, after which there are two again
    read_until(process, "2 workers were replaced.")
    assert len(workers(process)) == 2
    assert not workers(process) & {killed, other}


def test_workers_are_replaced_under_load_with_nothing_lost(server: Server, tiny: CLIP) -> None:
    process, client = server
    before = workers(process)
    with Load(client.port, tiny.embed_texts(TEXTS)) as load:
        process.send_signal(signal.SIGHUP)
        read_until(process, "2 workers were replaced.")
    assert not load.problems
    assert load.answers > 100
    assert not workers(process) & before


def test_metrics_are_those_of_all_workers(server: Server) -> None:
    def count() -> int:
        said = client.get("/metrics").body.decode()
        match = re.search(r'requests_total{route="/v1/models",status="200"} (\d+)', said)
        return int(match[1]) if match else 0

    process, client = server
    before = count()
    for _ in range(20):
        assert client.get("/v1/models").status == 200
    assert count() == before + 20
    process.send_signal(signal.SIGHUP)
    read_until(process, "2 workers were replaced.")
    assert count() == before + 20
    assert "numpyclip_waiting 0.0" in client.get("/metrics").body.decode()


def test_requests_in_flight_are_finished_when_all_are_stopped(server: Server, folder: Path) -> None:
    process, client = server
    body = json.dumps({"input": [f"a picture of {n} dogs" for n in range(32)]}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert client.get("/healthz").status == 200
    connections = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(8)]
    for connection in connections:
        connection.sendall(head + body)
    for pid in (process.pid, *workers(process)):  # as a manager of services does, which ends the whole group
        os.kill(pid, signal.SIGTERM)
    for connection in connections:
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        connection.close()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["data"]) == 32
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert not list(folder.iterdir())


def test_workers_end_with_their_supervisor() -> None:
    with process("--no-index", "-m", "tiny", "--workers", "2") as (server, _):
        server.kill()
        assert server.stderr is not None
        server.stderr.read()  # which ends when the last process that has it ends


def test_an_error_of_the_first_worker_is_said_once(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--workers", "4", "--no-index", "-m", str(tmp_path / "none.pt")]
    done = subprocess.run([sys.executable, "-m", "numpyclip", *words], stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("none.pt") == 1


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


def test_a_restart_behind_a_socket_of_systemd_loses_no_connection(tiny: CLIP) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        port = listener.getsockname()[1]
        for _ in range(2):
            with (  # which is made while no server runs
                closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection,
                served_by_systemd(listener) as server,
            ):
                np.testing.assert_allclose(embed(connection, "a bird"), tiny.embed_texts("a bird")[0], atol=1e-5)
                server.terminate()
                assert f"tiny at http://127.0.0.1:{port} (Ctrl-C stops it)" in server.communicate(timeout=60)[1]


def test_sockets_of_systemd_that_it_cannot_serve_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, served_by_systemd(listener, "2") as server:
        assert "LISTEN_FDS is '2'; expected 1" in server.communicate(timeout=60)[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        with served_by_systemd(listener) as server:
            assert "expected ListenStream=PORT" in server.communicate(timeout=60)[1]


def test_a_stop_while_workers_are_replaced_says_nothing_of_successors() -> None:
    with process("--no-index", "-m", "tiny", "--workers", "2") as (server, _):
        server.send_signal(signal.SIGHUP)
        while len(workers(server)) < 3:  # the successor loads its model
            pass
        server.terminate()
        _, said = server.communicate(timeout=60)
        assert server.returncode == -signal.SIGTERM
        assert "is not replaced" not in said
