"""The weights of a tower: from the cache of prepared weights, or prepared from a checkpoint."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, takewhile
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CorruptCheckpointError, quoted
from numpyclip.model.blocks import Blocks
from numpyclip.runtime.lazy import LazySequence
from numpyclip.runtime.prepared import open_prepared, save_prepared
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.dtypes import is_finite

_T = TypeVar("_T")
_Arrays = TypeVar("_Arrays", bound="tuple[NDArray[Any], ...]")


@dataclass(frozen=True, eq=False)
class WeightStore:
    """The weights of one tower: a `numpyclip.model.weight_reader.WeightReader`."""

    checkpoint: Checkpoint
    stored: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # cached by an earlier process
    low_memory: bool = False  # make each block's weights at every use, and keep none
    made: dict[str, NDArray[Any]] = field(default_factory=dict)  # prepared by this process
    sound: set[str] = field(default_factory=set)  # names whose arrays are finite

    def derive(self, name: str, prepare: Callable[[Checkpoint], _Arrays]) -> _Arrays:
        """Return the arrays that a function makes of the tensors under a name, read-only."""
        if self.stored:
            parts = takewhile(lambda part: part is not None, (self.stored.get(f"{name} {i}") for i in count()))
            return cast("_Arrays", tuple(parts))
        arrays = prepare(self.checkpoint)
        if name not in self.sound:
            self._check(name, arrays)
            self.sound.add(name)
        for index, array in enumerate(arrays):
            array.flags.writeable = False
            if not self.low_memory:
                self.made[f"{name} {index}"] = array
        if self.low_memory:
            self.checkpoint.release()
        return arrays

    def _check(self, name: str, arrays: tuple[NDArray[Any], ...]) -> None:
        """Raise if finite tensors, which the checkpoint has verified, have become infinite: folded into each other."""
        if not all(is_finite(array) for array in arrays if array.dtype == np.float32):
            raise CorruptCheckpointError(
                f"{self.checkpoint.path}: the numbers in tensors of {quoted(name)} are too large: computing with them "
                "overflows float32. The file is damaged: use another one."
            )

    def blocks(self, makers: Sequence[Callable[[], _T]]) -> Blocks[_T]:
        """Make all blocks now or, with low memory, each at every use."""
        return Blocks(LazySequence(makers) if self.low_memory else [make() for make in makers])


def read_tower(name: str, read: Callable[[WeightStore], _T], checkpoint: Checkpoint, low_memory: bool) -> _T:
    """Make a tower from cached weights, or from the checkpoint, and then cache them."""
    if low_memory:
        return read(WeightStore(checkpoint, low_memory=True))
    if stored := open_prepared(checkpoint.identity, name):
        with contextlib.suppress(TypeError, ValueError):  # parts are missing: VERSION was not raised
            return read(WeightStore(checkpoint, stored))
    store = WeightStore(checkpoint)
    made = read(store)
    save_prepared(checkpoint.identity, name, store.made)
    checkpoint.release()
    return made
