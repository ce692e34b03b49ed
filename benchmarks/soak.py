"""Many clients for minutes, while an indexer writes and is killed; answers are compared with Python's.

    python benchmarks/soak.py [--minutes 3] [--clients 64] [--workers 2] [--out soak]

Starts `numpyclip serve` on an index of drawings by the model tiny, and an indexer that adds drawings and is killed
(SIGKILL) again and again. Clients embed, search, fetch thumbnails, send nonsense and break off. Embeddings and cosines
must be those of Python, the first match as near as the nearest drawing that is known to be there, a search by an
indexed image must find it, thumbnails must be images, and every request must be answered, with no status of 500 or
above, save 503. Several workers are replaced (SIGHUP) every 20 seconds. Memory (the proportional set size) and
descriptors of the server's processes are sampled each second, into OUT.csv and OUT.png.
"""

import argparse
import base64
import contextlib
import csv
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import numpyclip

COMMAND = [sys.executable, "-m", "numpyclip"]
TEXTS = [f"{number} {noun}" for number in range(8) for noun in ("birds", "houses", "red circles", "trees")]
DRAWINGS = 200  # that are indexed at the start
RESTART_SECONDS = 20.0
TOLERANCE = 1e-5  # batches of other sizes differ in the last bits


def drawing(seed: int) -> Image.Image:
    """Draw a few shapes."""
    rng = random.Random(seed)
    image = Image.new("RGB", (320, 240), tuple(rng.randrange(256) for _ in range(3)))
    canvas = ImageDraw.Draw(image)
    for _ in range(5):
        x, y = rng.randrange(280), rng.randrange(200)
        color = tuple(rng.randrange(256) for _ in range(3))
        canvas.ellipse((x, y, x + rng.randrange(10, 90), y + rng.randrange(10, 90)), fill=color)
    return image


