from weakref import WeakSet

import numpy as np
import pytest

from numpyclip.model.blocks import Blocks
from numpyclip.model.ops import Array
from numpyclip.runtime.lazy import LazySequence


class Add:
    """A block that is made only when no other of its kind is left."""

    alive: "WeakSet[Add]" = WeakSet()

    def __init__(self, summand: int) -> None:
        assert not self.alive
        self.summand = summand
        self.alive.add(self)

    def __call__(self, x: Array) -> Array:
        y: Array = x + np.float32(self.summand)
        return y


X = np.zeros(1, np.float32)


def test_blocks_that_are_made_for_each_use_are_gone_before_the_next_one_is_made() -> None:
    blocks = Blocks(LazySequence([lambda: Add(1), lambda: Add(2), lambda: Add(3)]))
    assert blocks.run(X) == 6
    assert blocks.run(X, lambda block, x: block(x), last=lambda block, x: block(-x)) == 0
    assert blocks.each(lambda block: block(X).item()) == [1, 2, 3]
    assert not Add.alive


def test_blocks_are_not_iterated_over() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(Blocks([1, 2]))


def test_every_block_has_its_own_items_of_what_else_there_is() -> None:
    def step(block: int, x: Array, factor: int, seen: list[int]) -> Array:
        seen.append(block)
        y: Array = x + np.float32(block * factor)
        return y

    seen: list[list[int]] = [[], []]
    assert Blocks([1, 2]).run(X, step, [10, 100], seen) == 210
    assert seen == [[1], [2]]
