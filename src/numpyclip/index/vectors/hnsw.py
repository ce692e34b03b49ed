"""An HNSW index beside the shards: far faster than exhaustive search among millions of rows, and not quite exact.

Its candidates are re-ranked by the embeddings in the shards, so that order and cosines are exact, but some neighbors
may be missed. Rows that were added since it was built are compared one by one. It is never the source of truth: it is
built from the shards, and where its file is missing or damaged the search is exhaustive.

While it is built it is saved from time to time, as `*.usearch-part`, and the next build goes on from there if the rows
in it are still those of the shards.

It is the graph of Malkov and Yashunin, 2016, by the library usearch.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from numpyclip.atomic import temporary_path
from numpyclip.errors import MissingPackageError
from numpyclip.extras import missing
from numpyclip.index.file_checksum import checksum
from numpyclip.index.vectors import Progress, Recall, Space, recall
from numpyclip.index.vectors.recall import CANDIDATES, NEAREST, QUERIES, candidates, moved_as_texts
from numpyclip.index.vectors.scan import nearest
from numpyclip.index.vectors.shards import Rows, Shards, remove
from numpyclip.model.ops import Array

_LOG = logging.getLogger(__name__)
_AT_ONCE = 1 << 12  # rows that are added
_CONNECTIONS, _EXPANSION = 24, 256  # of the graph: neighbors of a row, and how many are looked at to choose them
_PART = re.compile(r"[a-z]+-[0-9]+-([0-9]+)-([0-9]+)-([0-9a-f]{8})-.+")  # names of parts: rows planned, rows in it, CRC
# Names of files: rows, candidates, checksum. An earlier version named no candidates, the one before no checksum.
_SAVED = re.compile(r"([0-9]+)(?:-([0-9]+)(?=-[0-9]+-[0-9a-f]{8}$))?(?:-.*)?")
_PATIENCE = 20  # times as long as it took to save it, it is built until it is saved again; at first in seconds


class Saved(NamedTuple):
    """What the name of a file says of the HNSW index in it."""

    rows: int
    candidates: int
    file: Path


class HNSW:
    """An HNSW index of the first `count` rows of shards: one of usearch's, in memory or memory-mapped."""

    def __init__(self, graph: Any, count: int, candidates: int) -> None:
        self.count = count
        self._graph = graph
        self._candidates = candidates

    @classmethod
    def open(cls, saved: Saved) -> HNSW:
        """Memory-map one from its file, if that is as it was written: ValueError if not, for usearch trusts it."""
        if not is_whole(saved.file):
            raise ValueError("it is damaged, or of an earlier version")
        return cls(_usearch().Index.restore(saved.file, view=True), saved.rows, saved.candidates)

    def nearest(self, shards: Shards, count: int, queries: Array, n: int) -> list[tuple[Rows, Array]]:
        """Find rows as `scan.nearest` does, or almost."""
        self._graph.expansion_search = looked_at = candidates(n, self._candidates)
        found = []
        newer = np.arange(self.count, count)
        for query in queries:
            rows = self._graph.search(query, min(self.count, looked_at)).keys.astype(np.intp)
            allowed = np.union1d(rows, newer)
            (best,) = nearest(shards, count, query[np.newaxis], n, allowed)
            found.append(best)
        return found


def is_whole(file: Path) -> bool:
    """Tell whether a file is as it was written."""
    with contextlib.suppress(OSError):
        return file.stem.endswith(f"-{checksum(file)}")
    return False


