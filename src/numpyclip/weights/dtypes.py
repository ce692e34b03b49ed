"""Raw bytes → arrays of every dtype in checkpoints, bfloat16 included; float32 → float16 and bfloat16."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.weights.archive import Bytes

BFLOAT16 = "bf16"  # the upper half of a float32; NumPy has no such type


class BFloat16(np.ndarray[Any, np.dtype[np.uint16]]):
    """An array of the bits of bfloat16, as are its views: `astype` gives the numbers, and arithmetic is refused."""

    __array_ufunc__ = None  # type: ignore[assignment]

    def astype(self, *_: object, **__: object) -> NDArray[np.float32]:  # type: ignore[override]
        """Return a new array of exactly these numbers in float32, whichever dtype is passed."""
        return _widen_bfloat16(self.view(np.ndarray))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Refuse to join bits, whose result would be no `BFloat16`."""
        if function in (np.concatenate, np.stack):
            return NotImplemented
        return super().__array_function__(function, types, args, kwargs)


_T = TypeVar("_T")
Spread: TypeAlias = Callable[[Callable[[Any], None], Sequence[Any]], None]  # calls a function with each item
_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Unread:
    """What a file has under a name in place of numbers that can be read."""

    what: str  # completes "it is ..."
    shape: tuple[int, ...] = ()


MAX_DIMENSIONS = 8  # more than any weight has, and few enough to multiply


def is_count(value: object) -> TypeGuard[int]:
    """Tell whether a value from a file is a size that is safe to calculate with."""
    return type(value) is int and 0 <= value < 2**48


def are_counts(values: Sequence[object]) -> bool:
    """Tell whether these are sizes or strides. The length is checked first: a pickle can repeat a long tuple often."""
    return len(values) <= MAX_DIMENSIONS and all(map(is_count, values))


def item_size(kind: str) -> int:
    """Bytes per number of a NumPy type string such as ``"f4"``, or of ``"bf16"``."""
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def array_from_bytes(
    data: Bytes,
    kind: str,
    shape: tuple[int, ...],
    *,
    strides: tuple[int, ...] | None = None,
    offset: int = 0,
    order: str = "<",
) -> NDArray[np.generic]:
    """View bytes as numbers; bfloat16 as `BFloat16`. ValueError if an element would be outside `data`.

    Parameters
    ----------
    data : ndarray of shape (n_bytes,), dtype=uint8
    kind : str
        A NumPy type string without byte order, or ``"bf16"``.
    shape, strides : tuple of int
        In elements; without strides the numbers are stored row by row.
    offset : int
        Of the first number, in elements.
    order : {"<", ">"}
        Little or big endian.
    """
    size = item_size(kind)
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"it has {len(shape)} dimensions; expected {MAX_DIMENSIONS} at most")
    if strides is None:
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if 0 in shape:
        return np.empty(shape, "u2").view(BFloat16) if kind == BFLOAT16 else np.empty(shape, kind)
    last = offset + sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
    if offset < 0 or min(strides, default=0) < 0 or (last + 1) * size > data.size:
        raise ValueError(f"its last number is number {last}, but there are {data.size // size}")
    dtype = np.dtype(order + ("u2" if kind == BFLOAT16 else kind))
    array: NDArray[np.generic] = np.ndarray(shape, dtype, data, offset * size, tuple(step * size for step in strides))
    return array.view(BFloat16) if kind == BFLOAT16 else array


def _widen_bfloat16(halves: NDArray[np.generic]) -> NDArray[np.float32]:
    words = halves.astype(np.uint32, order="C")
    words <<= np.uint32(16)
    return words.view(np.float32)


_PIECE = 2**16  # numbers that stay in the cache through all steps
_FEW = 2**20  # numbers that one thread converts in the time that others take to start
_SIGN_EXPONENT_FRACTION = np.int32(-0x70000001)  # all bits but the three that copy the sign
_REBIAS = np.float32(2**112)  # float32's exponents are larger by so much
_SMALLEST = np.full(64, 2**-136, np.float32)  # float16's smallest number before that; as many as vector units take


