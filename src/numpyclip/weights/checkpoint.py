"""The class `Checkpoint`: the tensors of a model as its files have them, verified when they are taken."""

import hashlib
import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsupportedCheckpointError, listed, quoted
from numpyclip.weights.activations import Activation as Activation
from numpyclip.weights.archive import Archive, mapped_file
from numpyclip.weights.clip_names import IMAGE_ROOTS, TEXT_ROOTS
from numpyclip.weights.dtypes import BFloat16, Spread, is_finite, one_by_one, widen
from numpyclip.weights.int8 import SCALE, ScaledInt8

# Sizes that OpenAI's archives record beside the weights.
SIZE_RECORDS = ("input_resolution", "context_length", "vocab_size")

# The last part of names of buffers, which are constants or statistics of training, even within towers.
_NO_WEIGHTS = (*SIZE_RECORDS, "num_batches_tracked", "attn_mask", "position_ids", "n_averaged")
PLAIN = "a plain tensor: dense, unquantized, complete, of 16 to 64 bits"

_Taken = TypeVar("_Taken", bound=NDArray[Any])


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
        By the names in the file, without a prefix, which a family's module may have changed in `arrays`.
    config_file : ConfigFile or None
        By which the model was read, unless by its tensors alone.
    unread : mapping of str to str
        What is under a name in place of a tensor that can be read.
    label : str
        The keys and the prefix that the tensors have in the file, if any.
    choice : str
        Which of several sets of weights in the file these are, if there are several.
    left_out : tuple of str
        The names of tensors in the file that are no part of the model.
    warnings : tuple of str
        What the user should know about the choice of these tensors.
    archives : tuple of Archive
        Whose checksums cover memory-mapped tensors.
    spread : callable
        Calls a function with each of several parts of a tensor, which are converted independently.
    """

    path: Path
    arrays: Mapping[str, NDArray[np.generic]]
    activation: Activation | None = None
    identity: str | None = None
    stored: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    config_file: ConfigFile | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    choice: str = ""
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    spread: Spread = one_by_one

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, {len(self.arrays)} tensors)"

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getstate__(self) -> dict[str, object]:
        unpickled = ("_mapped_files", "archives")  # no mmap can be pickled
        return {name: value for name, value in vars(self).items() if name not in unpickled}

    def read_as(self, config_file: ConfigFile | None, config: str) -> "Checkpoint":
        """Return it with its config file, and an identity of both: other options need other prepared weights."""
        return replace(self, identity=identity_of(self.identity, config), config_file=config_file)

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor that must exist, with so many dimensions, none of them empty."""
        if what := self.unread.get(name):
            raise UnsupportedCheckpointError(f"{self.path}: tensor '{name}' is {what}; expected {PLAIN}.")
        if name not in self.arrays:
            raise CheckpointError(f"{self.path}: tensor '{name}' is missing; {self._instead_of(name)}")
        shape = self.arrays[name].shape
        if len(shape) != dimensions or 0 in shape:
            gather = " Run DeepSpeed's zero_to_fp32.py, and pass what it writes." if shape == (0,) else ""
            raise CheckpointError(
                f"{self.path}: tensor '{name}' has shape {shape}; expected {dimensions} dimensions, none of them "
                f"empty.{gather}"
            )
        return shape

    def _instead_of(self, name: str) -> str:
        """Say what there is instead of a tensor: perhaps it is, under a prefix."""
        for known in (*self.arrays, *self.left_out):
            is_towers = known.partition(".")[0] in (*IMAGE_ROOTS, *TEXT_ROOTS)
            if known == name or (known.endswith(f".{name}") and not is_towers):
                outside = f"the file has it outside {quoted(self.label, 60)}"
                what = outside if known == name else f"found {quoted(known, 100)}"
                return f"{what}. Give all names of the model the same prefix, or none."
        is_renamed = bool(self.stored) and any(known not in self.stored for known in self.arrays)
        found = listed(self.stored or self.arrays, 3, 100) or "no tensors"
        expected = (
            "that is openai/CLIP's name of it" if is_renamed else "expected the names of openai/CLIP's state dict"
        )
        return f"{expected}. The file has {found}."

    def check(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raise unless the tensors of a model are there, of its shapes and of floating point, no more of its towers.

        More would show another architecture; tensors elsewhere may be a metric, a loss or a head.
        """
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
        roots = _roots(expected)
        if foreign := [name for name in self._unused(expected) if name.partition(".")[0] in roots]:
            more = f", nor have {len(foreign) - 1} others" if len(foreign) > 1 else ""
            raise CheckpointError(
                f"{self.path}: tensor {quoted(self._stored_name(foreign[0]))} has no place in this model{more}; "
                "expected exactly those of its towers."
            )

    def _unused(self, expected: Mapping[str, tuple[int, ...]]) -> list[str]:
        known = {*expected, "logit_scale"}  # which a single tower does not need
        names = (name for name in (*self.arrays, *self.unread) if name not in known)
        return [name for name in names if name.rpartition(".")[2] not in _NO_WEIGHTS]

    def only(self, expected: Mapping[str, tuple[int, ...]]) -> "Checkpoint":
        """Return the tensors of a model alone, after `check`, with a warning if there are others."""
        self.check(expected)
        beside = (name for name in self.left_out if name.rpartition(".")[2] not in _NO_WEIGHTS)
        left_out = (*beside, *self._unused(expected))
        warnings = self.warnings
        if left_out:
            warnings += (f"{self.path}: tensors that are no part of the model are left out: {listed(left_out, 8)}.",)
        arrays = {name: self.arrays[name] for name in expected}
        return replace(self, arrays=arrays, left_out=left_out, warnings=warnings)

    def take(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32, read-only: a view of the memory-mapped file if it holds float32.

        As every method that reads a tensor, raise CorruptCheckpointError if it does not match its checksum or is not
        finite. Both are verified once, when it is first used: not before, since that would read the whole file.
        """
        array = self.arrays[name]
        taken = self._verified(name, array.view()) if _is_plain_float32(array) else self.copy(name)
        taken.flags.writeable = False
        return taken

    def copy(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as a new array of float32."""
        wide = np.empty(self.arrays[name].shape, np.float32)
        self.copy_to(name, wide)
        return wide

    def join(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Return tensors as a new array of float32, one below the other."""
        shapes = [self.arrays[name].shape for name in names]
        *ends, length = accumulate(shape[0] for shape in shapes)
        joined = np.empty((length, *shapes[0][1:]), np.float32)
        for name, part in zip(names, np.split(joined, ends), strict=True):
            self.copy_to(name, part)
        return joined

    def copy_to(self, name: str, wide: NDArray[np.float32]) -> None:
        """Write a tensor into an array of float32 of its shape."""
        widen(self.arrays[name], wide, self.spread)
        self._verified(name, wide)

    def table(self, name: str) -> NDArray[np.floating[Any]]:
        """Return a tensor of which only some rows will be read: as it is if rows are easily converted to float32."""
        array = self.arrays[name]
        if isinstance(array, ScaledInt8):  # whose scales are finite
            return array.view(array.dtype)
        easy = array.dtype in (np.float16, np.float32) or isinstance(array, BFloat16)
        return self._verified(name, array.view(array.dtype)) if easy else self.take(name)

    def _verified(self, name: str, taken: _Taken) -> _Taken:
        if name not in self._sound:
            for archive in self.archives:
                archive.verify(self.arrays[name], partial(self._stored_name, name))
            if not is_finite(taken):
                where = f" in {quoted(self.label, 60)}" if self.label else ""
                others = f" In this one, {self.choice}" if self.choice else ""
                raise CorruptCheckpointError(
                    f"{self.path}: tensor {quoted(self._stored_name(name))}{where} holds NaN or infinity; expected "
                    f"finite numbers. The file is damaged, or its training diverged: use another one.{others}"
                )
            self._sound.add(name)
        return taken

    def _stored_name(self, name: str) -> str:
        """Return the name of a tensor in the file, if it is still a view of that."""
        if name in self.unread:
            return name
        array = self.arrays[name]
        stored = self.stored
        same = (known for known in (name, *stored) if known in stored and np.may_share_memory(array, stored[known]))
        return next(same, name)  # tied weights have several

    @cached_property
    def _sound(self) -> set[str]:
        """The names of tensors that were verified."""
        return set()

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


def identity_of_file(status: os.stat_result) -> str | None:
    """Hash what changes when a file is replaced, even by one of the same size and time."""
    return identity_of(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_floating(array: NDArray[np.generic]) -> bool:
    """Tell whether an array holds, or stands for, floating point numbers."""
    if isinstance(array, ScaledInt8):
        return array.scale is not None
    return array.dtype.kind == "f" or isinstance(array, BFloat16)


def _roots(expected: Iterable[str]) -> set[str]:
    """Return the first parts of names in a model's towers, and of those that are in such towers elsewhere."""
    roots = {name.partition(".")[0] for name in expected}
    if "visual" in roots:
        roots.update(IMAGE_ROOTS)
    if "token_embedding" in roots:
        roots.update(TEXT_ROOTS)
    if "logit_scale" in roots:
        roots.add("logit_bias")
    return roots


def _is_beyond_float32(array: NDArray[np.generic]) -> bool:
    pieces = np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], buffersize=2**16)  # it may be expanded
    return any((np.isfinite(piece) & (np.abs(piece) > np.finfo(np.float32).max)).any() for piece in pieces)


def _is_plain_float32(array: NDArray[np.generic]) -> bool:
    return array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned
