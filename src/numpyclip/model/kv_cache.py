"""The key/value cache of a block: keys and values of earlier tokens, so that each new token costs one column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numpyclip.model.ops import Array
from numpyclip.model.transformer_config import TransformerConfig


class KVCache:
    """Keys and values of the tokens so far of each input, preallocated for `max_length` tokens."""

    def __init__(self, config: TransformerConfig, batch: int, max_length: int) -> None:
        self.length = 0
        shape = (2, batch, config.heads, config.width // config.heads, max_length)
        self._keys, self._values = np.empty(shape, np.float32)

    @property
    def batch(self) -> int:
        """Number of inputs."""
        return len(self._keys)

    def append(self, k: Array, v: Array) -> tuple[Array, Array]:
        """Append those of m more tokens, (h, k, b, m), and return all of them, (h, k, b, length)."""
        start, self.length = self.length, self.length + k.shape[-1]
        for cached, new in ((self._keys, k), (self._values, v)):
            cached[..., start : self.length] = new.transpose(2, 0, 1, 3)
        keys, values = self._keys[..., : self.length], self._values[..., : self.length]
        return keys.transpose(1, 2, 0, 3), values.transpose(1, 2, 0, 3)

    def select(self, rows: NDArray[np.integer]) -> None:
        """Keep these inputs, in this order, which may repeat."""
        self._keys, self._values = self._keys[rows], self._values[rows]
