"""How long does an exact search take, beside faiss's, as the collection grows.

    pip install faiss-cpu
    python benchmarks/search.py [--rows 10000 100000 1000000] [--width 512] [--rounds 9] [--graph] [--clusters 1000 0]

Random unit vectors lie in shards on disk, as an index has them, and in faiss's IndexFlatIP in memory; both find the ten
nearest of 1, 8 and 32 queries, in turn, with the same number of threads. Everything is in memory by then (the shards in
the system's cache). Then the rounded copies, which need less memory, with the same results.

With --graph instead the graph of `numpyclip index --graph` (`pip install usearch`): of rows in clusters (--clusters),
as images of a kind are, and of random rows (0 clusters), which are the hardest for a graph: how long it takes to build
and to find the ten nearest of one query; the recall that it prints; and that of 200 queries that it has not seen.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(setting, None)

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_info  # noqa: E402

BLAS = threadpool_info()

import numpyclip.index.vectors as index_vectors  # noqa: E402
from contest import report  # noqa: E402
from numpyclip.index.vectors import hnsw  # noqa: E402
from numpyclip.index.vectors.recall import NEAREST, QUERIES, moved_as_texts, recall_of  # noqa: E402
from numpyclip.index.vectors.scan import nearest  # noqa: E402
from numpyclip.index.vectors.shards import VECTOR_DTYPES, Shards  # noqa: E402

_WRITTEN = 50_000


def unit(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    vectors = rng.standard_normal((rows, width), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """Median milliseconds of each."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times, strict=True):
            begin = time.perf_counter()
            call()
            found.append(1000 * (time.perf_counter() - begin))
    return [statistics.median(found) for found in times]


def measure(rows: int, width: int, rounds: int, folder: Path) -> None:
    import faiss

    rng = np.random.default_rng(0)
    shards = {precision: Shards(folder / precision, width, precision) for precision in VECTOR_DTYPES}
    peer = faiss.IndexFlatIP(width)
    for start in range(0, rows, _WRITTEN):
        vectors = unit(rng, min(_WRITTEN, rows - start), width)
        peer.add(vectors)
        for store in shards.values():
            store.write(start, vectors)
    for count in (1, 8, 32):
        queries = unit(rng, count, width)
        ours = nearest(shards["float32"], rows, queries, 10)
        _, theirs = peer.search(queries, 10)
        same = np.mean([set(mine.tolist()) == set(row.tolist()) for (mine, _), row in zip(ours, theirs, strict=True)])
        here, there = in_turn(rounds, _search(shards["float32"], rows, queries), lambda q=queries: peer.search(q, 10))
        times = f"{here:7.1f} ms, faiss {there:7.1f}, ratio {here / there:.2f}"
        print(f"{rows:8} rows, {count:2} queries: {times}, same {same:.0%}")
    query = unit(rng, 1, width)
    for name in ("float16", "int8"):
        (found,) = in_turn(rounds, _search(shards[name], rows, query))
        print(f"{rows:8} rows,  1 query, {name}: {found:7.1f} ms")


def measure_graph(rows: int, width: int, rounds: int, folder: Path, clusters: int) -> None:
    rng = np.random.default_rng(0)
    centers = unit(rng, max(clusters, 1), width)

    def vectors(count: int) -> np.ndarray:
        found = unit(rng, count, width)
        if clusters:
            found += 1.5 * centers[rng.integers(0, clusters, count)]
            found /= np.linalg.norm(found, axis=1, keepdims=True)
        return found

    shards, space = Shards(folder / "rows", width), index_vectors.Space(1, "pictures")
    for start in range(0, rows, _WRITTEN):
        shards.write(start, vectors(min(_WRITTEN, rows - start)))
    least, index_vectors.LEAST_RECALL = index_vectors.LEAST_RECALL, 0.0  # it is kept, to be compared
    begin = time.perf_counter()
    printed = hnsw.build(shards, rows, folder, space)
    minutes = (time.perf_counter() - begin) / 60
    index_vectors.LEAST_RECALL = least
    built = hnsw.opened(hnsw.files(folder, space))
    assert built is not None
    size = next(folder.glob("pictures-1-*.usearch")).stat().st_size / 1e6
    images = vectors(QUERIES)
    query = images[:1]
    scan, fast = in_turn(rounds, _search(shards, rows, query), lambda: built.nearest(shards, rows, query, NEAREST))
    queries = np.concatenate([images, moved_as_texts(images)])
    found = (best for best, _ in built.nearest(shards, rows, queries, NEAREST))
    true = recall_of(found, nearest(shards, rows, queries, NEAREST), printed.candidates)
    kind = f"{clusters} clusters" if clusters else "random"
    print(
        f"{rows:8} rows, {kind}: built in {minutes:.1f} min, {size:.0f} MB; "
        f"one query {fast:.1f} ms, a scan {scan:.1f} ms; {printed.candidates} candidates; recall@{NEAREST} printed "
        f"{printed.images:.1%} of images, {printed.texts:.1%} moved as texts are, true {true.images:.1%}, "
        f"{true.texts:.1%}; {'used' if printed.is_good else 'not used'}",
        flush=True,
    )


def _search(shards: Shards, rows: int, queries: np.ndarray) -> Callable[[], object]:
    return lambda: nearest(shards, rows, queries, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--graph", action="store_true", help="measure the graph alone")
    parser.add_argument("--clusters", type=int, nargs="+", default=[1000, 0], help="of the rows of a graph; 0: random")
    arguments = parser.parse_args()
    if arguments.graph:
        for rows in arguments.rows:
            for clusters in arguments.clusters:
                with tempfile.TemporaryDirectory() as folder:
                    measure_graph(rows, arguments.width, arguments.rounds, Path(folder), clusters)
    else:
        compare(arguments.rows, arguments.width, arguments.rounds)
    print(report.machine(None, False))


def compare(counts: list[int], width: int, rounds: int) -> None:
    import faiss

    ours = next(info for info in BLAS if info["user_api"] == "blas")  # faiss brings another one
    faiss.omp_set_num_threads(ours["num_threads"])
    print(f"{ours['num_threads']} threads; faiss {faiss.__version__}, {faiss.omp_get_max_threads()} threads")
    for rows in counts:
        with tempfile.TemporaryDirectory() as folder:
            measure(rows, width, rounds, Path(folder))


if __name__ == "__main__":
    main()
