"""Names, as in openai/CLIP's state dict, and shapes of the tensors of the common parts of models."""

from collections.abc import Iterator

from numpyclip.model.attention import in_proj_names
from numpyclip.model.transformer_config import Biased, TransformerConfig
from numpyclip.weights.checkpoint import Checkpoint

Shape = tuple[int, ...]
Tensors = Iterator[tuple[str, Shape]]


def number(checkpoint: Checkpoint, name: str) -> Tensors:
    """List one number: of shape () in openai/CLIP, (1,) in some others."""
    shape = checkpoint.arrays[name].shape if name in checkpoint else ()
    yield name, shape if shape == (1,) else ()


def linear(name: str, d: int, e: int) -> Tensors:
    """List a matrix and a bias."""
    yield f"{name}.weight", (e, d)
    yield f"{name}.bias", (e,)


def norm(name: str, d: int) -> Tensors:
    """List a scale and a shift."""
    yield f"{name}.weight", (d,)
    yield f"{name}.bias", (d,)


def batch_norm(name: str, d: int) -> Tensors:
    """List a scale, a shift, and running statistics."""
    for field in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{field}", (d,)


def convolution(name: str, conv: str, bn: str, shape: Shape) -> Tensors:
    """List a convolution without a bias, and its batch norm."""
    yield f"{name}.{conv}.weight", shape
    yield from batch_norm(f"{name}.{bn}", shape[0])


def projection(checkpoint: Checkpoint, name: str, d: int, embed_dim: int) -> Tensors:
    """List a projection: a matrix (d, e), or a layer with or without a bias."""
    if f"{name}.weight" not in checkpoint:
        yield name, (d, embed_dim)
        return
    yield f"{name}.weight", (embed_dim, d)
    if f"{name}.bias" in checkpoint:
        yield f"{name}.bias", (embed_dim,)


def transformer(checkpoint: Checkpoint, name: str, config: TransformerConfig) -> Tensors:
    """List the blocks of a transformer."""
    for index in range(config.layers):
        yield from block(checkpoint, f"{name}.resblocks.{index}", config)


def block(checkpoint: Checkpoint, name: str, config: TransformerConfig) -> Tensors:
    """List one block of a transformer."""
    d = config.width
    yield from norm(f"{name}.ln_1", d)
    yield from attention(checkpoint, f"{name}.attn", d, config.biased, config.attention_width)
    if config.sub_norm:
        yield from norm(f"{name}.attn.ln_inner", d)
    if config.mlp_inner_eps is not None:
        yield from norm(f"{name}.mlp.ln_inner", config.mlp_width)
    yield from norm(f"{name}.ln_2", d)
    if config.mlp_norm:
        yield from norm(f"{name}.mlp.norm", d)
    yield from mlp(f"{name}.mlp", config)
    if config.layer_scale:
        yield f"{name}.ls_1.gamma", (d,)
        yield f"{name}.ls_2.gamma", (d,)


def attention(checkpoint: Checkpoint, name: str, d: int, biased: Biased = "qkv", inner: int | None = None) -> Tensors:
    """List the matrices, one or more, of queries, keys and values, and the one that mixes the heads."""
    inner = inner or d
    weights, biases = in_proj_names(checkpoint, name, biased)
    for weight, parts in weights.items():
        yield weight, (len(parts) * inner, d)
    for bias, parts in biases.items():
        yield bias, (len(parts) * inner,)
    yield from linear(f"{name}.out_proj", inner, d)


def mlp(name: str, config: TransformerConfig) -> Tensors:
    """List the two layers of an MLP, and its gate, if any."""
    if config.gated:
        yield from linear(f"{name}.c_gate", config.width, config.mlp_width)
    yield from linear(f"{name}.c_fc", config.width, config.mlp_width)
    yield from linear(f"{name}.c_proj", config.mlp_width, config.width)
