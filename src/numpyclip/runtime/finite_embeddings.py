"""Checks that embeddings are finite and not zero: those that damaged weights make are errors, never results."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, InputError, PictureError
from numpyclip.model.ops import Array

NOT_FINITE = (
    "its embedding has NaN or infinity, or is zero: the weights are damaged, or computing with them overflows; use an "
    "intact file."
)


class NotFinite(PictureError):
    """An input whose embedding is not finite."""


def finite_rows(embeddings: Array) -> NDArray[np.bool_]:
    """Tell which embeddings have neither NaN nor infinity, and a direction: (n, e) -> (n,)."""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(embeddings), axis=-1)
    finite &= np.logical_or.reduce(embeddings != 0, axis=-1)
    return finite


def any_finite(results: Sequence[object]) -> bool:
    """Tell whether one of some results is an embedding; the others are errors, or None for what needs none.

    CorruptCheckpointError if all that were computed are not finite.
    """
    others = [result for result in results if result is None or isinstance(result, Exception)]
    if len(others) < len(results):
        return True
    for other in others:
        if isinstance(other, NotFinite):
            raise CorruptCheckpointError(*other.args)
    return False


def checked_finite(embeddings: Array, name: Callable[[int], str]) -> Array:
    """Return embeddings (n, e); InputError, with the name of the first that is not finite.

    CorruptCheckpointError if none of them is.
    """
    finite = finite_rows(embeddings)
    if not finite.all():
        message = f"{name(int(finite.argmin()))}: {NOT_FINITE}"
        raise InputError(message) if finite.any() else CorruptCheckpointError(message)
    return embeddings
