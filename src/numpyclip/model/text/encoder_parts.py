"""What bidirectional encoders of texts share: padding that is left out, the mean of tokens, and the head."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model.config import EncoderConfig
from numpyclip.model.layers import Linear, read_projection
from numpyclip.model.ops import Array
from numpyclip.model.transformer import MLP
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint

_HEAD = "text_projection"


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


def padding(ids: NDArray[np.integer], config: EncoderConfig) -> NDArray[np.bool_]:
    """Tell which tokens are padding, and come after the text: (b, n) -> (b, n)."""
    is_padding: NDArray[np.bool_] = np.arange(ids.shape[1]) >= config.lengths(ids)[:, np.newaxis]
    return is_padding


def hiding(is_hidden: NDArray[np.bool_]) -> Array:
    """Return the mask by which no token attends to some: (b, n) -> (b, 1, n)."""
    mask: Array = np.where(is_hidden[:, np.newaxis], np.float32(-np.inf), np.float32(0))
    return mask


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
