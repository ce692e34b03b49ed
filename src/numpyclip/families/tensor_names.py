"""Names and shapes of tensors: from those of another library to those of openai/CLIP."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, quoted
from numpyclip.weights.checkpoint import Checkpoint

# Pairs of a name there and ours, or of their prefixes up to a dot. A * is a number, which stays. Also read backwards:
# where several have the same right side, the first is the usual one.
Names = tuple[tuple[str, str], ...]

# Of tensors that are (1, n, d) and (1, 1, d) in timm, and in libraries that follow it.
LEADING_AXES = {"visual.positional_embedding": 1, "visual.register_embedding": 1, "visual.class_embedding": 2}

# In names of tensors that follow from the sizes: positions 0, 1, 2 and so on, and tables of rotary and sinusoidal ones.
_COMPUTED = (".position_ids", ".token_type_ids", ".embed_positions.weights", ".rope.", ".rotary_emb.", ".inner_attn.")

_MAX_PARTS = 10  # between the dots of a pair's name


def of_blocks(theirs: str, ours: str, parts: Names) -> Names:
    """Return the names of the tensors of all blocks under a prefix."""
    return tuple((f"{theirs}.*.{there}", f"{ours}.resblocks.*.{here}") for there, here in parts)


def of_flash_attention(attention: str) -> Names:
    """Return the names within a block of BERT in the code of FlashAttention, and in what was made of it."""
    return (
        (f"{attention}.Wqkv.weight", "attn.in_proj_weight"),
        (f"{attention}.Wqkv.bias", "attn.in_proj_bias"),
        (f"{attention}.out_proj", "attn.out_proj"),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )


def used(checkpoint: Checkpoint, unused: tuple[str, ...] = ()) -> Checkpoint:
    """Leave out tensors that follow from the sizes, and those whose names begin so."""
    arrays = {
        name: array
        for name, array in checkpoint.arrays.items()
        if not (name.startswith(unused) or any(part in name for part in _COMPUTED))
    }
    return replace(checkpoint, arrays=arrays)


def rename(checkpoint: Checkpoint, translate: Callable[[str], str]) -> Checkpoint:
    """Rename all tensors; CheckpointError if two of them would have the same name."""
    names = {name: translate(name) for name in checkpoint.arrays}
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise CheckpointError(
                f"{checkpoint.path}: tensor {quoted(name)} is there {count} times, under other names."
            )
    unread = {translate(name): what for name, what in checkpoint.unread.items()}
    return replace(checkpoint, arrays={names[name]: array for name, array in checkpoint.arrays.items()}, unread=unread)


def squeeze(arrays: Mapping[str, NDArray[np.generic]], axes: Mapping[str, int]) -> dict[str, NDArray[np.generic]]:
    """View some tensors without so many leading axes, where these have length 1."""
    squeezed = {
        name: arrays[name].reshape(arrays[name].shape[count:])
        for name, count in axes.items()
        if name in arrays and arrays[name].shape[:count] == (1,) * count
    }
    return {**arrays, **squeezed}


def with_convolution(
    checkpoint: Checkpoint, name: str, width: int, patch_size: int, channels_last: bool = True
) -> Checkpoint:
    """View a matrix that multiplies patches as the weights of a convolution."""
    if checkpoint.shape(name, 2) != (width, patch_size * patch_size * 3):
        return checkpoint  # which will be refused
    weight = checkpoint.arrays[name]
    if channels_last:
        weight = weight.reshape(width, patch_size, patch_size, 3).transpose(0, 3, 1, 2)
    weight = weight.reshape(width, 3, patch_size, patch_size)
    return replace(checkpoint, arrays={**checkpoint.arrays, name: weight})


def translator(names: Names) -> Callable[[str], str]:
    """Make a function from their name to ours; a name without a pair stays as it is."""
    table: Mapping[str, str] = dict(names)

    def translate(name: str) -> str:
        parts = name.split(".")
        if "*" in parts:  # in no library: it would be taken for a pattern
            return name
        general = ["*" if part.isdecimal() else part for part in parts]
        for end in range(min(len(parts), _MAX_PARTS), 0, -1):  # the longest prefix in the table
            ours = table.get(".".join(parts[:end])) or table.get(".".join(general[:end]))
            if ours is not None:
                numbers = (part for part in parts if part.isdecimal())
                return ".".join([next(numbers) if part == "*" else part for part in ours.split(".")] + parts[end:])
        return name

    return translate
