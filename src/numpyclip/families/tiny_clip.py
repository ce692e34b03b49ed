"""TinyCLIP (Wu et al., 2023): its tensors by OpenAI's names, and blocks that were pruned automatically.

Source: src/open_clip/model.py of wkcn/TinyCLIP, which has the towers in modules of their own, and GELU; there
`load_pruned_model` and `prune_model`. Pruned blocks have a number of heads and an MLP's width of their own each, or
lack attention or MLP. Here all get one size, by zeros.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families.tensor_names import rename
from numpyclip.weights.checkpoint import Checkpoint

Arrays = dict[str, NDArray[Any]]

_MODULES = re.compile(
    r"(module\.)*(_image_encoder|_text_encoder|_logit_scale|(image|text)_encoder_without_ddp)\.(module\.)*"
)
_LOGIT_SCALE = re.compile(r"(module\.)*_logit_scale\.(module\.)*logit_scale")
_BLOCK = re.compile(r"((?:visual\.)?transformer\.resblocks)\.([0-9]{1,3})\.(.+)")

# What the code of TinyCLIP multiplies pruned weights by when it loads them, once for each mask: sigmoid(12).
_MASK = np.float32(1 / (1 + math.exp(-12)))
_ONCE = ("conv1.weight", "class_embedding", "positional_embedding", "proj", "token_embedding.weight", "text_projection")
_ONCE_IN_BLOCKS = ("attn.out_proj.bias", "mlp.c_proj.bias")
_TWICE_IN_BLOCKS = ("attn.out_proj.weight", "mlp.c_proj.weight")

_MOST = 8  # times the parameters of a tower, which published ones stay below by far


def is_tiny_clip(checkpoint: Checkpoint) -> bool:
    """Tell whether a file has TinyCLIP's names."""
    return any(map(_LOGIT_SCALE.fullmatch, checkpoint.arrays))


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Give tensors OpenAI's names, and all blocks of a tower one size."""
    return _pad(rename(checkpoint, lambda name: _MODULES.sub("", name, count=1)))


def _pad(checkpoint: Checkpoint) -> Checkpoint:
    """Give all blocks of a pruned tower one size, by zeros, which change nothing; other towers stay as they are."""
    blocks: dict[str, dict[int, set[str]]] = {}
    for name in checkpoint.arrays:
        if match := _BLOCK.fullmatch(name):
            blocks.setdefault(match[1], {}).setdefault(int(match[2]), set()).add(match[3])
    arrays = dict(checkpoint.arrays)
    for prefix, found in blocks.items():
        if not all(_is_whole(checkpoint, f"{prefix}.{number}") for number in found):
            rest = {name: array for name, array in arrays.items() if not name.startswith(f"{prefix}.")}
            arrays = rest | _even_blocks(checkpoint, prefix, max(found) + 1)
            arrays |= _masked(replace(checkpoint, arrays=arrays), "visual." if prefix.startswith("visual.") else "")
    return replace(checkpoint, arrays=arrays)


def _is_whole(checkpoint: Checkpoint, block: str) -> bool:
    """Tell whether a block has all its heads, and an MLP of four times its width."""
    names = (f"{block}.attn.in_proj_weight", f"{block}.mlp.c_fc.weight")
    shapes = [checkpoint.shape(name, 2) if name in checkpoint else (0, 1) for name in names]
    return all(rows == times * width for (rows, width), times in zip(shapes, (3, 4), strict=True))


def _even_blocks(checkpoint: Checkpoint, prefix: str, layers: int) -> Arrays:
    """Pad the blocks of a tower; one that has nothing left adds nothing."""
    blocks = [f"{prefix}.{number}" for number in range(layers)]
    inner, width = _largest(checkpoint, [f"{block}.attn.in_proj_weight" for block in blocks])
    mlp, of_mlp = _largest(checkpoint, [f"{block}.mlp.c_fc.weight" for block in blocks])
    inner, width = inner // 3, max(width, of_mlp)
    sizes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"), (width,)),
        **dict.fromkeys(("attn.out_proj.bias", "mlp.c_proj.bias"), (width,)),
        "attn.in_proj_weight": (3, inner, width),
        "attn.in_proj_bias": (3, inner),
        "attn.out_proj.weight": (width, inner),
        "mlp.c_fc.weight": (mlp, width),
        "mlp.c_fc.bias": (mlp,),
        "mlp.c_proj.weight": (width, mlp),
    }
    stored = sum(array.size for name, array in checkpoint.arrays.items() if name.startswith(f"{prefix}."))
    if layers * sum(map(math.prod, sizes.values())) > _MOST * stored:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: the blocks '{prefix}' differ too much in size; expected at most {_MOST} times the "
            "parameters if all were as large as the largest."
        )
    return {
        f"{block}.{name}": _padded(checkpoint, f"{block}.{name}", shape)
        for block in blocks
        for name, shape in sizes.items()
    }


def _largest(checkpoint: Checkpoint, names: Iterable[str]) -> tuple[int, int]:
    """Return the largest numbers of rows and columns of some matrices, of which some may be missing."""
    shapes = [checkpoint.shape(name, 2) for name in names if name in checkpoint]
    return max((rows for rows, _ in shapes), default=0), max((columns for _, columns in shapes), default=0)


def _padded(checkpoint: Checkpoint, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Put a tensor, if there is one, into the corner of zeros; CheckpointError if it does not fit."""
    padded = np.zeros(shape, np.float32)
    is_joined = "attn.in_proj" in name  # of queries, keys and values, each of which is padded
    if name in checkpoint:
        array = checkpoint.take(name)
        parts = array.reshape(3, -1, *array.shape[1:]) if is_joined and array.ndim and len(array) % 3 == 0 else array
        if parts.ndim != len(shape) or any(found > most for found, most in zip(parts.shape, shape, strict=True)):
            raise CheckpointError(
                f"{checkpoint.path}: tensor '{name}' has shape {array.shape}; expected up to {shape}."
            )
        padded[tuple(map(slice, parts.shape))] = parts
    return padded.reshape(-1, *shape[2:]) if is_joined else padded


def _masked(checkpoint: Checkpoint, tower: str) -> Arrays:
    """Multiply what writes to the tokens by the masks of pruning, which are not quite 1 when they are loaded."""
    masked: Arrays = {}
    for name in checkpoint.arrays:
        own = name.removeprefix(tower)
        if name.startswith(tower) and not own.startswith("visual."):
            times = 1 if own in _ONCE or own.endswith(_ONCE_IN_BLOCKS) else 2 * own.endswith(_TWICE_IN_BLOCKS)
            if times:
                masked[name] = checkpoint.copy(name) * _MASK**times
    return masked
