"""Long-CLIP (Zhang et al., 2024): one table of positions in place of its two.

Source: model/model_longclip.py of beichenzbc/Long-CLIP. Those of the first 20 tokens were not trained further.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError
from numpyclip.weights.checkpoint import Checkpoint

_FIRST, _REST = "positional_embedding", "positional_embedding_res"
_KEPT = 20


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Put the first rows of one table and the other rows of the other into one; other files stay as they are."""
    if _REST not in checkpoint:
        return checkpoint
    shape, found = checkpoint.shape(_FIRST, 2), checkpoint.shape(_REST, 2)
    if found != shape:
        raise CheckpointError(
            f"{checkpoint.path}: tensor '{_REST}' has shape {found}; expected {shape}, as '{_FIRST}'."
        )
    first, rest = checkpoint.take(_FIRST), checkpoint.take(_REST)
    joined: NDArray[np.float32] = np.concatenate([first[:_KEPT], rest[_KEPT:]])
    arrays = {name: array for name, array in checkpoint.arrays.items() if name != _REST}
    return replace(checkpoint, arrays={**arrays, _FIRST: joined})
