from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.model import run
from numpyclip.model.run import MAX_CHUNK, batched, by_length, in_chunks


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


def test_large_inputs_come_in_small_chunks() -> None:
    sizes = []

    def tower(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return np.zeros((len(x), 1), np.float32)

    in_chunks(tower, np.broadcast_to(np.float32(0), (14, 3, 448, 448)), 1)
    assert sizes == [6, 6, 2]


@pytest.mark.parametrize("n", [0, 1, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK + 5])
def test_in_chunks_gives_every_input_its_row(n: int) -> None:
    sizes = []

    def tower(x: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return np.stack([x, -x], axis=1).astype(np.float32)

    inputs = np.arange(n, dtype=np.float32)
    np.testing.assert_array_equal(in_chunks(tower, inputs, 2), np.stack([inputs, -inputs], axis=1).reshape(n, 2))
    assert max(sizes, default=0) <= MAX_CHUNK


def test_by_length_gives_every_text_its_row_and_computes_it_once_and_no_further_than_its_end() -> None:
    seen = []

    def tower(ids: np.ndarray) -> np.ndarray:
        seen.extend(ids.tolist())
        return np.stack([ids.sum(axis=1), ids.max(axis=1)], axis=1).astype(np.float32)

    ids = np.array([[8, 9, 0, 0], [8, 1, 2, 9], [8, 9, 0, 0], [8, 3, 9, 0]])
    result = by_length(tower, ids, 2)
    assert result.tolist() == [[17, 9], [20, 9], [17, 9], [20, 9]]
    assert seen == [[8, 1, 2, 9], [8, 3, 9, 0], [8, 9, 0, 0]]  # in one chunk, as long as its longest


def test_by_length_cuts_short_texts_short(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []

    def tower(ids: np.ndarray) -> np.ndarray:
        shapes.append(ids.shape)
        return np.zeros((len(ids), 1), np.float32)

    monkeypatch.setattr(run, "_CHUNK_TOKENS", 12)
    ids = np.zeros((9, 77), np.int32)
    ids[:, 0] = range(1, 10)
    ids[np.arange(9), [76, 2, 2, 2, 2, 3, 3, 3, 3]] = 99
    by_length(tower, ids, 1)
    assert shapes == [(1, 77), (3, 4), (3, 4), (2, 3)]
    assert by_length(tower, ids[:0], 1).shape == (0, 1)
