"""Names and arrays of one file, checked as a model takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError

Activation = Literal["quick_gelu", "gelu"]

# Sizes that OpenAI's archives record beside the weights.
SIZE_RECORDS = ("input_resolution", "context_length", "vocab_size")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file of weights says.

    Attributes
    ----------
    path : Path
        Where it came from; begins every message about it.
    arrays : mapping of str to ndarray
        By openai/CLIP's names, in the number format of the file, mapped read-only where the file allows.
    activation : {"quick_gelu", "gelu"} or None
        If the file records it; tensors alone do not tell.
    described : mapping of str to object
        Sizes that a description beside the file states, such as ``"vision_cfg.width"``.
    """

    path: Path
    arrays: Mapping[str, NDArray[np.generic]]
    activation: Activation | None = None
    described: Mapping[str, object] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Shape of a tensor that must exist and have so many dimensions, none of them empty."""
        if name not in self.arrays:
            raise CheckpointError(
                f"{self.path}: tensor '{name}' is missing; expected the names of openai/CLIP's state dict. "
                f"The file has {', '.join(f'{known!r:.100}' for known in list(self.arrays)[:3]) or 'no tensors'}, ..."
            )
        shape = self.arrays[name].shape
        if len(shape) != dimensions or 0 in shape:
            raise CheckpointError(
                f"{self.path}: tensor '{name}' has shape {shape}; expected {dimensions} dimensions, none of them empty."
            )
        return shape

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a tensor of exactly this shape as float32: the mapped bytes themselves if they are float32."""
        found = self.shape(name, len(shape))
        array = self.arrays[name]
        if found != shape:
            raise CheckpointError(f"{self.path}: tensor '{name}' has shape {found}; expected {shape}.")
        if array.dtype.kind != "f":
            raise CheckpointError(f"{self.path}: tensor '{name}' holds {array.dtype}; expected floating point.")
        self._taken.add(name)
        try:
            with np.errstate(over="raise", invalid="ignore"):
                taken = np.require(array, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
        except FloatingPointError as error:
            raise CheckpointError(f"{self.path}: tensor '{name}' holds numbers too large for float32.") from error
        taken.flags.writeable = False
        return taken

    def check_all_taken(self) -> None:
        """Raise if the model left a tensor unused: then it is not the model that the file describes."""
        unused = [
            name
            for name in self.arrays
            if name not in self._taken and name not in SIZE_RECORDS and not name.endswith(".num_batches_tracked")
        ]
        if unused:
            raise CheckpointError(
                f"{self.path}: {len(unused)} tensors have no place in this model, first {unused[0]!r:.200} of shape "
                f"{self.arrays[unused[0]].shape}; expected exactly those of openai/CLIP."
            )
