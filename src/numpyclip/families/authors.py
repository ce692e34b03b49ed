"""Files of authors whose code is openai/CLIP's with changes: their tensors, by OpenAI's names.

Long-CLIP (Zhang et al., 2024; model/model_longclip.py of beichenzbc/Long-CLIP) has two tables of positions: of the
first 20 tokens, which were not trained further, and of the others. TinyCLIP (Wu et al., 2023; src/open_clip/model.py of
wkcn/TinyCLIP) has its towers in modules of their own, and GELU. Those of its models that were pruned automatically have
blocks of different sizes, or without attention or MLP.
"""

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError
from numpyclip.families.tensor_names import rename
from numpyclip.weights.checkpoint import Checkpoint

KEPT_POSITIONS = 20

_TINY_CLIP = re.compile(
    r"(module\.)*(_image_encoder|_text_encoder|_logit_scale|(image|text)_encoder_without_ddp)\.(module\.)*"
)
_LOGIT_SCALE = re.compile(r"(module\.)*_logit_scale\.(module\.)*logit_scale")


def is_tiny_clip(checkpoint: Checkpoint) -> bool:
    """Tell whether a file has TinyCLIP's names."""
    return any(map(_LOGIT_SCALE.fullmatch, checkpoint.arrays))


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Give tensors OpenAI's names, and join tables of positions; other files stay as they are."""
    if is_tiny_clip(checkpoint):
        from numpyclip.families.pruned_blocks import pad

        checkpoint = pad(rename(checkpoint, lambda name: _TINY_CLIP.sub("", name, count=1)))
    if "positional_embedding_res" in checkpoint:
        checkpoint = join_positions(checkpoint, "positional_embedding", "positional_embedding_res")
    return checkpoint


def join_positions(checkpoint: Checkpoint, first: str, rest: str) -> Checkpoint:
    """Put the first rows of one table and the other rows of another into one, under the name of the first."""
    shape, found = checkpoint.shape(first, 2), checkpoint.shape(rest, 2)
    if found != shape:
        raise CheckpointError(f"{checkpoint.path}: tensor '{rest}' has shape {found}; expected {shape}, as '{first}'.")
    arrays = dict(checkpoint.arrays)
    tables = [checkpoint.take(first), checkpoint.take(rest)]
    del arrays[rest]
    joined: NDArray[np.float32] = np.concatenate([tables[0][:KEPT_POSITIONS], tables[1][KEPT_POSITIONS:]])
    return replace(checkpoint, arrays={**arrays, first: joined})
