"""Low-rank adapters (LoRA, Hu et al., 2022) beside the weights that they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, CorruptCheckpointError, quoted
from numpyclip.weights.checkpoint import Checkpoint, identity_of
from numpyclip.weights.dtypes import is_finite

# By the name of the tensor (n, m) that they are for: (n, rank) and (rank, m), whose product is added to it.
Adapters: TypeAlias = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class AdaptedCheckpoint(Checkpoint):
    """A checkpoint whose adapters are added to the weights when these are taken."""

    adapters: Adapters = field(default_factory=dict)

    def take(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32, read-only."""
        if name not in self.adapters:
            return super().take(name)
        merged = self.copy(name)
        merged.flags.writeable = False
        return merged

    def copy_to(self, name: str, wide: NDArray[np.float32]) -> None:
        """Write a tensor into an array of float32 of its shape."""
        super().copy_to(name, wide)
        if name in self.adapters:
            left, right = self.adapters[name]
            with np.errstate(over="ignore", invalid="ignore"):
                wide += left @ right
            if not is_finite(wide):
                raise CorruptCheckpointError(
                    f"{self.path}: tensor {quoted(name)} has NaN or infinity once its adapters are added; expected "
                    "finite numbers. The adapters are damaged, or for other weights: use another file."
                )

    def table(self, name: str) -> NDArray[np.floating[Any]]:
        """Return a tensor of which only some rows will be read."""
        return self.take(name) if name in self.adapters else super().table(name)


def adapt(checkpoint: Checkpoint, adapters: Adapters, name: str) -> Checkpoint:
    """Return a checkpoint with adapters, named so among those of its file; CheckpointError if one does not fit."""
    for tensor, (left, right) in adapters.items():
        shape = checkpoint.shape(tensor, 2)
        if (len(left), right.shape[1]) != shape:
            raise CheckpointError(
                f"{checkpoint.path}: the adapters of tensor {quoted(tensor)} make a matrix of {len(left)} by "
                f"{right.shape[1]}; expected {shape[0]} by {shape[1]}, as the tensor is."
            )
    if not adapters:
        return checkpoint
    adapted = AdaptedCheckpoint(
        **{field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}, adapters=adapters
    )
    return replace(adapted, identity=identity_of(checkpoint.identity, name))
