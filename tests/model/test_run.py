from collections.abc import Iterator

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.model.run import CHUNK, batched, in_chunks


def test_batched_keeps_the_order_and_the_rest() -> None:
    assert list(batched(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == []


def test_batched_reads_nothing_ahead() -> None:
    taken = []

    def source() -> Iterator[int]:
        for i in range(10):
            taken.append(i)
            yield i

    batches = batched(source(), 2)
    next(batches)
    assert taken == [0, 1]


def test_batched_refuses_a_size_below_one() -> None:
    with pytest.raises(InputError, match="batch_size is 0"):
        list(batched([1], 0))


@pytest.mark.parametrize("n", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_in_chunks_gives_every_input_its_row(n: int) -> None:
    sizes = []

    def tower(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return np.stack([x, -x], axis=1).astype(np.float32)

    inputs = np.arange(n, dtype=np.float32)
    np.testing.assert_array_equal(in_chunks(tower, inputs, 2), np.stack([inputs, -inputs], axis=1).reshape(n, 2))
    assert max(sizes, default=0) <= CHUNK
