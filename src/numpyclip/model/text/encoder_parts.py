"""What bidirectional encoders of texts share: padding that is left out, the mean of tokens, and the head."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model.layers import Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.text.encoder_configs import EncoderConfig
from numpyclip.model.transformer import MLP
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_HEAD = "text_projection"


def padding_last(ids: NDArray[np.integer], pad_id: int) -> NDArray[np.integer]:
    """Move padding within texts, which no token attends to, to their ends: (b, n) -> (b, n)."""
    order = np.argsort(ids == pad_id, axis=1, kind="stable")
    moved: NDArray[np.integer] = np.take_along_axis(ids, order, 1)
    return moved


def count_shown(ids: NDArray[np.integer], pad_id: int) -> NDArray[np.integer]:
    """Count the tokens up to each, without padding, for which it is 0: (b, n) -> (b, n)."""
    is_text = ids != pad_id
    numbers: NDArray[np.integer] = np.cumsum(is_text, axis=1) * is_text
    return numbers


def mask_within(ids: NDArray[np.integer], pad_id: int) -> Array | None:
    """Return the mask that hides padding within texts, but for a first token, if there is any: (b, n) -> (b, 1, n)."""
    is_padding = ids == pad_id
    is_padding[:, 0] = False
    if not is_padding.any():
        return None
    mask: Array = np.where(is_padding[:, np.newaxis], np.float32(-np.inf), np.float32(0))
    return mask


def mean_of_shown(x: Array, batch: int, mask: Array | None) -> Array:
    """Average the tokens of each text that a mask does not hide: (d, batch n) -> (d, batch)."""
    if mask is None:
        return mean_of_tokens(x, batch)
    shown = np.exp(mask)  # 0 or 1
    weights = shown / shown.sum(axis=2, keepdims=True)  # (b, 1, n)
    mean: Array = np.einsum("dbn,bn->db", x.reshape(len(x), batch, -1), weights[:, 0])
    return mean


def without_padding(
    embed: Callable[[NDArray[np.integer]], Array], ids: NDArray[np.integer], config: EncoderConfig, output_dim: int
) -> Array:
    """Embed texts of equal length together, which need no mask of padding: (b, n) -> (b, e)."""
    lengths = config.lengths(ids)
    embeddings = np.empty((len(ids), output_dim), np.float32)
    for length in np.unique(lengths):
        rows = lengths == length
        embeddings[rows] = embed(ids[rows, :length])
    return embeddings


def mean_of_tokens(x: Array, batch: int) -> Array:
    """Average the tokens of each text: (d, batch n) -> (d, batch)."""
    mean: Array = x.reshape(len(x), batch, -1).mean(axis=2)
    return mean


def head_tensors(checkpoint: Checkpoint, config: EncoderConfig, embed_dim: int) -> expected.Tensors:
    """List the tensors between the pooled token and the embedding."""
    d = config.width
    if config.projection == "linear":
        yield from expected.projection(checkpoint, _HEAD, d, embed_dim)
    elif config.projection == "mlp":
        hidden = (d + embed_dim) // 2
        yield from expected.projection(checkpoint, f"{_HEAD}.c_fc", d, hidden)
        yield from expected.projection(checkpoint, f"{_HEAD}.c_proj", hidden, embed_dim)


def read_head(weights: WeightReader, config: EncoderConfig) -> Linear | MLP | None:
    """Read what is between the pooled token and the embedding, None if they are the same."""
    if config.projection == "mlp":
        c_fc, c_proj = (read_projection(weights, f"{_HEAD}.{layer}") for layer in ("c_fc", "c_proj"))
        return MLP(c_fc, c_proj, "gelu")
    return read_projection(weights, _HEAD) if config.projection else None
