"""int8 weights: integers of -127..127, and a scale for each row (of the first axis).

In a file, tensor ``<name>`` of int8 has its scales beside it, as ``<name>.scale``. Only weights are quantized: they are
converted to float32 when they are used, so results do not depend on the rest of a batch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, quoted

SCALE = ".scale"
LARGEST = 127
_MAX_SCALE = np.finfo(np.float32).max / 128  # of a scale, so that no product with it is infinite


class ScaledInt8(np.ndarray[Any, np.dtype[np.int8]]):
    """An array of int8 whose indexing and `astype` multiply by the scales.

    A view keeps the scales if its first axis is that of the whole; any other view has none, and cannot be converted.
    Arithmetic on the integers is refused, since it would lose the scales.
    """

    __array_ufunc__ = None  # type: ignore[assignment]

    def __array_finalize__(self, parent: object) -> None:
        self._of_rows = getattr(parent, "_of_rows", (None, (), ()))

    def __reduce__(self) -> tuple[Any, ...]:
        return scaled, (np.array(self), self.scale)

    def give(self, scale: NDArray[np.float32]) -> None:
        """Set the scales of the rows."""
        self._of_rows = (scale, self.shape[:1], self.strides[:1])

    @property
    def scale(self) -> NDArray[np.float32] | None:
        """The scales (n_rows,); None if this is a view with other rows."""
        # Compared here, since `__array_finalize__` sees a transposed view with the shape before.
        scale, *rows = self._of_rows
        return scale if rows == [self.shape[:1], self.strides[:1]] else None

    def __getitem__(self, index: Any) -> Any:
        """Return some rows, or parts of them, as float32."""
        rows = index[0] if isinstance(index, tuple) else index
        return _widen(self.view(np.ndarray)[index], self._scales()[rows])

    def astype(self, *_: object, **__: object) -> NDArray[np.float32]:  # type: ignore[override]
        """Return a new array of float32, whichever dtype is passed."""
        return _widen(self.view(np.ndarray), self._scales())

    def _scales(self) -> NDArray[np.float32]:
        scale = self.scale
        if scale is None:
            raise TypeError("this view of int8 weights has lost its scales")
        return scale


def scaled(numbers: NDArray[np.int8], scale: NDArray[np.float32] | None) -> ScaledInt8:
    """View int8 with its scales: (n, ...), (n,) -> (n, ...)."""
    array = numbers.view(ScaledInt8)
    if scale is not None:
        array.give(scale)
    return array


def _widen(numbers: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    factors = scale.reshape(scale.shape + (1,) * (numbers.ndim - scale.ndim))
    wide: NDArray[np.float32] = np.multiply(numbers, factors, dtype=np.float32, order="C")
    return wide


def join_scales(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> dict[str, NDArray[np.generic]]:
    """Join the int8 tensors of a file with their scales; CorruptCheckpointError if a row has no usable one."""
    joined = dict(arrays)
    for name, array in arrays.items():
        if array.dtype == np.int8 and f"{name}{SCALE}" in arrays:
            scale: NDArray[Any] = joined.pop(f"{name}{SCALE}")
            if array.ndim < 2 or scale.shape != array.shape[:1] or scale.dtype.kind != "f":
                raise CorruptCheckpointError(
                    f"{path}: tensor {quoted(name + SCALE)} has shape {scale.shape} and {scale.dtype}; expected one "
                    f"floating point number for each row of {quoted(name)}, whose shape is {array.shape}."
                )
            if not ((scale >= 0) & (scale <= _MAX_SCALE)).all():  # no NaN is
                raise CorruptCheckpointError(
                    f"{path}: tensor {quoted(name + SCALE)} holds {scale.min()} to {scale.max()}; expected numbers of "
                    "0 or more that float32 can hold 128 times. Convert the model again."
                )
            joined[name] = scaled(array.view(np.int8), scale.astype(np.float32))
    return joined


def row_scales(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scale of each row: its largest magnitude becomes 127. (n, ...) -> (n,)."""
    flat = weights.reshape(len(weights), -1)
    largest = np.maximum(flat.max(axis=1, initial=0), -flat.min(axis=1, initial=0))
    scale: NDArray[np.float32] = largest / np.float32(LARGEST)
    return scale


def round_to_int8(weights: NDArray[np.float32]) -> NDArray[np.int8]:
    """Quantize weights by the scales of their rows, to the nearest integer. (n, ...) -> (n, ...)."""
    scale = row_scales(weights).reshape(-1, *(1,) * (weights.ndim - 1))
    counts = np.divide(weights, scale, out=np.zeros_like(weights), where=scale > 0)
    return np.rint(counts, out=counts).clip(-LARGEST, LARGEST).astype(np.int8)
