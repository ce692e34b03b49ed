"""The one thing that towers know of where their weights come from."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from numpyclip.model.blocks import Blocks
from numpyclip.weights.checkpoint import Checkpoint

_T = TypeVar("_T")
_Arrays = TypeVar("_Arrays", bound="tuple[NDArray[Any], ...]")


class WeightReader(Protocol):
    """The weights of one tower: what `numpyclip.runtime.weight_store` gives to a tower's `read`."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The tensors, for questions about their names and shapes."""

    def derive(self, name: str, prepare: Callable[[Checkpoint], _Arrays]) -> _Arrays:
        """Return the arrays that a function makes of the tensors under a name; they are read-only.

        The function may not be called at all, where its arrays are known from an earlier process.
        """

    def blocks(self, makers: Sequence[Callable[[], _T]]) -> Blocks[_T]:
        """Make blocks, now or whenever each is looked up."""
