"""Where the towers take their weights from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from numpy.typing import NDArray

from numpyclip.weights.checkpoint import Checkpoint

_T = TypeVar("_T")
_Arrays = TypeVar("_Arrays", bound="tuple[NDArray[Any], ...]")


@dataclass(frozen=True, eq=False)
class Source:
    """A checkpoint whose weights are prepared once, or again at each use to save memory."""

    checkpoint: Checkpoint
    low_memory: bool = False

    def derive(self, name: str, prepare: Callable[[Checkpoint], _Arrays]) -> _Arrays:
        """Return what is made of the tensors under a name, read-only."""
        arrays = prepare(self.checkpoint)
        for array in arrays:
            array.flags.writeable = False
        return arrays

    def sequence(self, makers: Sequence[Callable[[], _T]]) -> Sequence[_T]:
        """Make all the parts now; to save memory, each at the moment of its use."""
        return OnDemand(makers) if self.low_memory else tuple(make() for make in makers)


@dataclass(frozen=True, eq=False)
class OnDemand(Sequence[_T]):
    """A sequence whose items are made whenever they are looked up."""

    makers: Sequence[Callable[[], _T]]

    def __len__(self) -> int:
        return len(self.makers)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> "OnDemand[_T]": ...
    def __getitem__(self, index: int | slice) -> "_T | OnDemand[_T]":
        if isinstance(index, slice):
            return OnDemand(self.makers[index])
        return self.makers[index]()