def one_by_one(function: Callable[[_T], None], items: Sequence[_T]) -> None:
    """Call a function with each item: the plainest `Spread`."""
    for item in items:
        function(item)


def widen(array: NDArray[Any], wide: NDArray[np.float32], spread: Spread = one_by_one) -> None:
    """Write the numbers of an array of any dtype into one of float32, which is contiguous, a few rows at a time."""
    if array.size <= _PIECE:
        _widen(array, wide)
        return
    step = max(_PIECE * len(array) // array.size, 1)
    pieces = [slice(start, start + step) for start in range(0, len(array), step)]
    convert = one_by_one if array.size < _FEW else spread
    convert(lambda rows: _widen(array[rows], wide[rows]), pieces)


def _widen(array: NDArray[Any], wide: NDArray[np.float32]) -> None:
    # Unless subnormals are flushed: by a library that has set this thread to, or always, in vectors, by 32-bit ARM.
    if array.dtype == np.float16 and (_SMALLEST * _REBIAS).all():
        _widen_float16(np.ascontiguousarray(array).reshape(-1), wide.reshape(-1))
        return
    with np.errstate(over="ignore", invalid="ignore"):  # a checkpoint refuses overflow; NaN may be signalling
        wide[...] = array.astype(np.float32, copy=False)


def _widen_float16(halves: NDArray[np.float16], wide: NDArray[np.float32]) -> None:
    """Convert float16 to float32, exactly, three times as fast as `astype`."""
    bits = wide.view(np.int32)
    bits[...] = halves.view(np.int16)
    bits <<= 13  # the fraction to its place, and with it the exponent, after copies of the sign
    bits &= _SIGN_EXPONENT_FRACTION
    wide *= _REBIAS
    if max(wide.max(initial=0), -wide.min(initial=0)) >= 2**16:  # beyond float16: infinity or NaN
        wide[...] = halves


_EXPONENTS = {np.dtype(np.float16): 0x7C00, BFLOAT16: 0x7F80}  # bits that are all set in infinity and NaN alone


def is_finite(array: NDArray[Any]) -> bool:
    """Tell whether an array of floating point, bfloat16 included, has neither NaN nor infinity."""
    if (exponent := _EXPONENTS.get(BFLOAT16 if isinstance(array, BFloat16) else array.dtype)) is not None:
        bits = array.view(np.ndarray).view(np.dtype(np.uint16).newbyteorder(array.dtype.byteorder))
        return all(bool(((piece & exponent) < exponent).all()) for piece in _pieces(bits))
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(np.dot(piece, piece)) or bool(np.isfinite(piece).all()) for piece in _pieces(array))


def _pieces(array: NDArray[Any]) -> Iterable[NDArray[Any]]:
    """Cut an array of any strides into flat pieces, without a copy if it is contiguous."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        return (flat[start : start + _PIECE] for start in range(0, flat.size, _PIECE))
    return np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], buffersize=_PIECE)  # type: ignore[return-value]


def narrow_to_float16(wide: NDArray[np.float32]) -> NDArray[np.float16]:
    """Round float32 to float16, half to even; OverflowError if a finite number is too large."""
    with np.errstate(over="ignore"):
        return _checked(wide.astype("<f2"), wide)


def narrow_to_bfloat16(wide: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round float32 to the bits of bfloat16, half to even; OverflowError if a finite number is too large."""
    bits = np.asarray(wide, order="C").view(np.uint32)
    upper = bits >> 16
    rounded = (bits + (0x7FFF + (upper & 1))) >> 16  # only NaN can wrap around
    rounded = np.where(np.isnan(wide), upper | 0x40, rounded)  # a quiet NaN, even without its lower half
    halves: NDArray[np.uint16] = rounded.astype("<u2")
    _checked(_widen_bfloat16(halves), wide)
    return halves


def _checked(narrow: NDArray[_Number], wide: NDArray[np.float32]) -> NDArray[_Number]:
    grown = np.isinf(narrow) & np.isfinite(wide)
    if grown.any():
        raise OverflowError(f"{wide[grown].flat[0]:g} is too large")
    return narrow
