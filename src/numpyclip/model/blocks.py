"""The blocks of a tower, in the order in which they run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpyclip.model.ops import Array

_Block = TypeVar("_Block")
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False, repr=False)
class Blocks(Generic[_Block]):
    """Blocks that run one after another, each on the output of the one before.

    With low memory, `items` makes a block at every look-up. So whoever runs blocks must drop one before looking up the
    next: `run` and `each` do.
    """

    items: Sequence[_Block]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> _Block:
        return self.items[index]

    __iter__ = None  # a loop's variable would hold a block while the next one is made

    def run(
        self,
        x: Array,
        step: Callable[..., Array] = lambda block, x: block(x),
        *states: Sequence[Any],
        last: Callable[..., Array] | None = None,
        count: int | None = None,
    ) -> Array:
        """Run all blocks: x = step(block, x), for one after another; `last` replaces `step` for the last block.

        States have an item for each block, such as its key/value cache: x = step(block, x, item). With a `count`, only
        so many blocks run.
        """
        for index in range(len(self) if count is None else count):
            function = step if last is None or index < len(self) - 1 else last
            x = function(self.items[index], x, *(state[index] for state in states))
        return x

    def each(self, function: Callable[[_Block], _T]) -> list[_T]:
        """Call a function with each block."""
        return [function(self.items[index]) for index in range(len(self))]
