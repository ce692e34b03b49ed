"""Captions under way: what the text tower and the decoder have computed of their beginnings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import ops
from numpyclip.model.captioning.decoder import Decoder
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.ops import Array
from numpyclip.model.text.text_transformer import TextTransformer


class Prefixes:
    """Beginnings of captions, all of one length, as many to each image: those of an image are neighbours.

    A new token costs one column: of the tokens before it, and of the images, keys and values are kept. At first there
    is one beginning to each image, with no token.

    Parameters
    ----------
    text : TextTransformer
    decoder : Decoder
    tokens : ndarray of shape (images, d, n), dtype=float32
        What describes the images: see `VisionTransformer.describe`.
    most : int
        Tokens of the longest beginning.
    """

    def __init__(self, text: TextTransformer, decoder: Decoder, tokens: Array, most: int) -> None:
        self._text, self._decoder, self._most = text, decoder, most
        self._seen = decoder.look(tokens)
        self._begin(len(tokens))

    def _begin(self, count: int) -> None:
        self.length = 0
        self._text_caches = [KVCache(self._text.config, count, self._most) for _ in range(self._text.config.layers)]
        self._caches = [KVCache(self._decoder.config, count, self._most) for _ in range(self._decoder.config.layers)]
        self._is_hidden = np.zeros((count, self._most + 1), bool)

    def __len__(self) -> int:
        return len(self._is_hidden)

    def forget(self) -> None:
        """Let all beginnings be without tokens again."""
        self._begin(len(self))

    def logits(self, ids: NDArray[np.integer]) -> Array:
        """Add tokens, (rows, m), and score all tokens as the next one: -> (rows, vocabulary)."""
        return self._decoder.logits(self.extend(ids)[:, :, -1])

    def extend(self, ids: NDArray[np.integer]) -> Array:
        """Add tokens, (rows, m), and compute what the decoder makes of them: -> (d, rows, m)."""
        rows, m = ids.shape
        start, self.length = self.length, self.length + m
        causal = ops.causal_mask(self.length)[start:] if m > 1 else None
        x = self._text.embed(ids, start).reshape(-1, rows * m)
        mask = self._mask(ids, start, causal)
        x = self._text.transformer.extend(x, self._text_caches, mask)  # the decoder takes it without the last norm
        x = self._decoder.extend(x, self._caches, self._seen, causal)
        return x.reshape(-1, rows, m)

    def _mask(self, ids: NDArray[np.integer], start: int, causal: Array | None) -> Array | None:
        self._is_hidden[:, start : self.length + 1] |= self._text.is_hidden(ids)
        is_hidden = self._is_hidden[:, np.newaxis, : self.length]  # (rows, 1, length)
        if not is_hidden.any():
            return causal
        mask: Array = np.where(is_hidden, np.float32(-np.inf), np.float32(0))
        return mask if causal is None else mask + causal

    def select(self, rows: NDArray[np.integer], images: Sequence[int] | NDArray[np.integer] | None = None) -> None:
        """Go on with these beginnings, in this order, some perhaps more than once; and with these images only."""
        for cache in (*self._text_caches, *self._caches):
            cache.select(rows)
        self._is_hidden = self._is_hidden[rows]
        if images is not None:
            self._seen = [(keys[:, :, images], values[:, :, images]) for keys, values in self._seen]
