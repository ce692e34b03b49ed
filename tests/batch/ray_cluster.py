"""Ray nodes, an S3 server and drivers on loopback: processes that end with the one that has started them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

TASK = b"ray::numpyclip.embed_part"  # the title of a process that is in a task
_RAY = "from ray.scripts.scripts import main; main()"
_SUPERVISOR = """
import ctypes, os, signal, subprocess, sys, threading
from pathlib import Path
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what a process leaves behind becomes a child of this one
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdin=subprocess.DEVNULL)
def watch():
    sys.stdin.buffer.read()
    child.kill()
threading.Thread(target=watch, daemon=True).start()
status = child.wait()
while left := [pid for tasks in Path("/proc/self/task").glob("*/children") for pid in tasks.read_text().split()]:
    for pid in map(int, left):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
os._exit(abs(status))
"""
_STORE = """
import time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
time.sleep(1e9)
"""
_DRIVER = """
import json, sys
from contextlib import redirect_stdout
from numpyclip import batch
stdout = sys.stdout
def show(progress):
    print(json.dumps([progress.parts_done, progress.rows]), file=stdout, flush=True)
sources, destination, settings = json.loads(sys.argv[1])
options = batch.Options(batch_size=16, progress=show)
with redirect_stdout(sys.stderr):  # for Ray's messages
    summary = batch.embed(sources, destination, options=options, **settings)
print(json.dumps(summary.to_dict()))
"""
_COMMAND = "import sys\nfrom numpyclip.cli import main\nsys.exit(main())\n"


def spawn(code: str, *words: str, environment: dict[str, str], stderr: Any) -> subprocess.Popen[bytes]:
    """Start Python below a supervisor; it ends, with all that it has started, when this process does."""
    return subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, code, *words],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill all below a supervisor, which ends then."""
    for pid in list(descendants(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            cast("IO[bytes]", stream).close()
    process.wait()


def descendants(pid: int) -> Iterator[int]:
    """All processes below one."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from descendants(child)


def tasks(pid: int) -> list[int]:
    """The workers below a process that are in a task."""
    return [each for each in descendants(pid) if _title(each).startswith(TASK)]


def memory(pid: int, mapped: str = "") -> dict[str, int]:
    """What a process has in memory, in bytes, by names such as Rss and Pss; of files with a name, or all."""
    found: dict[str, int] = {}
    counts = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if not name.endswith(":"):
            counts = mapped in line
        elif counts and rest.endswith(" kB"):
            found[name[:-1]] = found.get(name[:-1], 0) + 1024 * int(rest.split()[0])
    return found


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Store:
    """moto's S3 server."""

    def __init__(self) -> None:
        self._process = spawn(_STORE, environment=dict(os.environ), stderr=subprocess.DEVNULL)
        port = int(cast("IO[bytes]", self._process.stdout).readline())
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }

    def put(self, name: str, content: bytes = b"") -> None:
        """Write an object, or make a bucket."""
        self._ask("PUT", name, content)

    def get(self, name: str) -> bytes:
        """Read an object."""
        return self._ask("GET", name, None)

    def names(self, bucket: str, prefix: str) -> list[str]:
        """List objects: few, as an answer has a thousand at most."""
        listing = self.get(f"{bucket}?list-type=2&prefix={prefix}").decode()
        return [f"{bucket}/{name}" for name in re.findall("<Key>(.*?)</Key>", listing)]

    def end(self) -> None:
        """Stop it."""
        end(self._process)

    def _ask(self, method: str, name: str, content: bytes | None) -> bytes:
        headers = {"Authorization": "AWS test:test", "Content-Type": "application/octet-stream"}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"{self.url}/{name}", content, headers, method=method)
        with opener.open(request) as answer:
            return cast("bytes", answer.read())


