"""The interface by which towers read their weights."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from numpyclip.model.blocks import Blocks
from numpyclip.weights.checkpoint import Checkpoint

_T = TypeVar("_T")
_Arrays = TypeVar("_Arrays", bound="tuple[NDArray[Any], ...]")


class WeightReader(Protocol):
    """The weights of one tower; `numpyclip.runtime.weight_store` implements it."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The tensors, to look up names and shapes."""

    def derive(self, name: str, prepare: Callable[[Checkpoint], _Arrays]) -> _Arrays:
        """Return the arrays that a function makes of the tensors under a name, read-only.

        If an earlier process has cached them, the function is not called.
        """

    def blocks(self, makers: Sequence[Callable[[], _T]]) -> Blocks[_T]:
        """Make blocks, now or at every look-up."""