def build(shards: Shards, count: int, folder: Path, space: Space, progress: Progress = iter) -> Recall:
    """Build an index of the first `count` rows, and measure its recall.

    It takes the place of the one before, atomically; if its recall is too low, there is none afterwards. A build that
    was ended is gone on with.
    """
    parts = f"{_prefix(space)}*.usearch-part"
    graph, planned = _begun(shards, count, folder.glob(parts))
    rng = np.random.default_rng(0)
    held_out = np.sort(rng.choice(planned, min(QUERIES, planned // 2), replace=False))

    def steps() -> Iterator[int]:
        crc, saved, patience = 0, time.monotonic(), float(_PATIENCE)
        for start, block in shards.blocks(count, _AT_ONCE):
            rows = np.setdiff1d(np.arange(start, start + len(block)), held_out, assume_unique=True)
            new = rows[~graph.contains(rows)]
            _add(graph, new, block[new - start])
            crc, now = zlib.crc32(block.data, crc), time.monotonic()
            if len(new) and now - saved > patience:
                part = folder / parts.replace("*", f"{planned}-{start + len(block)}-{crc:08x}")
                _remove_others(folder, parts, _save(graph, part))
                saved = time.monotonic()
                patience = _PATIENCE * (saved - now)
            yield len(block)

    for done in progress(steps()):
        del done
    measured = measure(graph, shards, count, held_out)
    kept = None
    if measured.is_good:
        _add(graph, held_out, shards.take(held_out, count))
        kept = _save(graph, folder / f"{_prefix(space)}{count}-{measured.candidates}.usearch")
    _remove_others(folder, f"{_prefix(space)}*.usearch*", kept)
    return measured


def _begun(shards: Shards, count: int, parts: Iterable[Path]) -> tuple[Any, int]:
    """Make a graph, or load what a build has left of one; return it, and of how many rows some are held out."""

    def new() -> Any:
        return _usearch().Index(
            ndim=shards.embed_dim, metric="ip", dtype="f16", connectivity=_CONNECTIONS, expansion_add=_EXPANSION
        )

    named = ((_PART.fullmatch(file.stem), file) for file in parts)
    found = [(int(match[2]), int(match[1]), int(match[3], 16), file) for match, file in named if match]
    for rows, planned, crc, file in sorted(found, reverse=True):  # the one with the most rows first
        if max(planned, rows) <= count and is_whole(file) and _crc(shards, rows) == crc:
            with contextlib.suppress(RuntimeError):  # usearch's of a graph it cannot load
                graph = new()
                graph.load(file)
                return graph, planned
    return new(), count


def _add(graph: Any, rows: Rows, embeddings: Array) -> None:
    try:
        graph.add(rows, embeddings)
    except RuntimeError as error:
        if "terminated" not in str(error):
            raise
        raise KeyboardInterrupt from error  # as which usearch has caught it


def _crc(shards: Shards, count: int) -> int:
    crc = 0
    for _, block in shards.blocks(count, _AT_ONCE):
        crc = zlib.crc32(block.data, crc)
    return crc


def _save(graph: Any, target: Path) -> Path:
    """Save a graph atomically, under a name that ends with its checksum."""
    with temporary_path(target.with_name("graph")) as part:  # one name: what a killed process has left is removed
        graph.save(part)
        saved = target.with_stem(f"{target.stem}-{checksum(part)}")
        if saved.is_dir():  # damage, which no file takes the place of
            remove(saved)
        return part.replace(saved)


def _remove_others(folder: Path, pattern: str, kept: Path | None) -> None:
    for file in list(folder.glob(pattern)):
        if file != kept:
            remove(file)


def opened(found: Iterable[Saved]) -> HNSW | None:
    """Open the one with the most rows of what `files` has found; None if none can be used."""
    for saved in sorted(found, reverse=True):
        try:
            return HNSW.open(saved)
        except MissingPackageError as error:
            _LOG.warning("the search is exhaustive: %s", error)
        except Exception as error:  # a file that is damaged, in ways that usearch has no names for
            message = "%s: cannot be used (%s); the search is exhaustive: numpyclip index --graph"
            _LOG.warning(message, saved.file, error)
    return None


def files(folder: Path, space: Space) -> Iterator[Saved]:
    """Find the files for some embeddings."""
    for file in folder.glob(f"{_prefix(space)}*.usearch"):
        if (match := _SAVED.fullmatch(file.stem.removeprefix(_prefix(space)))) is not None:
            yield Saved(int(match[1]), int(match[2] or CANDIDATES[0]), file)


def measure(graph: Any, shards: Shards, count: int, held_out: Rows) -> Recall:
    """Compare with exhaustive search, for rows that are not in the graph, and for these moved as texts are."""
    others = np.setdiff1d(np.arange(count), held_out, assume_unique=True)
    rows = shards.take(held_out, count)
    queries = np.concatenate([rows, moved_as_texts(rows)])

    def search(candidates: int) -> Iterator[Rows]:
        return (found for found, _ in HNSW(graph, count, candidates).nearest(shards, count, queries, NEAREST))

    return recall.measure(search, nearest(shards, count, queries, NEAREST, others))


def _prefix(space: Space) -> str:
    return f"{space.modality}-{space.generation}-"


def _usearch() -> Any:
    try:
        import usearch.index
    except ImportError as error:
        raise missing("an HNSW index needs usearch", "graph") from error
    return usearch.index
