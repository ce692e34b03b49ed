"""Embeddings on disk: append-only files of rows, which are memory-mapped to be read.

How many rows are valid is not written here but told by the caller, from a database that commits after the rows are on
disk. A process that dies in between leaves rows behind the end that nobody counts, and the next one writes over them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import StoreError
from numpyclip.model.ops import Array

Precision: TypeAlias = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_ROWS = 1 << 17  # of a file: 256 MiB at 512 numbers a row
_CODES = {"float16": ("<f2", 65504.0), "int8": ("i1", 127.0)}  # how they are stored, and the largest that is
Rows: TypeAlias = NDArray[np.intp]


class Shards:
    """Rows of float32, and with another precision a quantized copy of them, which a search reads first."""

    def __init__(self, folder: Path, embed_dim: int, precision: Precision = "float32") -> None:
        self.folder = folder
        self.embed_dim = embed_dim
        self.precision = precision
        self._exact = np.dtype(("<f4", (embed_dim,)))
        self._rounded: np.dtype[np.void] | None = None
        if precision != "float32":
            code, _ = _CODES[precision]
            self._rounded = np.dtype([("codes", code, (embed_dim,)), ("scale", "<f4"), ("error", "<f4")])

    def write(self, start: int, embeddings: Array) -> None:
        """Write rows (n, embed_dim) behind `start` valid ones, over any others, and wait until they are on disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for first in range(start - start % _ROWS, start + len(embeddings), _ROWS):
            begin, end = max(start, first), min(start + len(embeddings), first + _ROWS)
            rows = np.ascontiguousarray(embeddings[begin - start : end - start], "<f4")
            _write(self._file(first, "float32"), (begin - first) * self._exact.itemsize, rows.tobytes())
            if self._rounded is not None:
                data = self._round(rows).tobytes()
                _write(self._file(first, self.precision), (begin - first) * self._rounded.itemsize, data)

    def blocks(self, count: int, rows: int) -> Iterator[tuple[int, Array]]:
        """Memory-map valid rows, some at a time: the number of the first, and embeddings (n, embed_dim)."""
        for first in range(0, count, _ROWS):
            mapped = self._mapped(first, count, "float32")
            for start in range(0, len(mapped), rows):
                yield first + start, mapped[start : start + rows]

    def rounded_blocks(self, count: int, rows: int) -> Iterator[tuple[int, Array, Array, Array]]:
        """Read rounded rows, some at a time.

        Yields
        ------
        start : int
        codes : ndarray of shape (n, embed_dim), dtype=float32
        scale : ndarray of shape (n,), dtype=float32
            Times the codes it is the rounded row.
        error : ndarray of shape (n,), dtype=float32
            Length of the difference between a row and its rounded one.
        """
        for first in range(0, count, _ROWS):
            mapped = self._mapped(first, count, self.precision)
            for start in range(0, len(mapped), rows):
                block = mapped[start : start + rows]
                yield first + start, block["codes"].astype(np.float32), block["scale"].copy(), block["error"].copy()

    def take(self, rows: Rows, count: int) -> Array:
        """Read some of the valid rows: (n,) -> (n, embed_dim)."""
        found = np.empty((len(rows), *self._exact.shape), np.float32)
        numbers = rows // _ROWS
        for number in np.unique(numbers):
            chosen = numbers == number
            found[chosen] = self._mapped(int(number) * _ROWS, count, "float32")[rows[chosen] - number * _ROWS]
        return found

    def _mapped(self, first: int, count: int, precision: str) -> NDArray[Any]:
        """Map the valid rows of a file: those of the first row in it, as far as there are."""
        file, kind = self._file(first, precision), self._exact
        if precision != "float32":
            assert self._rounded is not None
            kind = self._rounded
        valid = min(count - first, _ROWS)
        try:
            if (size := file.stat().st_size) < valid * kind.itemsize:
                raise StoreError(
                    f"{file}: has {size} bytes; expected {valid * kind.itemsize} for {valid} embeddings. It was cut "
                    "short outside of NumPyCLIP: delete the folder of the index and build it again."
                )
            return np.memmap(file, kind, "r", shape=(valid,))
        except OSError as error:
            raise StoreError(f"{file}: cannot be read ({error.strerror or error}).") from error

    def _file(self, first: int, precision: str) -> Path:
        return self.folder / f"{first // _ROWS:06d}.{precision}"

    def _round(self, rows: Array) -> NDArray[np.void]:
        """Round each row to codes and a scale: (n, e) -> records (n,)."""
        code, largest = _CODES[self.precision]
        rounded = np.empty(len(rows), self._rounded)
        peaks = np.maximum(np.abs(rows).max(axis=1, initial=0), np.float32(1e-30))
        scale = peaks / np.float32(largest) if self.precision == "int8" else np.ones_like(peaks)
        codes = rows / scale[:, np.newaxis]
        rounded["codes"] = np.rint(codes) if self.precision == "int8" else codes.astype(code)
        rounded["scale"] = scale
        restored = rounded["codes"].astype(np.float64) * scale[:, np.newaxis]
        # Rounded up, that the bound holds in float32 too.
        rounded["error"] = np.linalg.norm(rows - restored, axis=1) * (1 + 1e-6)
        return rounded


def _write(file: Path, offset: int, data: bytes) -> None:
    """Write into a file at a place, and wait until it is on disk."""
    with open(os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b") as stream:
        stream.seek(offset)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
