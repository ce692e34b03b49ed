"""Heads of convolutional towers: from the last feature map to embeddings, as in open_clip/timm_model.py."""

import math
from dataclasses import dataclass

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.layers import Affine, Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.transformer import MLP
from numpyclip.model.vision.attention_pool import AttentionPool
from numpyclip.model.vision.vision_config import POOL_HEAD_WIDTH, ConvNeXtConfig, StagesConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_POOL, _MLP, _HIDDEN = "visual.head.pool", "visual.head.mlp", "visual.trunk.head.pre_logits.fc"


@dataclass(frozen=True, eq=False, repr=False)
class Head:
    """A norm and maybe a hidden layer, before attention pooling or after the mean; and a projection, if any.

    The scale and shift of the norm are folded into the next matrix, unless `norm` has them.
    """

    eps: float | None
    norm: Affine | None
    hidden: Linear | None
    pool: AttentionPool | None
    projection: Linear | MLP | None
    output_dim: int

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: StagesConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors after the norm."""
        d = config.features
        if isinstance(config, ConvNeXtConfig) and config.hidden:
            yield from expected.linear(_HIDDEN, d, d)
        if config.pool != "avg":
            yield from AttentionPool.tensors(checkpoint, _POOL, d, embed_dim, _positions(checkpoint, config))
            d = embed_dim
        if config.has_head and config.mlp_head:
            yield from expected.linear(f"{_MLP}.fc1", d, 2 * embed_dim)
            yield from expected.projection(checkpoint, f"{_MLP}.fc2", 2 * embed_dim, embed_dim)
        elif config.has_head:
            yield from expected.projection(checkpoint, _projection(checkpoint), d, embed_dim)

    @classmethod
    def read(cls, weights: WeightReader, config: StagesConfig, norm: str | None = None) -> "Head":
        """Read the weights; fold in the norm before."""
        hidden = pool = affine = None
        if isinstance(config, ConvNeXtConfig) and config.hidden:
            hidden, norm = Linear.read(weights, _HIDDEN, norm=norm), None
        if norm is not None and (config.pool != "avg" or not config.has_head):
            affine, norm = Affine.read(weights, norm), None
        if config.pool != "avg":
            pool = AttentionPool.read(weights, _POOL, config.features // POOL_HEAD_WIDTH)
        projection = _read_projection(weights, config, norm)
        last = projection or (pool.c_proj if pool else None)
        eps = config.eps if isinstance(config, ConvNeXtConfig) else None
        return cls(eps, affine, hidden, pool, projection, last.output_dim if last else config.features)

    def __call__(self, x: Array) -> Array:  # (d, y, x, b) -> (e, b)
        shape = x.shape[1:]
        y: Array = x.mean(axis=(1, 2)) if self.pool is None else x.reshape(len(x), -1)
        if self.eps is not None:
            y = ops.standardize(y, self.eps)
        if self.norm is not None:
            y = self.norm(y)
        if self.hidden is not None:
            y = ops.in_pieces(ops.gelu, self.hidden(y))
        if self.pool is not None:
            y = self.pool(y.reshape(len(y), *shape))
        return y if self.projection is None else self.projection(y)


def _read_projection(weights: WeightReader, config: StagesConfig, norm: str | None) -> Linear | MLP | None:
    if not config.has_head:
        return None
    if config.mlp_head:
        fc1 = Linear.read(weights, f"{_MLP}.fc1", norm=norm)
        return MLP(fc1, read_projection(weights, f"{_MLP}.fc2"), "gelu")
    return read_projection(weights, _projection(weights.checkpoint), norm)


def _projection(checkpoint: Checkpoint) -> str:
    """Name the last matrix: open_clip's, or else timm's own."""
    return "visual.head.proj" if "visual.head.proj.weight" in checkpoint else "visual.trunk.head.fc"


def _positions(checkpoint: Checkpoint, config: StagesConfig) -> int:
    """Count the positions that were learned, of a square: the table alone tells how many there are."""
    name = f"{_POOL}.positional_embedding"
    if config.pool == "rot_attn":
        return 0
    rows = checkpoint.shape(name, 2)[0] if name in checkpoint else 0
    return max(math.isqrt(max(rows - 1, 0)), 1) ** 2
