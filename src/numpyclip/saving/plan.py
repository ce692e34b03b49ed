"""The plan of a folder, made before anything is written, and what layouts of other libraries can express."""

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
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.attention import in_proj_names
from numpyclip.model.config import CLIPConfig, list_options
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

USUAL_TOKENIZERS = ("openai", "open_clip")  # others of the same vocabulary clean texts differently

OTHER_IDS = (
    "texts with HTML entities, such as '&amp;', or special tokens get other ids there: the tokenizers of OpenCLIP and "
    "transformers differ."
)

PREPROCESS = ("size", "profile", "mean", "std", "interpolation", "resize_mode", "fill")  # options that have a name
INT8 = "The format 'int8' takes every model."

_MIN_ROUNDED = 2**12  # numbers: rounding smaller tensors saves no space to speak of


@dataclass(frozen=True)
class Plan:
    """A folder to be written: the name, tensors and header of the file of weights, and the other files."""

    weights: str
    tensors: Sequence[Unwritten]
    metadata: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes | Path] = field(default_factory=dict)  # contents, or where to copy them from
    warning: str | None = None  # for the caller of `save`


@dataclass(frozen=True, eq=False)
class Weight:
    """A tensor under its new name, computed lazily as float32."""

    name: str
    shape: tuple[int, ...]
    make: Callable[[], NDArray[np.float32]]

    @classmethod
    def of(cls, name: str, checkpoint: Checkpoint, *sources: str, change: Change = lambda array: array) -> Weight:
        """Take a tensor of a checkpoint, or several, one below the other, and change it."""
        shapes = [checkpoint.arrays[source].shape for source in sources]
        rows = (sum(shape[0] for shape in shapes),) if len(shapes) > 1 else shapes[0][:1]
        # to learn the shape, change an array that takes no memory
        shape = change(np.broadcast_to(np.float32(0), (*rows, *shapes[0][1:]))).shape

        def make() -> NDArray[np.float32]:
            arrays = [checkpoint.copy(source) for source in sources]
            checkpoint.release()
            return change(np.concatenate(arrays) if len(arrays) > 1 else arrays[0])

        return cls(name, shape, make)

    def in_floats(self, dtype: DType) -> Unwritten:
        """Write it as floating point."""
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
        """Write a large matrix as int8, with a scale for each row, and all else as floating point.

        So are positional embeddings, which are added, not multiplied.
        """
        is_matrix = len(self.shape) > 1 and self.shape[0] > 1 and math.prod(self.shape) >= _MIN_ROUNDED
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
    """Encode a config file."""
    return (json.dumps(value, indent=2) + "\n").encode()


@dataclass(frozen=True)
class Layout:
    """The layout of another library: the kinds of towers that it knows, and which of their options it expresses."""

    name: str
    vision: Options
    text: Options
    vision_fixed: Mapping[str, object] = field(default_factory=dict)  # values of other options, if not the defaults
    text_fixed: Mapping[str, object] = field(default_factory=dict)

    def check(self, config: CLIPConfig, checkpoint: Checkpoint) -> None:
        """Raise UnsupportedCheckpointError, with the name of an option, unless the layout can express a model."""
        self._check(config.vision, self.vision, self.vision_fixed, checkpoint)
        self._check(config.text, self.text, self.text_fixed, checkpoint)
        self._check(config.preprocess, {Preprocess: PREPROCESS}, {}, checkpoint)
        if config.decoder is not None:
            raise self.cannot(checkpoint, " from another one: it has a decoder, which writes captions.")

    def cannot(self, checkpoint: Checkpoint, reason: str) -> UnsupportedCheckpointError:
        """Return the error that a checkpoint cannot be saved in this layout."""
        return UnsupportedCheckpointError(f"{checkpoint.path}: cannot be saved in the layout of {self.name}{reason}")

    def _check(self, options: Any, kinds: Options, fixed: Mapping[str, object], checkpoint: Checkpoint) -> None:
        if options is None:
            raise self.cannot(checkpoint, ", which has two towers; this model has one.")
        if type(options) not in kinds:
            kind = type(options).__name__.removesuffix("Config")
            raise self.cannot(checkpoint, f", which has no {kind}. {INT8}")
        for name, found, default in list_options(options):
            only = fixed.get(name, default)
            if name not in kinds[type(options)] and found != only:
                reason = f", which has no such model: {name} is {found!r:.200}; expected {only!r:.200}. {INT8}"
                raise self.cannot(checkpoint, reason)


def in_proj_sources(checkpoint: Checkpoint, attention: str, field: str) -> list[str]:
    """List the tensors whose rows, one below the other, are an attention's ``in_proj_weight`` or ``in_proj_bias``."""
    weights, biases = in_proj_names(checkpoint, attention)
    return list(weights if field == "weight" else biases)
