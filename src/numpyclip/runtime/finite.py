"""Embeddings with NaN or infinity, which damaged weights make: errors that name their input, never results."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, PictureError
from numpyclip.model.ops import Array

NOT_FINITE = (
    "its embedding has NaN or infinity: the weights are damaged, or computing with them overflows; use an intact file."
)


class NotFinite(PictureError):
    """An image whose embedding is not finite."""


def finite_rows(embeddings: Array) -> NDArray[np.bool_]:
    """Tell which embeddings have neither NaN nor infinity: (n, e) -> (n,)."""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(embeddings), axis=-1)
    return finite


def checked_finite(embeddings: Array, name: Callable[[int], str]) -> Array:
    """Return embeddings (n, e); InputError, with the name of the first that is not finite."""
    finite = finite_rows(embeddings)
    if not finite.all():
        raise InputError(f"{name(int(finite.argmin()))}: {NOT_FINITE}")
    return embeddings
