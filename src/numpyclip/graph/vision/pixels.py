"""The input of an image tower: pixels of 0..255, in either order of axes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from numpyclip.graph.builder import Graph, Value
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.ops import Array

PixelInput: TypeAlias = Literal["pixels", "pixel_values"]


@dataclass(frozen=True)
class Pixels:
    """Pixels: (b, y, x, 3) of uint8, or (b, 3, y, x) of floating point, which are normalized.

    Attributes
    ----------
    value : Value
    sides : tuple of two ints, or None
        Height and width; None if they vary.
    channels_last : bool
    preprocess : Preprocess
        How they are normalized.
    """

    value: Value
    sides: tuple[int, int] | None
    channels_last: bool
    preprocess: Preprocess

    @classmethod
    def input(cls, g: Graph, kind: PixelInput, preprocess: Preprocess) -> Pixels:
        """Add the input `pixels`, or `pixel_values`."""
        sides = preprocess.sides if preprocess.patch_size is None else None
        y, x = sides or ("height", "width")
        if kind == "pixels":
            return cls(g.input("pixels", np.uint8, ("batch", y, x, 3)), sides, True, preprocess)
        return cls(g.input("pixel_values", np.float32, ("batch", 3, y, x)), sides, False, preprocess)

    def grid(self, g: Graph, size: int) -> tuple[int | Value, int | Value]:
        """Return the numbers of rows and columns of patches, of shape (1,) if they vary."""
        if self.sides is not None:
            return self.sides[0] // size, self.sides[1] // size
        first = 1 if self.channels_last else 2
        sides = (g.op("Slice", g.op("Shape", self.value), [axis], [axis + 1]) for axis in (first, first + 1))
        rows, columns = (g.op("Div", side, [size]) for side in sides)
        return rows, columns

    def planes(self, g: Graph) -> Value:
        """Return pixels of 0..255, for weights that normalize them: (b, 3, y, x) of floating point."""
        if self.channels_last:
            return g.as_float(g.op("Transpose", self.value, perm=[0, 3, 1, 2]))
        mean, std = self._mean_and_std()
        return g.op("Add", g.op("Mul", self.value, std), mean)

    def normalized(self, g: Graph) -> Value:
        """Return normalized pixels, for a convolution that is zero-padded: (b, 3, y, x) of floating point."""
        if not self.channels_last:
            return self.value
        mean, std = self._mean_and_std()
        return g.op("Mul", g.op("Sub", self.planes(g), mean), 1 / std)

    def _mean_and_std(self) -> tuple[Array, Array]:  # of 0..255
        mean, std = (np.array(part, np.float32) for part in (self.preprocess.mean, self.preprocess.std))
        levels = np.float32(1 / self.preprocess.scale)
        return (levels * mean).reshape(3, 1, 1), (levels * std).reshape(3, 1, 1)

    def shifted(self, g: Graph) -> Pixels:
        """Move the image right and down by one pixel, zero-padded; the last row and column are dropped."""
        before, after = ([0, 1, 1, 0], [0, -1, -1, 0]) if self.channels_last else ([0, 0, 1, 1], [0, 0, -1, -1])
        return replace(self, value=g.op("Pad", self.value, before + after))

    def patches(self, g: Graph, size: int) -> Value:
        """Cut into patches, of which incomplete ones are dropped: -> (b tokens, 3 size size), of floating point.

        Their numbers are in the order of `in_order`.
        """
        rows, columns = self.grid(g, size)
        value = self.value if self.channels_last else self.planes(g)
        if self.sides is not None and any(side % size for side in self.sides):
            axes = [1, 2] if self.channels_last else [2, 3]
            value = g.op("Slice", value, [0, 0], [side // size * size for side in self.sides], axes)
        if self.channels_last:
            value = g.op("Reshape", value, g.shape(-1, rows, size, columns, size * 3))
            value = g.as_float(g.op("Transpose", value, perm=[0, 1, 3, 2, 4]))
        else:
            value = g.op("Reshape", value, g.shape(-1, 3, rows, size, columns, size))
            value = g.op("Transpose", value, perm=[0, 2, 4, 1, 3, 5])
        return g.op("Reshape", value, [-1, size * size * 3])

    def in_order(self, weight: Array) -> Array:
        """Reorder the columns of a matrix (d, 3 size size) as `patches` has the numbers of a patch."""
        if not self.channels_last:
            return weight
        return np.ascontiguousarray(weight.reshape(len(weight), 3, -1).swapaxes(1, 2)).reshape(weight.shape)
