"""The layout of a batch's tokens in the columns of the activations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.ops import Array


@dataclass(frozen=True, eq=False)
class TokenLayout:
    """Layout of the tokens of a batch in the columns of a matrix (d, shared + batch n).

    First comes the prefix that all inputs share, which is computed once, then the other n tokens of each input.

    Attributes
    ----------
    batch : int
        Number of inputs.
    shared : int
        Number of tokens of the shared prefix.
    mask : ndarray of shape (t, t) or (batch, t, t), where t = shared + n, or None
        Added to the attention scores; it must be causal for the shared prefix. Without a prefix also of shape
        (heads, batch, t, t), batch being 1 if it is the same for all.
    pooled : ndarray of shape (batch,), dtype=integer, or None
        Position of each input's pooled token, counted from the end of the shared prefix.
    """

    batch: int
    shared: int = 0
    mask: Array | None = None
    pooled: NDArray[np.integer] | None = None

    def split(self, x: Array) -> tuple[Array, Array]:
        """Split off the shared prefix: (..., shared + batch n) -> (..., shared), (..., batch, n)."""
        return x[..., : self.shared], x[..., self.shared :].reshape(*x.shape[:-1], self.batch, -1)

    def pick(self, x: Array) -> Array:
        """Take the pooled token of each input: (d, shared + batch n) -> (d, batch)."""
        n = (x.shape[1] - self.shared) // self.batch
        return x[:, self.shared + np.arange(self.batch) * n + self.pooled]

    def mask_of_pooled(self) -> Array | None:
        """Take the mask's rows for the pooled tokens: (batch, 1 or heads, shared + n)."""
        if self.mask is None or self.pooled is None:
            return None
        masks = np.broadcast_to(self.mask, (*self.mask.shape[:-3], self.batch, *self.mask.shape[-2:]))
        rows: Array = masks[..., np.arange(self.batch), self.shared + self.pooled, :]  # (batch, t) or (heads, batch, t)
        return rows[:, np.newaxis] if rows.ndim == 2 else rows.swapaxes(0, 1)
