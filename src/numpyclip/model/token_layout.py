"""Where the tokens of a batch are: which column of the activations belongs to which input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.ops import Array


@dataclass(frozen=True, eq=False)
class TokenLayout:
    """How the tokens of a batch lie in the columns of a matrix (d, shared + batch n).

    The first columns are the prefix that all inputs share, which is computed once; then come the other n tokens of
    each input, one input after the other.

    Attributes
    ----------
    batch : int
        Number of inputs.
    shared : int
        Tokens of the shared prefix.
    mask : ndarray of shape (t, t) or (batch, t, t), where t = shared + n, or None
        Added to the attention scores of each input; it must hide from the shared prefix what is behind it.
    pooled : ndarray of shape (batch,), dtype=integer, or None
        The token that stands for each input, counted behind the shared prefix. After the last block no other is used.
    """

    batch: int
    shared: int = 0
    mask: Array | None = None
    pooled: NDArray[np.integer] | None = None

    def split(self, x: Array) -> tuple[Array, Array]:
        """Part prefix and own tokens: (..., shared + batch n) -> (..., shared), (..., batch, n)."""
        return x[..., : self.shared], x[..., self.shared :].reshape(*x.shape[:-1], self.batch, -1)

    def pick(self, x: Array) -> Array:
        """Take the pooled token of each input: (d, shared + batch n) -> (d, batch)."""
        n = (x.shape[1] - self.shared) // self.batch
        return x[:, self.shared + np.arange(self.batch) * n + self.pooled]

    def mask_of_pooled(self) -> Array | None:
        """Take the mask's rows for the pooled tokens: (batch, 1, shared + n)."""
        if self.mask is None or self.pooled is None:
            return None
        masks = np.broadcast_to(self.mask, (self.batch, *self.mask.shape[-2:]))
        rows: Array = masks[np.arange(self.batch), self.shared + self.pooled][:, np.newaxis]
        return rows
