"""Embeddings on disk: append-only files of rows, which are memory-mapped to be read.

How many rows are valid is not written here but told by the caller, from a database that commits after the rows are on
disk. A process that dies in between leaves rows behind the end that nobody counts, and the next one writes over them.

Beside each file is one with the checksum of each row. Rows that are taken are compared with theirs each time, and those
that a search reads when a process first reads them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import StoreError
from numpyclip.index.database import RECOVERY
from numpyclip.index.records import MODALITIES
from numpyclip.index.vectors.checksums import at_places, checksums
from numpyclip.model.ops import Array
from numpyclip.regular_file import open_regular

VectorDType: TypeAlias = Literal["float32", "float16", "int8"]
VECTOR_DTYPES: tuple[VectorDType, ...] = get_args(VectorDType)

_ROWS = 1 << 17  # of a file: 256 MiB at 512 numbers a row
_SUMS = "-checksums"  # ends the name of the file with those of another
_SUM = np.dtype("<u8")
_LENGTHS = 1e-3  # that the squares of those of embeddings are off 1, at most
_CODES = {"float16": ("<f2", 65504.0), "int8": ("i1", 127.0)}  # how they are stored, and the largest that is
Rows: TypeAlias = NDArray[np.intp]


class Shards:
    """Rows of float32, and with another precision a quantized copy of them, which a search reads first.

    Parameters
    ----------
    folder : Path
    embed_dim : int
    precision : {"float32", "float16", "int8"}
    verified : dict, optional
        How many rows of each file are known to be as they were written, to be shared by all objects of a process; None
        if rows have no checksums, as in version 1 of an index.
    """

    def __init__(
        self, folder: Path, embed_dim: int, precision: VectorDType = "float32", verified: dict[Path, int] | None = None
    ) -> None:
        self._verified = verified
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
            self._write(first, begin - first, "float32", rows)
            if self._rounded is not None:
                self._write(first, begin - first, self.precision, self._round(rows))

    def blocks(self, count: int, rows: int) -> Iterator[tuple[int, Array]]:
        """Memory-map valid rows, some at a time: the number of the first, and embeddings (n, embed_dim)."""
        for first in range(0, count, _ROWS):
            mapped = self._mapped(first, count, "float32")
            for start in range(0, len(mapped), rows):
                yield first + start, self._verified_block(first, "float32", mapped, start, rows)

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
                block = self._verified_block(first, self.precision, mapped, start, rows)
                yield first + start, block["codes"].astype(np.float32), block["scale"].copy(), block["error"].copy()

    def take(self, rows: Rows, count: int) -> Array:
        """Read some of the valid rows: (n,) -> (n, embed_dim)."""
        found = np.empty((len(rows), *self._exact.shape), np.float32)
        if len(rows) and not (rows.min() >= 0 and rows.max() < count):
            raise StoreError(f"{self.folder}: has {count} embeddings; the database names others. {RECOVERY}")
        numbers = rows // _ROWS
        for number in np.unique(numbers):
            chosen = numbers == number
            first = int(number) * _ROWS
            places = rows[chosen] - first
            stored = self._mapped(first, count, "float32")[places]  # in the byte order of the file, as its checksums
            found[chosen] = stored
            if self._verified is not None:
                self._compare(first, "float32", at_places(stored, places), places)
        return found

    def sound(self, count: int) -> NDArray[np.bool_]:
        """Tell which of the valid rows are embeddings as they were written: (count,)."""
        found = np.zeros(count, bool)
        for first in range(0, count, _ROWS):
            part = found[first : first + _ROWS]
            with contextlib.suppress(StoreError, OSError):
                rows = self._whole_rows(first, count, "float32")
                squares = np.einsum("ij,ij->i", rows, rows)
                part[: len(rows)] = np.abs(squares - 1) < _LENGTHS
                for precision in () if self._verified is None else dict.fromkeys(("float32", self.precision)):
                    self._leave_out_damaged(part, first, count, precision)
                continue
            part[:] = False
        return found

    def write_checksums(self, count: int) -> None:
        """Write the checksums of valid rows as far as there are any, which had none."""
        for first in range(0, count, _ROWS):
            for precision in dict.fromkeys(("float32", self.precision)):
                with contextlib.suppress(StoreError, OSError):
                    rows = self._whole_rows(first, count, precision)
                    sums = checksums(rows, 0).astype(_SUM)
                    _write(self._sums(first, precision), 0, sums.tobytes())

    def mend(self, sound: NDArray[np.bool_]) -> None:
        """Write zeros over rows that are not sound, before the last that is; what is no regular file is removed."""
        last = int(np.flatnonzero(sound)[-1]) if sound.any() else -1
        for first in range(0, len(sound), _ROWS):
            part = sound[first : first + _ROWS]
            if part.all():
                continue
            for precision in dict.fromkeys(("float32", self.precision)):
                for file in (self._file(first, precision), self._sums(first, precision)):
                    if not file.is_file():
                        remove(file)
            rows = first + np.flatnonzero(~part)
            rows = rows[rows < last]
            for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
                if len(run):
                    self.write(int(run[0]), np.zeros((len(run), self.embed_dim), np.float32))

    def _leave_out_damaged(self, part: NDArray[np.bool_], first: int, count: int, precision: str) -> None:
        """Mark rows of a file that do not fit their checksums."""
        rows = self._whole_rows(first, count, precision)
        with open_regular(self._sums(first, precision)) as file:
            data = file.read(len(rows) * _SUM.itemsize)
        recorded = np.frombuffer(data[: len(data) // _SUM.itemsize * _SUM.itemsize], _SUM)
        part[len(recorded) :] = False
        part[: len(recorded)] &= checksums(rows[: len(recorded)], 0) == recorded

    def _whole_rows(self, first: int, count: int, precision: str) -> NDArray[Any]:
        """Map the rows of a file that was perhaps cut short."""
        size = self._file(first, precision).stat().st_size
        return self._mapped(first, min(count, first + size // self._kind(precision).itemsize), precision)

    def _verified_block(self, first: int, precision: str, mapped: NDArray[Any], start: int, rows: int) -> NDArray[Any]:
        """Return some rows of a file, compared with their checksums unless this process has done that."""
        block, file = mapped[start : start + rows], self._file(first, precision)
        end = start + len(block)
        if self._verified is not None and self._verified.get(file, 0) < end:
            self._compare(first, precision, checksums(block, start), slice(start, end))
            if self._verified.get(file, 0) >= start:
                self._verified[file] = end
        return block

    def _compare(self, first: int, precision: str, found: NDArray[Any], places: NDArray[np.intp] | slice) -> None:
        """Compare checksums with those that were written."""
        last = places.stop if isinstance(places, slice) else int(places.max()) + 1
        recorded = _map(self._sums(first, precision), _SUM, last)
        if not np.array_equal(recorded[places], found):
            raise StoreError(f"{self._file(first, precision)}: embeddings in it are damaged. {RECOVERY}")

    def _write(self, first: int, place: int, precision: str, rows: NDArray[Any]) -> None:
        """Write rows and their checksums."""
        kind = self._kind(precision)
        _write(self._file(first, precision), place * kind.itemsize, rows.tobytes())
        sums = checksums(rows, place).astype(_SUM)
        _write(self._sums(first, precision), place * _SUM.itemsize, sums.tobytes())

    def _kind(self, precision: str) -> np.dtype[Any]:
        if precision == "float32":
            return self._exact
        assert self._rounded is not None
        return self._rounded

    def _mapped(self, first: int, count: int, precision: str) -> NDArray[Any]:
        """Map the valid rows of a file: those of the first row in it, as far as there are."""
        return _map(self._file(first, precision), self._kind(precision), min(count - first, _ROWS))

    def _sums(self, first: int, precision: str) -> Path:
        file = self._file(first, precision)
        return file.with_name(file.name + _SUMS)

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


def shard_files(folder: Path) -> list[Path]:
    """List the shards of all generations in the folder of an index, and the files with their checksums."""
    files = (file for modality in MODALITIES for file in folder.glob(f"{modality}-[0-9]*/*.*"))
    return sorted(file for file in files if file.suffix[1:].removesuffix(_SUMS) in VECTOR_DTYPES)


def _map(file: Path, kind: np.dtype[Any], count: int) -> NDArray[Any]:
    """Memory-map the first records of a file; StoreError if it has fewer."""
    try:
        with open_regular(file) as stream:
            if (size := os.fstat(stream.fileno()).st_size) < count * kind.itemsize:
                raise StoreError(
                    f"{file}: has {size} bytes; expected {count * kind.itemsize} for {count} embeddings. It was cut "
                    f"short. {RECOVERY}"
                )
            return np.memmap(stream, kind, "r", shape=(count,)) if count else np.empty(0, kind)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{file}: cannot be read ({error.strerror or error}). {RECOVERY}") from error


def remove(path: Path) -> None:
    """Remove a file, a folder or a link, if it is there."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _write(file: Path, offset: int, data: bytes) -> None:
    """Write into a file at a place, and wait until it is on disk."""
    if file.exists() and not stat.S_ISREG(file.stat().st_mode):
        raise StoreError(f"{file}: is no regular file. {RECOVERY}")
    with open(os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b") as stream:
        stream.seek(offset)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
