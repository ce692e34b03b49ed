"""Unfinished captions, with the key/value caches of text tower and decoder."""

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.captioning.decoder import Decoder
from numpyclip.model.kv_cache import KVCache
from numpyclip.model.ops import Array
from numpyclip.model.text.text_transformer import TextTransformer


class Prefixes:
    """Prefixes of captions, all of equal length, equally many per image: those of an image are neighbors.

    Keys and values of earlier tokens and of images are cached, so a new token costs one column. At first there is one
    empty prefix per image, whose tokens (images, d, n) `VisionTransformer.describe` has computed.
    """

    def __init__(self, text: TextTransformer, decoder: Decoder, tokens: Array, max_length: int) -> None:
        self._text, self._decoder, self._max_length = text, decoder, max_length
        self._images = decoder.keys_values(tokens)
        self._begin(len(tokens))

    def _begin(self, count: int) -> None:
        self.length = 0
        text, decoder, n = self._text.config, self._decoder.config, self._max_length
        self._text_caches = [KVCache(text, count, n) for _ in range(text.layers)]
        self._caches = [KVCache(decoder, count, n) for _ in range(decoder.layers)]
        self._is_hidden = np.zeros((count, n + 1), bool)

    def __len__(self) -> int:
        return len(self._is_hidden)

    def forget(self) -> None:
        """Make all prefixes empty again."""
        self._begin(len(self))

    def logits(self, ids: NDArray[np.integer]) -> Array:
        """Append tokens, (rows, m), and compute the logits of the next one: -> (rows, vocabulary).

        InputError if they are not finite, so that no caption is made of them.
        """
        logits = self._decoder.logits(self.extend(ids)[:, :, -1])
        if not np.isfinite(logits).all():
            raise InputError(
                "the logits of a caption have NaN or infinity: the weights are damaged, or computing with them "
                "overflows; use an intact file."
            )
        return logits

    def extend(self, ids: NDArray[np.integer]) -> Array:
        """Append tokens, (rows, m), and compute the decoder's output: -> (d, rows, m)."""
        rows, m = ids.shape
        start, self.length = self.length, self.length + m
        causal = ops.causal_mask(self.length)[start:] if m > 1 else None
        x = self._text.embed(ids, start).reshape(-1, rows * m)
        mask = self._mask(ids, start, causal)
        x = self._text.transformer.extend(x, self._text_caches, mask)  # without the last norm
        x = self._decoder.extend(x, self._caches, self._images, causal)
        return x.reshape(-1, rows, m)

    def _mask(self, ids: NDArray[np.integer], start: int, causal: Array | None) -> Array | None:
        self._is_hidden[:, start : self.length + 1] |= self._text.is_hidden(ids)
        is_hidden = self._is_hidden[:, np.newaxis, : self.length]  # (rows, 1, length)
        if not is_hidden.any():
            return causal
        mask: Array = np.where(is_hidden, np.float32(-np.inf), np.float32(0))
        return mask if causal is None else mask + causal

    def select(self, rows: NDArray[np.integer], images: NDArray[np.integer] | None = None) -> None:
        """Keep these prefixes, in this order, which may repeat; and these images."""
        for cache in (*self._text_caches, *self._caches):
            cache.select(rows)
        self._is_hidden = self._is_hidden[rows]
        if images is not None:
            self._images = [(keys[:, :, images], values[:, :, images]) for keys, values in self._images]
