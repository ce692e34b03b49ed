"""Embeddings in .npy files, a few rows at a time, from a stream that may be untrusted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.remote import open_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_MOST = 1 << 16  # dimensions


class NpyStream:
    """An open .npy file of embeddings.

    Parameters
    ----------
    place : str
        A path or URL.

    Attributes
    ----------
    rows, dimensions : int
    checksum : int
        CRC-32 of the embeddings that have been read.

    Raises
    ------
    InputError
        If it cannot be read, or is no array of embeddings.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._stream = open_stream(place)
        self.checksum = 0
        try:
            self.rows, self.dimensions, self._dtype = self._header()
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> NpyStream:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def _header(self) -> tuple[int, int, np.dtype]:
        try:
            shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(self._stream)](self._stream)
        except NumPyCLIPError:
            raise
        except Exception as error:  # NumPy evaluates what is there, and raises what that raises
            raise InputError(f"{self._place}: cannot be read ({error!s:.200}).") from error
        if len(shape) != 2 or shape[0] < 0 or not 0 < shape[1] <= _MOST or by_columns or dtype.kind != "f":
            raise InputError(
                f"{self._place}: is {dtype} of shape {shape}{' in Fortran order' if by_columns else ''}; expected "
                "embeddings."
            )
        return (*shape, dtype)

    def read(self, rows: int) -> NDArray[np.floating]:
        """Return the next rows, as they are stored but for their dtype, which is float32 at least."""
        size = rows * self.dimensions * self._dtype.itemsize
        content = self._stream.read(size)
        if len(content) != size:
            raise InputError(f"{self._place}: ends before its {self.rows} rows do.")
        self.checksum = crc32(content, self.checksum)
        return at_least_float32(np.frombuffer(content, self._dtype)).reshape(rows, self.dimensions)


def at_least_float32(numbers: NDArray[np.floating]) -> NDArray[np.floating]:
    """Convert what is narrower; what is wider may have numbers that float32 has not."""
    return numbers.astype(np.promote_types(numbers.dtype, np.float32))
