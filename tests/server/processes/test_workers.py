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
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.server.conftest import Client
from tests.server.processes.test_uvicorn_server import process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Windows has no workers; /proc")

TEXTS = [f"{number} birds" for number in range(16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


class Server:
    """A server of two workers, whose log is read all the time: it would wait for that."""

    def __init__(self, process: subprocess.Popen[str], client: Client) -> None:
        self.process = process
        self.client = client
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put("")

    def wait_for(self, words: str) -> None:
        """Wait until it says this."""
        while words not in (line := self._lines.get(timeout=120)):
            assert line, f"the server ended without saying {words!r}"

    def wait(self) -> int:
        """Wait for the end of all its processes."""
        self._reader.join(120)
        assert not self._reader.is_alive()
        return self.process.wait(60)

    def said(self) -> Iterator[str]:
        """Return what it has said since `wait_for`, once it has ended."""
        return iter(self._lines.get, "")

    @property
    def workers(self) -> set[int]:
        return {
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        }

    def replace_workers(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("2 workers were replaced.")


@contextmanager
def two_workers(*words: str, temporary: str) -> Iterator[Server]:
    with process("-m", "tiny", "--workers", "2", *words, TMPDIR=temporary) as started:
        server = Server(*started)
        yield server
        server.process.kill()
        server.wait()


@pytest.fixture(scope="module")
def server(place: str, folder: Path) -> Iterator[Server]:
    with two_workers("--store", place, temporary=str(folder)) as server:
        yield server


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
    killed, other = server.workers
    os.kill(killed, signal.SIGKILL)
    server.wait_for("has ended with signal 9 (Killed); another one takes its place.")
    assert server.client.get("/search?q=a+house").status == 200  # the other one answers
    server.replace_workers()  # which waits for its turn: then there are two again
    assert len(server.workers) == 2
    assert not server.workers & {killed, other}


def test_workers_are_replaced_under_load_with_nothing_lost(server: Server, tiny: CLIP) -> None:
    before = server.workers
    with Load(server.client.port, tiny.embed_texts(TEXTS)) as load:
        server.replace_workers()
    assert not load.problems
    assert load.answers > 100
    assert not server.workers & before


def test_metrics_are_those_of_all_workers(server: Server) -> None:
    def count() -> int:
        said = client.get("/metrics").body.decode()
        match = re.search(r'requests_total{route="/v1/models",status="200"} (\d+)', said)
        return int(match[1]) if match else 0

    client = server.client
    before = count()
    for _ in range(20):
        assert client.get("/v1/models").status == 200
    deadline = time.monotonic() + 60
    while count() < before + 20:  # they are counted when the client has its answer already
        assert time.monotonic() < deadline
    server.replace_workers()
    assert count() == before + 20
    assert "numpyclip_waiting 0.0" in client.get("/metrics").body.decode()


def test_workers_start_also_when_the_folder_of_metrics_is_gone(server: Server, folder: Path, tmp_path: Path) -> None:
    (metrics,) = folder.glob("numpyclip-metrics-*")
    metrics.rename(tmp_path / "elsewhere")  # at once: workers write to it meanwhile
    assert server.client.get("/metrics").status == 503
    server.replace_workers()
    assert server.client.get("/metrics").status == 200
    (metrics,) = folder.glob("numpyclip-metrics-*")
    assert metrics.stat().st_mode & 0o777 == 0o700


def test_requests_in_flight_are_finished_when_all_are_stopped(server: Server, folder: Path) -> None:
    client = server.client
    body = json.dumps({"input": [f"a picture of {n} dogs" for n in range(32)]}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert client.get("/healthz").status == 200
    connections = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(8)]
    for connection in connections:
        connection.sendall(head + body)
    for pid in (server.process.pid, *server.workers):  # as a manager of services does, which ends the whole group
        os.kill(pid, signal.SIGTERM)
    for connection in connections:
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        connection.close()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["data"]) == 32
    assert server.wait() == -signal.SIGTERM
    assert not list(folder.iterdir())


@pytest.mark.exhaustive
def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with two_workers("--no-index", temporary=str(tmp_path)) as server:
        server.process.kill()
        server.wait()
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_first_worker_is_said_once(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--workers", "4", "--no-index", "-m", str(tmp_path / "none.pt")]
    done = subprocess.run([sys.executable, "-m", "numpyclip", *words], stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("none.pt") == 1


def test_requests_are_answered_when_nobody_reads_the_log(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(60)
        manager.bind(str(tmp_path / "notify"))
        words = ["-m", "tiny", "--no-index", "--workers", "2", "--log-format", "json"]
        with process(*words, NOTIFY_SOCKET=str(tmp_path / "notify")) as (server, client):
            assert manager.recv(100) == b"READY=1"
            assert server.stderr is not None
            server.stderr.close()
            server.stderr = None  # of which nobody shall read any more
            assert [client.get("/v1/models").status for _ in range(20)] == [200] * 20
            assert client.post("/v1/embeddings", {}).status == 400
            server.terminate()
            assert server.wait(60) == -signal.SIGTERM


RELOADED = """
import os, signal, sys
class Finder:
    def find_spec(name, *_):
        if name == "numpyclip.server.processes.supervisor":
            os.kill(os.getpid(), signal.SIGHUP)
sys.meta_path.insert(0, Finder)
from numpyclip.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_reload_while_the_supervisor_starts_does_not_end_it(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--workers", "2", "--no-index", "-m", str(tmp_path / "none.pt")]
    done = subprocess.run([sys.executable, "-c", RELOADED, *words], stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert "none.pt" in done.stderr


@pytest.mark.exhaustive
def test_a_stop_while_workers_are_replaced_says_nothing_of_successors(tmp_path: Path) -> None:
    with two_workers("--no-index", temporary=str(tmp_path)) as server:
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while len(server.workers) < 3:  # the successor loads its model
            assert time.monotonic() < deadline
        server.process.terminate()
        assert server.wait() == -signal.SIGTERM
        assert not any("is not replaced" in line for line in server.said())
