"""How inputs are cut, and every one gets its row."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from numpyclip.errors import InputError
from numpyclip.runtime import chunks
from numpyclip.runtime.chunks import batched, by_length, in_chunks, tokens_in_chunks


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


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", None, 10**30])
def test_batched_refuses_what_is_no_size(size: Any) -> None:
    with pytest.raises(InputError, match="batch_size is"):
        list(batched([1], size))


def test_batched_refuses_what_cannot_be_iterated() -> None:
    with pytest.raises(InputError, match="got 5; expected a list"):
        list(batched(5, 1))  # type: ignore[arg-type]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 33])
@pytest.mark.parametrize("cost", [1, 50, 600])
def test_in_chunks_gives_every_input_its_row(n: int, cost: int) -> None:
    def tower(x: np.ndarray) -> np.ndarray:
        return np.stack([x, -x], axis=1).astype(np.float32)

    inputs = np.arange(n, dtype=np.float32)
    result = in_chunks(tower, inputs, cost, 2)
    np.testing.assert_array_equal(result, np.stack([inputs, -inputs], axis=1).reshape(n, 2))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("n", [0, 1, 2, 33])
@pytest.mark.parametrize("cost", [1, 600])
def test_tokens_in_chunks_gives_every_input_its_tokens_of_any_shape(n: int, cost: int) -> None:
    def tower(x: np.ndarray) -> np.ndarray:
        tokens: np.ndarray = np.repeat(x[:, :, np.newaxis], 5, axis=2).transpose(0, 2, 1)  # not contiguous
        return tokens

    inputs = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
    result = tokens_in_chunks(tower, inputs, cost)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, np.repeat(inputs[:, np.newaxis], 5, axis=1))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("n", "cost", "sizes"),
    [
        (1, 577, [1]),
        (3, 50, [3]),  # not worth two threads
        (4, 50, [2, 2]),
        (16, 50, [8, 8]),
        (17, 50, [4, 4, 4, 5]),
        (4, 577, [1, 1, 1, 1]),
        (3, 197, [1, 2]),
    ],
)
def test_chunks_are_of_like_size_and_keep_both_threads_busy(n: int, cost: int, sizes: list[int]) -> None:
    assert [len(range(n)[chunk]) for chunk in chunks._cut(n, cost, 400)] == sizes


def to_highest(ids: NDArray[np.integer]) -> NDArray[np.integer]:
    lengths: NDArray[np.integer] = ids.argmax(axis=1) + 1
    return lengths


def test_by_length_gives_every_text_its_row_and_computes_it_once_and_no_further_than_its_end() -> None:
    seen = []

    def tower(ids: np.ndarray) -> np.ndarray:
        seen.extend(ids.tolist())
        return np.stack([ids.sum(axis=1), ids.max(axis=1)], axis=1).astype(np.float32)

    ids = np.array([[8, 9, 0, 0], [8, 1, 2, 9], [8, 9, 5, 7], [8, 3, 9, 0]])  # the third has more behind its end
    result = by_length(tower, ids, to_highest, 2)
    assert result.tolist() == [[17, 9], [20, 9], [17, 9], [20, 9]]
    assert seen == [[8, 1, 2, 9], [8, 3, 9, 0], [8, 9, 0, 0]]  # in one chunk, as long as its longest


def text_ids(n: int) -> np.ndarray:
    """One text of 77 tokens, and n - 1 of three; all begin with one and the same."""
    ids = np.zeros((n, 77), np.int32)
    ids[:, 0] = 1
    ids[:, 1] = range(2, n + 2)
    ids[:, 2] = 1000
    ids[0, 2:] = [*range(2, 76), 1000]
    return ids


@pytest.mark.parametrize(
    ("threads", "low_memory", "shapes"),
    [
        # the long one takes a short one along, to have 100 tokens; then all of like size
        (2, False, [(2, 77), (188, 3), (110, 3)]),  # 153, 377 and 221 tokens
        (4, False, [(2, 77), (94, 3), (94, 3), (94, 3), (16, 3)]),
        (1, True, [(2, 77), (298, 3)]),
    ],
)
def test_texts_are_cut_into_chunks_of_like_columns(
    threads: int, low_memory: bool, shapes: list[tuple[int, int]]
) -> None:
    seen = []

    def tower(x: np.ndarray) -> np.ndarray:
        seen.append(x.shape)
        return np.zeros((len(x), 1), np.float32)

    with threadpool_limits(threads, "blas"):
        by_length(tower, text_ids(300), to_highest, 1, low_memory)
    assert sorted(seen) == sorted(shapes)


def test_no_text_makes_no_chunk() -> None:
    assert by_length(lambda _: np.zeros((0, 1), np.float32), text_ids(1)[:0], to_highest, 1).shape == (0, 1)