class Driver:
    """A process that calls `numpyclip.batch.embed`, and tells how far that is."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self._lines = cast("IO[bytes]", process.stdout)

    def events(self) -> Iterator[tuple[int, int]]:
        """How many parts and rows are done, each time that there are more; fails if the run ends."""
        for line in self._lines:
            event = json.loads(line)
            assert isinstance(event, list), f"the run has ended too early: {event}"
            yield event[0], event[1]
        raise AssertionError("the driver has ended too early")

    def summary(self) -> dict[str, Any]:
        """Wait for the end."""
        summary = json.loads(self._lines.read().splitlines()[-1])
        assert self._process.wait() == 0
        return cast("dict[str, Any]", summary)

    def kill(self) -> None:
        """Kill it alone, with SIGKILL."""
        os.kill(next(descendants(self.pid)), signal.SIGKILL)
        self._process.wait()


class Node:
    """A node of one CPU."""

    def __init__(self, environment: dict[str, str], *options: str, log: IO[bytes]) -> None:
        common = (
            "--block --num-cpus=1 --object-store-memory=80000000 --dashboard-agent-listen-port=0 --disable-usage-stats"
        )
        self.process = spawn(_RAY, "start", *common.split(), *options, environment=environment, stderr=log)
        for line in cast("IO[bytes]", self.process.stdout):
            if b"Ray runtime started" in line:
                return
        raise AssertionError("the node has not started")


class Cluster:
    """Two nodes: the head, which stays, and one that may be killed and started again."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self.log = folder / "log"  # of what all processes say to stderr
        self._log = self.log.open("wb")
        self._place = Path(tempfile.mkdtemp(prefix="ray-"))  # a short name: it has sockets
        self._ends: list[Callable[[], None]] = []
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.2", 0))
            second.bind(("127.0.0.2", 0))
            self.address, self.client = (f"127.0.0.2:{each.getsockname()[1]}" for each in (first, second))
        self.environment = {
            **os.environ,
            **store.environment,
            "NUMPYCLIP_CACHE": str(folder / "prepared"),
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.environment["RAY_ADDRESS"] = self.address
        self.head = self._node(
            *("--head", f"--port={self.address.partition(':')[2]}", f"--temp-dir={self._place}"),
            *("--include-dashboard=false", f"--ray-client-server-port={self.client.partition(':')[2]}"),
            "--node-ip-address=127.0.0.2",
        )
        self.start_second()

    def start_second(self) -> None:
        """Start the second node."""
        self.second = self._node(f"--address={self.address}", "--node-ip-address=127.0.0.3")

    def _node(self, *options: str) -> Node:
        node = Node(self.environment, *options, log=self._log)
        self._ends.append(lambda: end(node.process))
        return node

    def drive(self, sources: str, destination: str, **settings: Any) -> Driver:
        """Start a driver, on this cluster by default."""
        arguments = json.dumps([sources, destination, {"model": "tiny", "on": "ray", **settings}])
        return Driver(self._spawn(self.environment, _DRIVER, arguments))

    def drive_alone(self, sources: str, destination: str, **settings: Any) -> Driver:
        """Start a driver that sees no cluster and has no prepared weights."""
        own = {
            "RAY_ADDRESS": "local",
            "RAY_TMPDIR": f"{self._place}-own",
            "NUMPYCLIP_CACHE": f"{self._place}-own/cache",
        }
        arguments = json.dumps([sources, destination, {"on": "ray", **settings}])
        return Driver(self._spawn({**self.environment, **own}, _DRIVER, arguments))

    def command(self, *words: str, before: str = "") -> tuple[int, bytes]:
        """Run a command, after some code; return its exit status and what it prints to stdout."""
        process = self._spawn(self.environment, before + _COMMAND, *words)
        printed = cast("IO[bytes]", process.stdout).read()
        return process.wait(), printed

    def _spawn(self, environment: dict[str, str], code: str, *words: str) -> subprocess.Popen[bytes]:
        process = spawn(code, *words, environment=environment, stderr=self._log)
        self._ends.append(lambda: end(process))
        return process

    def end(self) -> None:
        """End all processes, drivers first."""
        for each in reversed(self._ends):
            each()
        self._log.close()
        for place in (self._place, f"{self._place}-own"):
            shutil.rmtree(place, ignore_errors=True)