class Soak:
    """The state that all threads share."""

    def __init__(self, port: int, album: Path) -> None:
        self.port = port
        self.album = album
        self.stop = threading.Event()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        model, _ = numpyclip.load("tiny")
        self.texts = model.embed_texts(TEXTS)
        self.files: list[bytes] = []
        for seed in range(16):
            stream = BytesIO()
            drawing(10_000 + seed).save(stream, "PNG")
            self.files.append(stream.getvalue())
        self.images = model.embed_images(self.files)
        self.known = {f"{number}.jpg": number for number in range(DRAWINGS)}
        self.cosines = self.texts @ model.embed_images(sorted(album.iterdir(), key=lambda file: int(file.stem))).T

    def ask(self, kind: str, method: str, path: str, body: Any = None) -> Any:
        """Return the parsed answer; None if there was none to be had."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        self.statuses[kind, response.status] += 1
        if response.status >= 500 and response.status != 503:
            self.wrong.append(f"{kind}: {response.status} {data[:200]!r}")
        if response.status != 200:
            return None
        return data if response.headers["Content-Type"] == "image/jpeg" else json.loads(data)

    def compare(self, kind: str, answer: Any, expected: np.ndarray) -> None:
        """Compare embeddings with Python's."""
        if answer is not None:
            rows = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in answer["data"]]
            if not np.allclose(rows, expected, atol=TOLERANCE):
                self.wrong.append(f"{kind}: embeddings differ by {np.abs(np.array(rows) - expected).max()}")

    def client(self, seed: int) -> None:
        """Send requests of all kinds until the end."""
        rng = random.Random(seed)
        kinds: list[Callable[[random.Random], None]] = [self.embed_texts, self.embed_image, self.search, self.nonsense]
        while not self.stop.is_set():
            try:
                rng.choice(kinds)(rng)
            except Exception as error:  # the answer was cut short, say: that is what is looked for
                self.wrong.append(f"{type(error).__name__}: {error}")

    def embed_texts(self, rng: random.Random) -> None:
        """Embed some texts."""
        rows = rng.sample(range(len(TEXTS)), 3)
        body = {"input": [TEXTS[row] for row in rows], "encoding_format": "base64"}
        self.compare("texts", self.ask("texts", "POST", "/v1/embeddings", body), self.texts[rows])

    def embed_image(self, rng: random.Random) -> None:
        """Embed an image."""
        row = rng.randrange(len(self.files))
        uri = base64.b64encode(self.files[row]).decode()
        body = {"input": uri, "modality": "image", "encoding_format": "base64"}
        self.compare("image", self.ask("image", "POST", "/v1/embeddings", body), self.images[[row]])

    def search(self, rng: random.Random) -> None:
        """Search by a text; then the first match must find itself, and have a thumbnail."""
        row = rng.randrange(len(TEXTS))
        answer = self.ask("search", "GET", f"/search?n=5&q={TEXTS[row].replace(' ', '+')}")
        if answer is not None:
            self.check_matches(answer["matches"], self.cosines[row])
        for match in (answer or {"matches": []})["matches"][:1]:
            near = self.ask("near", "GET", f"/search?n=3&near={match['id']}")
            if near is not None and match["id"] not in [found["id"] for found in near["matches"]]:
                self.wrong.append(f"{match['name']} does not find itself")
            thumbnail = self.ask("thumbnail", "GET", "/" + match["thumbnail"])
            if thumbnail is not None and Image.open(BytesIO(thumbnail)).size != (320, 240):
                self.wrong.append(f"the thumbnail of {match['name']} is another image")

    def check_matches(self, matches: list[dict[str, Any]], cosines: np.ndarray) -> None:
        """Compare the results of a text with the cosines of the drawings that are known."""
        found = [match["cosine"] for match in matches]
        if found != sorted(found, reverse=True) or len(found) != 5 or found[0] < cosines.max() - TOLERANCE:
            self.wrong.append(f"matches of cosines {found}, where one has {cosines.max()}")
        for match in matches:
            number = self.known.get(match["name"])
            if number is not None and abs(match["cosine"] - cosines[number]) > TOLERANCE:
                self.wrong.append(f"{match['name']} has the cosine {match['cosine']}, not {cosines[number]}")

    def nonsense(self, rng: random.Random) -> None:
        """Send what must be refused, or break off."""
        if rng.random() < 0.5:
            self.ask("nonsense", "POST", rng.choice(["/search", "/classify", "/predict"]), {"n": [[rng.random()]]})
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("POST", "/search")
        connection.putheader("Content-Length", "1000")
        connection.endheaders()
        connection.close()

    def indexer(self, store: Path) -> None:
        """Add drawings and index them, and kill the indexer at a random moment, again and again."""
        rng = random.Random(0)
        number = 1000
        while not self.stop.is_set():
            for _ in range(20):
                drawing(number).save(self.album / f"{number}.jpg")
                number += 1
            run = subprocess.Popen(
                [*COMMAND, "index", str(self.album), "--store", str(store)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                run.wait(rng.uniform(0.5, 4))
                self.statuses["indexer finished", run.returncode] += 1
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                self.statuses["indexer killed", run.wait()] += 1


def replaced(server: subprocess.Popen[str], stop: threading.Event) -> None:
    """Have the workers replaced again and again."""
    while not stop.wait(RESTART_SECONDS):
        server.send_signal(signal.SIGHUP)


def sampled(pid: int, seconds: float, rows: list[tuple[float, float, int]]) -> None:
    """Sample memory in MiB and the number of open descriptors each second, of a process and its workers."""
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        memory, descriptors = 0.0, 0
        for each in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
            with contextlib.suppress(OSError):  # a worker has ended
                match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{each}/smaps_rollup").read_text(), re.MULTILINE)
                assert match is not None
                memory += int(match[1]) / 1024
                descriptors += len(list(Path(f"/proc/{each}/fd").iterdir()))
        rows.append((now, memory, descriptors))
        time.sleep(1)


def plot(rows: list[tuple[float, float, int]], path: Path) -> None:
    """Draw memory and descriptors over time, each on its own scale."""
    image = Image.new("RGB", (900, 420), "white")
    canvas = ImageDraw.Draw(image)
    end = rows[-1][0] or 1.0
    for column, (name, color) in enumerate((("memory, MiB", "#8c0c6e"), ("descriptors", "#1f77b4")), 1):
        top, most = 20 + 200 * (column - 1), max(row[column] for row in rows)
        canvas.text((20, top), f"{name}: up to {most:.0f}, at the end {rows[-1][column]:.0f}", color)
        points = [(20 + 860 * row[0] / end, top + 180 - 150 * row[column] / most) for row in rows]
        canvas.line(points, color, 2)
        canvas.line((20, top + 180, 880, top + 180), "#999999")
    image.save(path)


def start(store: Path, workers: int, said: list[str]) -> tuple[subprocess.Popen[str], int]:
    """Start the server, all whose warnings and errors are collected; return it and its port."""
    command = [*COMMAND, "serve", "--store", str(store), "--port", "0", "--workers", str(workers)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert server.stderr is not None
    for line in server.stderr:
        if match := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            rest = (line for line in server.stderr if " info: " not in line)
            threading.Thread(target=said.extend, args=(rest,), daemon=True).start()
            return server, int(match[1])
    raise SystemExit("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("soak"), help="name of the files to write, without suffix")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        album, store = Path(folder, "album"), Path(folder, "store")
        album.mkdir()
        for number in range(DRAWINGS):
            drawing(number).save(album / f"{number}.jpg")
        subprocess.run([*COMMAND, "index", str(album), "--store", str(store), "-m", "tiny"], check=True)
        server, port = start(store, given.workers, said := [])
        soak = Soak(port, album)
        threads = [threading.Thread(target=soak.client, args=(seed,)) for seed in range(given.clients)]
        threads.append(threading.Thread(target=soak.indexer, args=(store,)))
        if given.workers > 1:
            threads.append(threading.Thread(target=replaced, args=(server, soak.stop)))
        for thread in threads:
            thread.start()
        rows: list[tuple[float, float, int]] = []
        sampled(server.pid, 60 * given.minutes, rows)
        soak.stop.set()
        for thread in threads:
            thread.join()
        sampled(server.pid, 5, after := [])
        server.terminate()
        server.wait(timeout=60)
    for (kind, status), count in sorted(soak.statuses.items()):
        print(f"{kind:20} {status:4} {count:7}")
    print(
        f"memory {rows[0][1]:.0f} MiB at the start, {max(row[1] for row in rows):.0f} at most, {after[-1][1]:.0f} after"
    )
    print(f"descriptors {rows[0][2]} at the start, {max(row[2] for row in rows)} at most, {after[-1][2]} after")
    print(f"ended with {server.returncode}; warnings and errors in the log: {len(said)} {said[:5]}")
    with given.out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("second", "MiB", "descriptors"), *rows])
    plot(rows, given.out.with_suffix(".png"))
    print(f"{len(soak.wrong)} wrong", *sorted(set(soak.wrong))[:10], sep="\n  ")
    sys.exit(bool(soak.wrong))


if __name__ == "__main__":
    main()
