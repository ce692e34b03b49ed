"""How much memory does `numpyclip serve` take: of one process, of several, and after its model is unloaded. On Linux.

    python benchmarks/server_memory.py [NAME ...] [--workers 1 4]

Needs no other library. Models other than `tiny` are OpenCLIP's architectures with random weights in float16. Each
server gets batches of 64 texts and of 32 JPEG files of 640 x 480 pixels, several for each process. Memory is the
proportional set size (PSS) of all its processes. A server of one process is then left alone for a minute (`--idle 1`).
"""

import argparse
import base64
import contextlib
import http.client
import io
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contest import report
from low_memory import write_weights

NAMES = ("tiny", "ViT-B-32")
TEXTS, IMAGES = 64, 32
REQUESTS = 3  # of each kind, for each process
IDLE = 60 + 15  # seconds, and some to unload
HEADER = ("model", "processes", "MB", "mapped weights", "unloaded")


def pss(pid: int, below: Path | None = None) -> float:
    """Return the memory of a process and its children in MB; of mapped files in a folder alone, if one is given."""
    total = 0
    for each in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
        counts = below is None
        for line in Path(f"/proc/{each}/smaps").read_text().splitlines():
            first, *words = line.split(maxsplit=5)
            if first == "Pss:":
                total += 1024 * int(words[0]) * counts
            elif below is not None and not first.endswith(":"):  # a mapping begins, of a file or not
                counts = str(below) in line
    return total / 1e6


def bodies() -> list[bytes]:
    texts: dict[str, Any] = {"input": [f"a photo of {number} dogs on a beach" for number in range(TEXTS)]}
    files = []
    for seed in range(IMAGES):
        file, noise = io.BytesIO(), np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(noise).resize((640, 480)).save(file, "JPEG", quality=90)
        files.append("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode())
    return [json.dumps(body).encode() for body in (texts, {"input": files, "modality": "image"})]


def ask(port: int, body: bytes) -> None:
    """Send a request over a connection of its own, which any process may accept."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
        connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, answer[:200]


@contextlib.contextmanager
def serving(words: list[str], cache: Path) -> Iterator[tuple[int, int]]:
    """Start a server and wait until it answers; yield its process ID and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "numpyclip", "serve", "--no-index", "--port", str(port), *words]
    env = {**os.environ, "NUMPYCLIP_CACHE": str(cache)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    ask(port, b'{"input": "a dog"}')
                    break
                time.sleep(0.2)
            yield process.pid, port
        finally:
            process.terminate()


def measure(name: str, workers: int, folder: Path) -> list[str]:
    """Return a row of the table."""
    words, file, cache = ["-m", name], folder / f"{name}.safetensors", folder / "cache"
    if name != "tiny":
        if not file.exists():
            write_weights(name, file)
        words += ["--pretrained", str(file)]
    words += ["--idle", "1"] if workers == 1 else ["--workers", str(workers)]
    with serving(words, cache) as (pid, port):
        for body in bodies() * REQUESTS * workers:
            ask(port, body)
        loaded, unloaded = [pss(pid), pss(pid, folder)], ""
        if workers == 1:
            time.sleep(IDLE)
            unloaded = f"{pss(pid):.0f}"
    return [name, str(workers), *(f"{memory:.0f}" for memory in loaded), unloaded]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=NAMES, help="OpenCLIP's names of architectures")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, workers in itertools.product(given.names, given.workers):
            rows.append(measure(name, workers, Path(folder)))
            print(*rows[-1], sep="\t", file=sys.stderr, flush=True)
    print(report.table(HEADER, rows), report.machine(None, False), sep="\n\n")


if __name__ == "__main__":
    main()
