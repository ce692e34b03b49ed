"""Zip archives whose stored records are memory-mapped: the outer shell of `.pt` and `.npz` files.

`zipfile` reads the directory; this module adds what an untrusted file needs (every record is inside the file, none
overlaps another, none inflates without bound) and what a large one needs (a stored record is a view, not a copy).

Checksums of deflated records, and of those that describe the others, are verified when they are read; those of
memory-mapped tensors when they are first used, since that reads them anyway. PyTorch does not.
"""

import mmap
import os
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError, quoted
from numpyclip.regular_file import open_regular
from numpyclip.weights.budget import inflated_limit

Bytes = NDArray[np.uint8]

_MAX_DIRECTORY = 2**21  # bytes, of some twenty thousand records; reading takes twelve times as much memory
_PIECE = 2**16  # bytes that are inflated at once
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., length of the name, length of the extra field
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of a record


def map_file(path: Path) -> Bytes:
    """Memory-map a file read-only: array of shape (n_bytes,), dtype uint8."""
    with open_regular(path) as file:
        return map_opened(file, path)


def map_opened(file: IO[bytes], path: Path) -> Bytes:
    """Memory-map an open file; see `map_file`."""
    if os.fstat(file.fileno()).st_size == 0:  # mmap refuses an empty file with a less telling message
        raise CorruptCheckpointError(f"{path}: the file is empty. Download or copy it again.")
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def mapped_file(array: NDArray[np.generic]) -> mmap.mmap | None:
    """Return the memory-mapped file that an array is a view of, if any."""
    owner: object = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner if isinstance(owner, mmap.mmap) else None


class _DirectoryReader:
    """The file as `zipfile` reads it, which takes the whole directory at once, however long."""

    def __init__(self, file: mmap.mmap) -> None:
        self._file, self.tell = file, file.tell

    def seek(self, offset: int, whence: Any = 0) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_DIRECTORY:
            raise ValueError(f"its directory has {size} bytes; expected at most {_MAX_DIRECTORY}")
        return self._file.read(size)


