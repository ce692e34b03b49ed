"""Rotary position embeddings (Su et al., 2021).

For the two axes of an image as in timm/layers/pos_embed_sincos.py, and for texts as in transformers' models of texts.
"""

from dataclasses import dataclass

import numpy as np

from numpyclip.images.preprocess import sides_of
from numpyclip.model.ops import Array
from numpyclip.model.transformer_config import RopeConfig, TextRopeConfig

_TEMPERATURE = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class Rope:
    """Rotations of the patches of an image: each pair of channels of a head is a point in a plane."""

    cos: Array  # (k / 2, 1, n)
    sin: Array

    @classmethod
    def make(cls, config: RopeConfig, head_width: int) -> "Rope":
        """Compute the angles of patches in row-major order: half of the pairs encode the row, half the column.

        They are computed in float32, as those of published models: with many patches they are only exact to 1e-6.
        """
        bands = head_width // 4
        exponents = np.arange(bands, dtype=np.float32) / np.float32(bands)
        frequencies = np.float32(1) / np.float32(_TEMPERATURE) ** exponents
        down, across = (frequencies[:, np.newaxis] * _positions(config, n) for n in sides_of(config.side))
        rows = np.repeat(down, across.shape[1], axis=1)
        columns = np.tile(across, down.shape[1])
        both = np.concatenate([columns, rows] if config.columns_first else [rows, columns])[:, np.newaxis]
        return cls(np.cos(both), np.sin(both))

    def __call__(self, x: Array) -> None:
        """Rotate the last n tokens, which are the patches, in place: (..., k, b, tokens)."""
        patches = x[..., x.shape[-1] - self.cos.shape[-1] :]
        _rotate(patches[..., ::2, :, :], patches[..., 1::2, :, :], self.cos, self.sin)


@dataclass(frozen=True, eq=False, repr=False)
class TextRope:
    """Rotations of the tokens of a text: channel i of a head and channel i + k / 2 are a point in a plane."""

    cos: Array  # (k / 2, 1, n)
    sin: Array

    @classmethod
    def make(cls, config: TextRopeConfig, head_width: int) -> "TextRope":
        """Compute the angles of positions, in float32, as those of published models."""
        exponents = np.arange(0, head_width, 2) / head_width
        frequencies = (config.base**-exponents).astype(np.float32)
        angles = frequencies[:, np.newaxis, np.newaxis] * np.arange(config.length, dtype=np.float32)
        return cls(np.cos(angles), np.sin(angles))

    def __call__(self, x: Array) -> None:
        """Rotate all tokens, in place: (..., k, b, tokens)."""
        first, second = np.split(x, 2, axis=-3)
        _rotate(first, second, self.cos[..., : x.shape[-1]], self.sin[..., : x.shape[-1]])


def _rotate(first: Array, second: Array, cos: Array, sin: Array) -> None:
    """Rotate points, of which two arrays have the coordinates, in place."""
    rotated = first * sin
    rotated += second * cos
    first *= cos
    first -= second * sin
    second[...] = rotated


def _positions(config: RopeConfig, count: int) -> Array:
    """Count so many rows or columns: -> (count,)."""
    positions = np.arange(count, dtype=np.float32) + np.float32(config.offset)
    scaled: Array = positions / np.float32(count) * np.float32(config.reference)
    return scaled
