"""Which tensors a checkpoint holds for the common parts of models: names as in openai/CLIP's state dict, and shapes."""

from collections.abc import Iterator

from numpyclip.model.config import TransformerConfig
from numpyclip.model.layers import in_proj_names
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
    """List a scale, a shift, and the statistics that they are for."""
    for field in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{field}", (d,)


def projection(checkpoint: Checkpoint, name: str, d: int, embed_dim: int) -> Tensors:
    """List what stands at a tower's end: a matrix (d, e), or a layer, with a bias or without."""
    if f"{name}.weight" not in checkpoint:
        yield name, (d, embed_dim)
        return
    yield f"{name}.weight", (embed_dim, d)
    if f"{name}.bias" in checkpoint:
        yield f"{name}.bias", (embed_dim,)


def transformer(checkpoint: Checkpoint, name: str, config: TransformerConfig) -> Tensors:
    """List the blocks of a transformer."""
    d = config.width
    for index in range(config.layers):
        block = f"{name}.resblocks.{index}"
        yield from norm(f"{block}.ln_1", d)
        yield from attention(checkpoint, f"{block}.attn", d)
        yield from norm(f"{block}.ln_2", d)
        yield from mlp(f"{block}.mlp", config)
        if config.layer_scale:
            yield f"{block}.ls_1.gamma", (d,)
            yield f"{block}.ls_2.gamma", (d,)


def attention(checkpoint: Checkpoint, name: str, d: int) -> Tensors:
    """List what makes queries, keys and values, in one matrix or more, and what mixes the heads."""
    for weight, bias, parts in in_proj_names(checkpoint, name):
        yield weight, (parts * d, d)
        yield bias, (parts * d,)
    yield from linear(f"{name}.out_proj", d, d)


def mlp(name: str, config: TransformerConfig) -> Tensors:
    """List the two layers of an MLP."""
    yield from linear(f"{name}.c_fc", config.width, config.mlp_width)
    yield from linear(f"{name}.c_proj", config.mlp_width, config.width)
