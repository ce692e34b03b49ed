"""What a folder is going to hold, decided before anything is written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.model.config import list_options
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.dtypes import narrow_to_bfloat16, narrow_to_float16
from numpyclip.weights.int8 import SCALE, round_to_int8, row_scales
from numpyclip.weights.safetensors import Unwritten

Change: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
DType: TypeAlias = Literal["float32", "float16", "bfloat16"]

Options: TypeAlias = Mapping[type[Any], Sequence[str]]

_KINDS: Mapping[DType, tuple[str, Callable[[NDArray[np.float32]], NDArray[np.generic]]]] = {
    "float32": ("F32", lambda numbers: numbers.astype("<f4", copy=False)),
    "float16": ("F16", narrow_to_float16),
    "bfloat16": ("BF16", narrow_to_bfloat16),
}

USUAL_TOKENIZERS = ("openai", "open_clip")  # others on the same vocabulary clean texts otherwise

_LEAST_ROUNDED = 2**12  # numbers: smaller tensors take no room to speak of


@dataclass(frozen=True)
class Plan:
    """A folder to be.

    Attributes
    ----------
    weights : str
        Name of the file of weights.
    tensors : sequence of Unwritten
        What it holds.
    metadata : mapping of str to str
        What its header notes.
    files : mapping of str to bytes or Path
        All other files by name, and their content, or where they are copied from.
    """

    weights: str
    tensors: Sequence[Unwritten]
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes | Path] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Weight:
    """A tensor under its new name, and how its numbers are made, as float32."""

    name: str
    shape: tuple[int, ...]
    make: Callable[[], NDArray[np.float32]]

    @classmethod
    def of(
        cls,
        name: str,
        checkpoint: Checkpoint,
        *sources: str,
        change: Change = lambda array: array,
    ) -> Weight:
        """Take a tensor of a checkpoint, or several that are put below each other, and change it."""
        shapes = [checkpoint.arrays[source].shape for source in sources]
        rows = (sum(shape[0] for shape in shapes),) if len(shapes) > 1 else shapes[0][:1]
        # nothing is computed for this one: it stands for an array of any size
        shape = change(np.broadcast_to(np.float32(0), (*rows, *shapes[0][1:]))).shape

        def make() -> NDArray[np.float32]:
            arrays = [checkpoint.copy(source) for source in sources]
            checkpoint.release()
            return change(np.concatenate(arrays) if len(arrays) > 1 else arrays[0])

        return cls(name, shape, make)

    def in_floats(self, dtype: DType) -> Unwritten:
        """Have it written in floating point."""
        kind, narrow = _KINDS[dtype]

        def make() -> NDArray[np.generic]:
            try:
                return narrow(self.make())
            except OverflowError as error:
                raise UnsupportedCheckpointError(
                    f"tensor '{self.name}' cannot be saved as {dtype}: {error}. Pass float32."
                ) from error

        return Unwritten(self.name, kind, self.shape, make)

    def in_int8(self, dtype: DType) -> list[Unwritten]:
        """Have it written in eight bits, with a scale for each row, if it is large; in floating point if not.

        Positions, which are added and not multiplied, and every one of which matters, stay in floating point.
        """
        is_matrix = len(self.shape) > 1 and self.shape[0] > 1 and math.prod(self.shape) >= _LEAST_ROUNDED
        if not is_matrix or "pos" in self.name:
            return [self.in_floats(dtype)]
        return [
            Unwritten(self.name, "I8", self.shape, lambda: round_to_int8(self._finite())),
            Unwritten(self.name + SCALE, "F32", self.shape[:1], lambda: row_scales(self._finite())),
        ]

    def _finite(self) -> NDArray[np.float32]:
        numbers = self.make()
        if not np.isfinite(numbers).all():
            raise UnsupportedCheckpointError(
                f"tensor '{self.name}' cannot be saved as int8: it holds numbers that are not finite."
            )
        return numbers


def as_json(value: object) -> bytes:
    """Write a description."""
    return (json.dumps(value, indent=2) + "\n").encode()


_ELSE = "The format 'int8' takes every model."


def require(options: Any, kinds: Options, where: str, layout: str, **fixed: object) -> None:
    """Raise unless a layout can express some options of a model.

    Parameters
    ----------
    options : dataclass
    kinds : mapping of type to sequence of str
        The kinds of options that the layout knows, and which of theirs it expresses, whatever they are.
    where, layout : str
        Named in the message.
    **fixed
        Options that it does not express, and what they are there; all others are the default.

    Raises
    ------
    UnsupportedCheckpointError
        With the name of the option.
    """
    cannot = f"{where}: cannot be saved in the layout of {layout}"
    if options is None:
        raise UnsupportedCheckpointError(f"{cannot}, which has two towers; this model has one.")
    if type(options) not in kinds:
        kind = type(options).__name__.removesuffix("Config")
        raise UnsupportedCheckpointError(f"{cannot}, which has no {kind}. {_ELSE}")
    for name, found, default in list_options(options):
        only = fixed.get(name, default)
        if name not in kinds[type(options)] and found != only:
            raise UnsupportedCheckpointError(
                f"{cannot}, which has no such model: {name} is {found!r:.200}; expected {only!r:.200}. {_ELSE}"
            )
