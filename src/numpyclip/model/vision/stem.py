"""A convolutional stem, before the patch embedding of a vision transformer."""

from dataclasses import dataclass

import numpy as np

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import Linear, fold_pixels
from numpyclip.model.ops import Array
from numpyclip.model.vision.convolution import with_batch_norm
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class ConvStem:
    """Convolutions whose windows do not overlap (MobileCLIP, Vasu et al., 2024), as `ConvStem` of timm.

    These are the first two, with batch norm and GELU; the third is the patch embedding of every vision transformer.
    """

    first: Linear  # (c, 3 4 4)
    second: Linear  # (c, c 2 2)

    @staticmethod
    def tensors(name: str, width: int) -> expected.Tensors:
        """List the tensors under a name."""
        for index, shape in ((0, (width, 3, 4, 4)), (1, (width, width, 2, 2))):
            yield from expected.convolution(f"{name}.{index}", "conv", "bn", shape)

    @classmethod
    def read(cls, weights: WeightReader, name: str, preprocess: Preprocess) -> "ConvStem":
        """Read the weights under a name of the checkpoint."""

        def prepare(checkpoint: Checkpoint) -> tuple[Array, ...]:
            first, first_bias = with_batch_norm(checkpoint, f"{name}.0.conv", f"{name}.0.bn")
            first_bias += fold_pixels(preprocess, first)
            second, second_bias = with_batch_norm(checkpoint, f"{name}.1.conv", f"{name}.1.bn")
            return first.reshape(len(first), -1), first_bias, second.reshape(len(second), -1), second_bias

        first, first_bias, second, second_bias = weights.derive(name, prepare)
        return cls(Linear(first, first_bias), Linear(second, second_bias))

    def __call__(self, patches: Array) -> Array:  # (3 16 16, b, n) -> (c 2 2, b, n)
        b, n = patches.shape[1:]
        squares = patches.reshape(3, 2, 2, 4, 2, 2, 4, b, n).transpose(0, 3, 6, 2, 5, 1, 4, 7, 8)
        x = np.ascontiguousarray(squares).reshape(3 * 4 * 4, -1)  # position within the smallest square first
        x = ops.in_pieces(ops.gelu, self.first(x)).reshape(4 * len(self.first.bias), -1)
        return ops.in_pieces(ops.gelu, self.second(x)).reshape(-1, b, n)
