"""Compiled graphs on disk, beside prepared weights: the second start of a program compiles nothing.

A file holds memory-mapped weights in the order that the engine's kernels want, the graph, and a checksum of both,
verified whenever it is opened: an engine may crash on a damaged file. It is trusted if it is this user's. Its name is a
hash of all that it depends on, the processor included.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.atomic import temporary_path
from numpyclip.engines.engine import CachedGraph, Engine, Session
from numpyclip.engines.processor import Processor
from numpyclip.errors import EngineError, NumPyCLIPError
from numpyclip.regular_file import open_regular
from numpyclip.runtime.checksum import checksum
from numpyclip.runtime.prepared import CACHE_BYTES, is_trusted, prepared_folder, remove_least_recently_used
from numpyclip.weights.checkpoint import identity_of
from numpyclip.weights.safetensors import Unwritten

if TYPE_CHECKING:
    from numpyclip.graph.weight_file import WeightFile

MakeGraph: TypeAlias = "Callable[[WeightFile], Any]"  # as `numpyclip.graph.write.stream_graph` calls it

VERSION = 2  # part of file names: raise it whenever graphs change

_FOOTER = struct.Struct("<QQ32s")  # bytes of the weights, bytes of the graph, checksum
_PIECE = 2**22  # bytes, of which threads sum up one each


def open_or_compile(engine: Engine, parts: tuple[object, ...], make: MakeGraph, threads: int) -> Session:
    """Open the session of a graph that an earlier process has compiled, or compile what `make` makes, and cache it.

    `parts` are all that the graph depends on; if one of them is None, nothing is cached. The graph itself is written
    to the cache's folder all the same: that of temporary files may be in memory. What a killed process leaves there,
    the next one removes. Without a cache, or room in it, the graph is written to a temporary folder.
    """
    here = Processor.here()
    about = identity_of(*parts, engine, engine.version(), here.name, here.features)
    if (folder := prepared_folder()) is not None:
        file = folder / f"{about or 'uncached'}-compiled-v{VERSION}.bin"
        session = _open(engine, file, threads) if about else None
        if session := session or _compile_beside(engine, file, make, threads, is_cached=about is not None):
            return session
    with tempfile.TemporaryDirectory(prefix="numpyclip-", ignore_cleanup_errors=True) as temporary:
        graph, _ = _written(make, Path(temporary))
        return engine.compile(graph, threads, None)[0]


def _open(engine: Engine, file: Path, threads: int) -> Session | None:
    if cached := _read(file):
        with contextlib.suppress(EngineError):  # of another version of a driver, say
            return engine.open(cached, threads)
        with contextlib.suppress(OSError):
            file.unlink()
    return None


def _compile_beside(engine: Engine, file: Path, make: MakeGraph, threads: int, *, is_cached: bool) -> Session | None:
    """Compile a graph beside a file, and into it if it is to be cached, and open that, unless it is too large.

    None if it cannot be written, since the disk is full or the file is another user's.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not is_trusted(file.stat()):
            return None
        with temporary_path(file) as part:
            part.mkdir()
            graph, weights = _written(make, part)
            new = part / file.name
            session, compiled = engine.compile(graph, threads, new if is_cached and _is_small(weights) else None)
            if not new.exists() or not _is_small(new):
                return session
            _seal(new, compiled, file.name)
            new.replace(file)
        remove_least_recently_used(file.parent)
    except (OSError, NumPyCLIPError):  # which what follows raises again if there is another reason
        return None
    del session  # one that maps the file needs less memory
    return _open(engine, file, threads)


def _is_small(file: Path) -> bool:
    return file.stat().st_size <= CACHE_BYTES // 2


def _written(make: MakeGraph, folder: Path) -> tuple[Path, Path]:
    """Write a graph and its weights to files, which need no memory, and of which engines read any size."""
    from numpyclip.graph.write import stream_graph

    path = folder / "graph.onnx"
    return path, stream_graph(make, path)


def _read(file: Path) -> CachedGraph | None:
    """Map a file; None if there is none, it is another user's, or damaged."""
    with contextlib.suppress(OSError, ValueError, struct.error), open_regular(file) as stream:
        status = os.fstat(stream.fileno())
        if not is_trusted(status):
            return None
        size = status.st_size - _FOOTER.size
        stream.seek(max(0, size))
        weights, graph, expected = _FOOTER.unpack(stream.read(_FOOTER.size))
        if weights + graph != size or _checksum(stream, size, file.name) != expected:
            return None
        content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY))
        with contextlib.suppress(OSError):  # the folder may be read-only
            os.utime(file)  # the time of last use
        return CachedGraph(file, content[:weights], bytes(content[weights:size]))
    return None


def _seal(file: Path, graph: bytes, name: str) -> None:
    """Append the graph and the checksum to the weights."""
    with file.open("r+b") as stream:
        weights = stream.seek(0, os.SEEK_END)
        stream.write(graph)
        size = stream.tell()
        total = _checksum(stream, size, name)
        stream.seek(size)
        stream.write(_FOOTER.pack(weights, len(graph), total))


def _checksum(stream: IO[bytes], size: int, name: str) -> bytes:
    """Return the checksum of a file's first bytes, which are read: the memory of a mapped file would count as used."""
    lock = Lock()

    def read(start: int, count: int) -> NDArray[np.uint8]:
        with lock:
            stream.seek(start)
            return np.frombuffer(stream.read(count), np.uint8)

    places = ((start, min(_PIECE, size - start)) for start in range(0, size, _PIECE))
    pieces = (Unwritten(str(start), "U8", (count,), partial(read, start, count)) for start, count in places)
    return checksum(pieces, name).encode()
