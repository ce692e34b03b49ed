"""Start from exported weights, in a model with more blocks or larger images that computes the same.

Blocks that the file does not have begin as the identity: their last norm is zero. Positions of the attention pool are
interpolated.
"""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from model import CLIP

_POSITIONS = "visual.attnpool.positional_embedding"
_LATER_BLOCK = re.compile(r"visual\.layer\d\.[1-9]")


def begin_with(model: CLIP, file: Path) -> None:
    """Copy the weights of `file`, an export, into `model`."""
    with np.load(file) as arrays:
        found = {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    own = model.state_dict()
    found[_POSITIONS] = resized(found[_POSITIONS], len(own[_POSITIONS]) - 1)
    for name, values in own.items():
        if name in found:
            if found[name].shape != values.shape:
                shapes = f"has shape {tuple(found[name].shape)}; expected {tuple(values.shape)}"
                raise SystemExit(f"{file}: tensor {name!r} {shapes}, as WIDTH in train.py has it.")
            values.copy_(found.pop(name))
        elif not name.endswith("num_batches_tracked") and not _LATER_BLOCK.match(name):
            raise SystemExit(f"{file}: tensor {name!r} is missing; expected a file that export.py wrote.")
    if found:
        raise SystemExit(f"{file}: tensor {next(iter(found))!r} is of no block of the model; see BLOCKS in train.py.")


def resized(positions: Tensor, places: int) -> Tensor:
    """Interpolate positions: that of the mean, and a square of places. (1 + n, d) -> (1 + places, d)."""
    n, width = len(positions) - 1, positions.shape[1]
    if n == places:
        return positions
    square = positions[1:].T.reshape(1, width, round(n**0.5), -1)
    square = F.interpolate(square, size=(round(places**0.5),) * 2, mode="bilinear", align_corners=False)
    return torch.cat([positions[:1], square.reshape(width, -1).T])