class Archive:
    """The records of one zip file, which must not change while arrays made from it are in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = map_file(path)
        try:
            with zipfile.ZipFile(_DirectoryReader(cast("mmap.mmap", mapped_file(self._file)))) as directory:
                infos, directory_start = directory.infolist(), directory.start_dir
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
            raise CorruptCheckpointError(
                f"{path}: not a complete zip archive ({error}); it may have been cut short. Download it again."
            ) from error
        self._records = {info.filename: info for info in infos}
        if len(self._records) < len(infos):
            raise CorruptCheckpointError(f"{path}: two records share one name, so which is meant is unclear.")
        self._starts = {info.filename: self._data_start(info) for info in infos}
        self._by_start = sorted((start, name) for name, start in self._starts.items())
        self._verified: set[str] = set()
        self._check_layout(directory_start)

    @property
    def names(self) -> list[str]:
        """Names of all records, in the order of the directory."""
        return list(self._records)

    @property
    def file_size(self) -> int:
        """Bytes of the file."""
        return int(self._file.size)

    def size(self, name: str) -> int:
        """Bytes of a record once unpacked."""
        return self._records[name].file_size

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def checked_record(self, name: str, tensor: Callable[[], str] | None = None) -> Bytes:
        """Return one record after verifying its checksum: for small ones that describe others, or that of a tensor.

        `tensor` returns its name, for the error.
        """
        data = self.record(name)
        crc = self._records[name].CRC
        if crc and zlib.crc32(data.data) != crc:  # PyTorch can be told to write none, which is 0
            of = f" It is that of tensor {quoted(tensor(), 100)}." if tensor else ""
            raise CorruptCheckpointError(
                f"{self.path}: record {quoted(name, 100)} does not match its checksum. Download or copy the file "
                f"again.{of}"
            )
        return data

    def verify(self, array: NDArray[Any], tensor: Callable[[], str] | None = None) -> None:
        """Raise unless the record that a tensor is a view of, if any, matches its checksum; once for each record."""
        first, base = (data.__array_interface__["data"][0] for data in (array, self._file))
        if not (array.size and 0 <= first - base < self._file.size):
            return
        name = self._by_start[bisect_right(self._by_start, first - base, key=lambda pair: pair[0]) - 1][1]
        if name not in self._verified:
            self.checked_record(name, tensor)
            self._verified.add(name)

    def record(self, name: str) -> Bytes:
        """Return one record: a view of the memory-mapped file if it is stored, a new array if deflated."""
        if name not in self._records:
            raise CorruptCheckpointError(
                f"{self.path}: record {quoted(name, 100)} is missing; the archive is incomplete."
            )
        info, start = self._records[name], self._starts[name]
        if info.compress_type == zipfile.ZIP_STORED:
            return self._file[start : start + info.file_size]
        return self._inflate(info, self._file[start : start + info.compress_size])

    def _inflate(self, info: zipfile.ZipInfo, packed: Bytes) -> Bytes:
        data, end = np.empty(info.file_size, np.uint8), 0
        try:
            for piece in _inflated(packed):
                data[end : end + len(piece)] = np.frombuffer(piece, np.uint8)  # ValueError: there is no room for it
                end += len(piece)
        except (zlib.error, ValueError) as error:
            raise CorruptCheckpointError(
                f"{self.path}: record {quoted(info.filename, 100)} is damaged ({error})."
            ) from error
        if end != data.size or zlib.crc32(data.data) != info.CRC:
            raise CorruptCheckpointError(
                f"{self.path}: record {quoted(info.filename, 100)} does not match its checksum."
            )
        return data

    def _data_start(self, info: zipfile.ZipInfo) -> int:
        """Where a record's bytes begin, by the local header, whose extra field pads to an alignment."""
        begin = max(info.header_offset, 0)
        header = self._file[begin : begin + _LOCAL_HEADER.size].tobytes()
        if len(header) == _LOCAL_HEADER.size:
            signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            name_end = begin + _LOCAL_HEADER.size + name_length
            name = self._file[name_end - name_length : name_end].tobytes()
            expected = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
            if (signature, name) == (b"PK\x03\x04", expected):
                return int(name_end + extra_length)
        raise CorruptCheckpointError(
            f"{self.path}: record {quoted(info.filename, 100)} does not begin where it should."
        )

    def _check_layout(self, directory_start: int) -> None:
        end = 0
        for info in sorted(self._records.values(), key=lambda info: info.header_offset):
            if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnsupportedCheckpointError(
                    f"{self.path}: record {quoted(info.filename, 100)} is encrypted or packed in a way that no "
                    f"checkpoint is (method {info.compress_type}); expected stored or deflated."
                )
            if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
                raise CorruptCheckpointError(
                    f"{self.path}: record {quoted(info.filename, 100)} claims {info.file_size} bytes, "
                    f"but {info.compress_size} are stored."
                )
            if info.header_offset < end:
                raise CorruptCheckpointError(f"{self.path}: record {quoted(info.filename, 100)} overlaps another one.")
            end = self._starts[info.filename] + info.compress_size
        if end > directory_start:
            raise CorruptCheckpointError(f"{self.path}: the records run {end - directory_start} bytes too far.")
        unpacked = sum(info.file_size for info in self._records.values())
        if unpacked > inflated_limit(self._file.size):
            raise CorruptCheckpointError(
                f"{self.path}: its {self._file.size} bytes would unpack to {unpacked}, which no weights do."
            )


def _inflated(packed: Bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for start in range(0, packed.size, _PIECE):
        data = packed[start : start + _PIECE].tobytes()
        while data:
            yield inflater.decompress(data, _PIECE)
            data = inflater.unconsumed_tail
    yield inflater.flush()
