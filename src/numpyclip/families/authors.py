"""Files of authors whose code is openai/CLIP's with changes: their tensors, by OpenAI's names.

Long-CLIP (Zhang et al., 2024; model/model_longclip.py of beichenzbc/Long-CLIP) has two tables of positions: of the
first 20 tokens, which were not trained further, and of the others. TinyCLIP (Wu et al., 2023; src/open_clip/model.py of
wkcn/TinyCLIP) has its towers in modules of their own, and GELU. Those of its models that were pruned automatically have
blocks of different sizes, or without attention or MLP.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError
from numpyclip.families.tensor_names import rename
from numpyclip.weights.checkpoint import Checkpoint

KEPT_POSITIONS = 20
HEAD_WIDTH = 64

# What the code of TinyCLIP multiplies pruned weights by when it loads them, once for each mask: sigmoid(12).
_MASK = np.float32(1 / (1 + math.exp(-12)))

_TINY_CLIP = re.compile(
    r"(module\.)*(_image_encoder|_text_encoder|_logit_scale|(image|text)_encoder_without_ddp)\.(module\.)*"
)
_LOGIT_SCALE = re.compile(r"(module\.)*_logit_scale\.(module\.)*logit_scale")
_BLOCK = re.compile(r"((?:visual\.)?transformer\.resblocks)\.([0-9]{1,3})\.(.+)")


def is_tiny_clip(checkpoint: Checkpoint) -> bool:
    """Tell whether a file has TinyCLIP's names."""
    return any(map(_LOGIT_SCALE.fullmatch, checkpoint.arrays))


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Give tensors OpenAI's names, and join tables of positions; other files stay as they are."""
    if is_tiny_clip(checkpoint):
        checkpoint = _even_out(rename(checkpoint, lambda name: _TINY_CLIP.sub("", name, count=1)))
    if "positional_embedding_res" in checkpoint:
        checkpoint = join_positions(checkpoint, "positional_embedding", "positional_embedding_res")
    return checkpoint


def join_positions(checkpoint: Checkpoint, first: str, rest: str, kept: int = KEPT_POSITIONS) -> Checkpoint:
    """Put the first rows of one table and the other rows of another into one, under the name of the first."""
    shape, found = checkpoint.shape(first, 2), checkpoint.shape(rest, 2)
    if found != shape:
        raise CheckpointError(f"{checkpoint.path}: tensor '{rest}' has shape {found}; expected {shape}, as '{first}'.")
    arrays = dict(checkpoint.arrays)
    tables = [checkpoint.take(first), checkpoint.take(rest)]
    del arrays[rest]
    joined: NDArray[np.float32] = np.concatenate([tables[0][:kept], tables[1][kept:]])
    return replace(checkpoint, arrays={**arrays, first: joined})


# --- pruned blocks --------------------------------------------------------------------------------

Arrays = dict[str, NDArray[Any]]


def _even_out(checkpoint: Checkpoint) -> Checkpoint:
    """Give all blocks of a pruned tower one size, by zeros, which change nothing; other towers stay as they are."""
    blocks: dict[str, dict[int, Arrays]] = {}
    for name, array in checkpoint.arrays.items():
        if match := _BLOCK.fullmatch(name):
            blocks.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = array
    arrays = dict(checkpoint.arrays)
    for prefix, found in blocks.items():
        if not all(_is_whole(block) for block in found.values()):
            arrays = {name: array for name, array in arrays.items() if not name.startswith(f"{prefix}.")}
            arrays |= _even_blocks(checkpoint, prefix, found)
            arrays |= _masked(checkpoint, arrays, "visual." if prefix.startswith("visual.") else "")
    return replace(checkpoint, arrays=arrays)


def _is_whole(block: Mapping[str, NDArray[Any]]) -> bool:
    """Tell whether a block has all its heads, and an MLP of four times its width."""
    shapes = [block[name].shape if name in block else () for name in ("attn.in_proj_weight", "mlp.c_fc.weight")]
    return all(len(shape) == 2 and shape[0] == times * shape[1] for shape, times in zip(shapes, (3, 4), strict=True))


def _even_blocks(checkpoint: Checkpoint, prefix: str, blocks: Mapping[int, Arrays]) -> Arrays:
    """Pad the blocks of a tower; one that has nothing left adds nothing."""

    def rows(block: Mapping[str, NDArray[Any]], name: str) -> int:
        return checkpoint.shape(f"{prefix}.{number}.{name}", 2)[0] if name in block else 0

    inner = mlp = 0
    for number, block in blocks.items():
        inner, mlp = max(inner, rows(block, "attn.in_proj_weight") // 3), max(mlp, rows(block, "mlp.c_fc.weight"))
    names = (f"{prefix}.{number}.{name}" for number, block in blocks.items() for name in block)
    width = next(checkpoint.shape(name, 2)[1] for name in names if name.endswith(("in_proj_weight", "c_fc.weight")))
    sizes = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.in_proj_weight": (3, inner, width),
        "attn.in_proj_bias": (3, inner),
        "attn.out_proj.weight": (width, inner),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (mlp, width),
        "mlp.c_fc.bias": (mlp,),
        "mlp.c_proj.weight": (width, mlp),
        "mlp.c_proj.bias": (width,),
    }
    even: Arrays = {}
    for number in range(max(blocks) + 1):
        for name, shape in sizes.items():
            whole = f"{prefix}.{number}.{name}"
            even[whole] = _padded(checkpoint, whole, shape) if whole in checkpoint else np.zeros(shape, np.float32)
            if name.startswith("attn.in_proj"):
                even[whole] = even[whole].reshape(-1, *shape[2:])
    return even


def _padded(checkpoint: Checkpoint, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Put a tensor into the corner of zeros; CheckpointError if it does not fit."""
    array = checkpoint.take(name)
    if len(shape) > array.ndim:  # queries, keys and values
        array = array.reshape(3, -1, *array.shape[1:]) if len(array) % 3 == 0 else array
    if array.ndim != len(shape) or any(found > most for found, most in zip(array.shape, shape, strict=True)):
        raise CheckpointError(f"{checkpoint.path}: tensor '{name}' has shape {array.shape}; expected up to {shape}.")
    padded = np.zeros(shape, np.float32)
    padded[tuple(map(slice, array.shape))] = array
    return padded


def _masked(checkpoint: Checkpoint, arrays: Arrays, tower: str) -> Arrays:
    """Multiply what writes to the tokens by the masks of pruning, which are not quite 1 when they are loaded."""
    once = ("conv1.weight", "class_embedding", "positional_embedding", "proj", "token_embedding.weight")
    twice = ("attn.out_proj.weight", "mlp.c_proj.weight")
    biases = ("attn.out_proj.bias", "mlp.c_proj.bias")
    masked: Arrays = {}
    for name in arrays:
        own = name.removeprefix(tower)
        if not name.startswith(tower) or own.startswith("visual.") or name == "logit_scale":
            continue
        if own in once or own == "text_projection" or own.endswith(biases):
            masked[name] = np.asarray(arrays[name], np.float32) * _MASK
        elif own.endswith(twice):
            masked[name] = arrays[name] * _MASK * _MASK
    return masked
