"""`.npz`: a zip archive of NumPy arrays. Stored arrays are memory-mapped, deflated ones unpacked once."""

import math
import sys
from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.archive import Archive, Bytes
from numpyclip.weights.dtypes import Unread, are_counts

_MAX_HEADER = 1024  # bytes of a record in which its header must end; NumPy's have 118, of the longest shape 300
_MAX_ARRAYS = 2**14  # parsing a header takes time, and the largest models have some thousand
_MAX_TEXTS = 2**18  # of an array: a list of them takes ten times their bytes
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz_weights(archive: Archive) -> dict[str, NDArray[np.generic] | Unread]:
    """Read every array of numbers; objects, dates, records and the like beside them are left unopened."""
    return {name: array for name, array in _read_all(archive, archive.record).items() if not _is_text(array)}


def read_npz(archive: Archive) -> dict[str, NDArray[np.generic]]:
    """Read every array of numbers in an `.npz` file; strings beside them are ignored.

    Raises
    ------
    CorruptCheckpointError
        If an array's header is damaged or promises another size than its record has.
    UnsupportedCheckpointError
        If an array holds anything else (such arrays are pickles, and are not opened).
    """
    return {name: array for name, array in _numbers(archive, archive.record).items() if not _is_text(array)}


def read_npz_and_texts(archive: Archive) -> tuple[dict[str, NDArray[np.generic]], dict[str, list[str]]]:
    """Read every array of numbers, and those of strings (n) or () as lists; verify all checksums. See `read_npz`."""
    arrays = _numbers(archive, archive.checked_record)
    texts = {
        name: _as_texts(array, f"{archive.path}, array {name + '.npy'!r:.100}")
        for name, array in arrays.items()
        if array.dtype.kind == "U" and array.ndim <= 1
    }
    return {name: array for name, array in arrays.items() if not _is_text(array)}, texts


def _is_text(array: NDArray[np.generic] | Unread) -> bool:
    return not isinstance(array, Unread) and array.dtype.kind in "US"


def _numbers(archive: Archive, record: Callable[[str], Bytes]) -> dict[str, NDArray[np.generic]]:
    """Read arrays of numbers and strings, and nothing else."""
    found: dict[str, NDArray[np.generic]] = {}
    for name, array in _read_all(archive, record).items():
        if isinstance(array, Unread):
            where = f"{archive.path}, array {name + '.npy'!r:.100}"
            raise UnsupportedCheckpointError(f"{where}: is {array.what}; expected numbers of at most 64 bits.")
        found[name] = array
    return found


def _read_all(archive: Archive, record: Callable[[str], Bytes]) -> dict[str, NDArray[np.generic] | Unread]:
    others = [name for name in archive.names if not name.endswith(".npy")]
    if others:
        raise CorruptCheckpointError(f"{archive.path}: record {others[0]!r:.100} is no array; expected '*.npy' alone.")
    if len(archive.names) > _MAX_ARRAYS:
        raise CorruptCheckpointError(
            f"{archive.path}: has {len(archive.names)} arrays; expected at most {_MAX_ARRAYS}."
        )
    return {
        name.removesuffix(".npy"): _read_npy(f"{archive.path}, array {name!r:.100}", record(name))
        for name in archive.names
    }


def _as_texts(array: NDArray[np.generic], where: str) -> list[str]:
    if array.size and not array.dtype.itemsize:  # any number of them would take no bytes; NumPy writes none
        raise CorruptCheckpointError(f"{where}: its {array.size} texts have no room for a character.")
    if array.size > _MAX_TEXTS:
        raise CorruptCheckpointError(f"{where}: has {array.size} texts; expected at most {_MAX_TEXTS}.")
    letters = np.frombuffer(array.tobytes(), np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    if letters.max(initial=0) > sys.maxunicode:  # NumPy would fail with a SystemError
        raise CorruptCheckpointError(f"{where}: its text is damaged, {letters.max()} is not a character.")
    return [str(text) for text in array.reshape(-1)]


def _read_npy(where: str, record: Bytes) -> NDArray[np.generic] | Unread:
    stream = BytesIO(record[:_MAX_HEADER].tobytes())
    try:
        shape, columns_first, dtype = _READERS[npy.read_magic(stream)](stream)
    except Exception as error:  # NumPy parses the header as a Python literal, whose errors are of every kind
        raise CorruptCheckpointError(f"{where}: not a NumPy array ({error!r:.200}).") from error
    if dtype.kind not in "USfiub" or (dtype.kind not in "US" and dtype.itemsize > 8):
        hint = " (bfloat16 is no dtype of NumPy; save it as float32)" if dtype == "V2" else ""
        return Unread(f"of dtype {dtype!s:.100}{hint}")
    data = record[stream.tell() :]
    if not are_counts(shape):
        raise CorruptCheckpointError(f"{where}: its {len(shape)} sizes are not those of an array.")
    if math.prod(shape) * dtype.itemsize != data.size:
        raise CorruptCheckpointError(f"{where}: an array of shape {shape} and {dtype} cannot have {data.size} bytes.")
    array: NDArray[np.generic] = np.ndarray(shape, dtype, data, order="F" if columns_first else "C")
    return array
