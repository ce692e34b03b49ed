"""A worker that is told to stop, or whose supervisor dies."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

pytest.importorskip("prometheus_client")

from numpyclip.server.processes.worker_process import Worker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no workers")


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Worker, socket.socket]]:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    (tmp_path / "metrics").mkdir()
    ours, its = socket.socketpair()
    with socket.socket() as listener, ours:
        worker = Worker(1, listener.detach(), its.detach())
        yield worker, ours
        worker.listener.close()
        worker._control.close()


@pytest.mark.parametrize("is_told", [True, False])
def test_it_stops_when_it_is_told_and_when_the_supervisor_dies(
    supervisor: tuple[Worker, socket.socket], tmp_path: Path, is_told: bool
) -> None:
    worker, control = supervisor
    stops: SimpleQueue[str] = SimpleQueue()
    worker.on_stop(lambda: stops.put("stop"))
    worker.announce("at work")
    assert control.recv(100) == b"at work\n"
    if is_told:
        control.sendall(b"\n")
    control.close()
    assert stops.get(timeout=60) == "stop"
    assert (tmp_path / "metrics").exists() == is_told  # else no other process removes them


def test_it_ends_while_it_loads_if_the_supervisor_dies(
    supervisor: tuple[Worker, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: SimpleQueue[tuple[int, int]] = SimpleQueue()
    monkeypatch.setattr(os, "kill", lambda *signal: sent.put(signal))
    supervisor[1].close()
    assert sent.get(timeout=60) == (os.getpid(), signal.SIGTERM)
