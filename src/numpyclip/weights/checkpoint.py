"""The tensors of a model as its files have them, checked when a model takes them."""

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError
from numpyclip.weights.activations import ACTIVATIONS as ACTIVATIONS
from numpyclip.weights.activations import Activation as Activation
from numpyclip.weights.archive import mapped_file
from numpyclip.weights.dtypes import BFloat16, widen_float16
from numpyclip.weights.int8 import SCALE, ScaledInt8

# Sizes that OpenAI's archives record beside the weights.
SIZE_RECORDS = ("input_resolution", "context_length", "vocab_size")


@dataclass(frozen=True)
class ConfigFile:
    """A library's config file, or what OpenCLIP's table has in place of one."""

    name: str  # shows the library: "open_clip_config.json", say
    options: Mapping[str, Any]  # the JSON object in it


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The contents of a file of weights, or of sharded ones.

    Attributes
    ----------
    path : Path
        Begins every message about it.
    arrays : mapping of str to ndarray
        By openai/CLIP's names, in the dtypes of the file, memory-mapped read-only where the file allows.
    activation : {"quick_gelu", "gelu"} or None
        If the file records it.
    identity : str or None
        Changes with the file and the config it is read by.
    stored : mapping of str to ndarray
        By the names in the file, which a family's module may have changed in `arrays`.
    config_file : ConfigFile or None
        By which the model was read, unless by its tensors alone.
    left_out : tuple of str
        The names of tensors in the file that are no part of the model.
    warnings : tuple of str
        What the user should know about the choice of these tensors.
    """

    path: Path
    arrays: Mapping[str, NDArray[np.generic]]
    activation: Activation | None = None
    identity: str | None = None
    stored: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    config_file: ConfigFile | None = None
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, {len(self.arrays)} tensors)"

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_mapped_files"}  # no mmap can be pickled

    def read_as(self, config_file: ConfigFile | None, config: str) -> "Checkpoint":
        """Return it with its config file, and an identity of both: other options need other prepared weights."""
        return replace(self, identity=identity_of(self.identity, config), config_file=config_file)

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor that must exist, with so many dimensions, none of them empty."""
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

    def check(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raise unless the tensors are exactly those of a model, by name and shape, all of floating point."""
        for name, shape in expected.items():
            found = self.shape(name, len(shape))
            if found != shape:
                raise CheckpointError(f"{self.path}: tensor '{name}' has shape {found}; expected {shape}.")
            array = self.arrays[name]
            if not is_floating(array):
                raise CheckpointError(
                    f"{self.path}: tensor '{name}' holds {array.dtype}; expected floating point, or int8 with scales "
                    f"for its rows in a tensor '{name}{SCALE}'."
                )
            if array.dtype.itemsize > 4 and _is_beyond_float32(array):
                raise CheckpointError(f"{self.path}: tensor '{name}' holds numbers too large for float32.")
        ignored = (*SIZE_RECORDS, *(name for name in self.arrays if name.endswith(".num_batches_tracked")))
        if unused := [name for name in self.arrays if name not in expected and name not in ignored]:
            raise CheckpointError(
                f"{self.path}: {len(unused)} tensors have no place in this model, first {unused[0]!r:.200} of shape "
                f"{self.arrays[unused[0]].shape}; expected exactly those of openai/CLIP."
            )

    def only(self, expected: Mapping[str, tuple[int, ...]]) -> "Checkpoint":
        """Return the tensors of a model alone, without leftovers of training, after `check`."""
        self.check(expected)
        return replace(self, arrays={name: self.arrays[name] for name in expected})

    def take(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32, read-only: a view of the memory-mapped file if it holds float32."""
        array = self.arrays[name]
        taken = array.view() if _is_plain_float32(array) else self.copy(name)
        taken.flags.writeable = False
        return taken

    def copy(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as a new array of float32."""
        array = self.arrays[name]
        if array.dtype == np.float16:
            return widen_float16(array.view(np.float16))
        with np.errstate(over="ignore", invalid="ignore"):  # `check` refuses overflow; NaN may be signalling
            return array.astype(np.float32, order="C")

    def table(self, name: str) -> NDArray[np.floating[Any]]:
        """Return a tensor of which only some rows will be read: as it is if rows are easily converted to float32."""
        array = self.arrays[name]
        easy = array.dtype in (np.float16, np.float32) or isinstance(array, ScaledInt8 | BFloat16)
        return array.view(array.dtype) if easy else self.take(name)

    def release(self) -> None:
        """Give back the memory of all pages that were read of memory-mapped files; they are read again when needed."""
        for file in self._mapped_files:
            if hasattr(file, "madvise"):  # not on Windows
                file.madvise(mmap.MADV_DONTNEED)

    @cached_property
    def _mapped_files(self) -> set[mmap.mmap]:
        return {file for array in self.arrays.values() if (file := mapped_file(array))}


def identity_of(*parts: object) -> str | None:
    """Hash the parts of an identity; None if one of them is unknown."""
    return None if None in parts else hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def is_floating(array: NDArray[np.generic]) -> bool:
    """Tell whether an array holds, or stands for, floating point numbers."""
    if isinstance(array, ScaledInt8):
        return array.scale is not None
    return array.dtype.kind == "f" or isinstance(array, BFloat16)


def _is_beyond_float32(array: NDArray[np.generic]) -> bool:
    pieces = np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], buffersize=2**16)  # it may be expanded
    return any((np.isfinite(piece) & (np.abs(piece) > np.finfo(np.float32).max)).any() for piece in pieces)


def _is_plain_float32(array: NDArray[np.generic]) -> bool:
    return array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned
