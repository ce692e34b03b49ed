from pathlib import Path

import numpy as np
import pytest

from numpyclip import reference
from numpyclip.model.ops import Array
from numpyclip.model.text import text_transformer
from tests.model.golden import assert_close, load_golden, read_golden

FILES = pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])
END = 95  # the highest id of the golden models' vocabulary


def texts_with_a_beginning(shared: int, n: int = 12) -> np.ndarray:
    """Random texts of different lengths which begin with the same tokens."""
    random = np.random.default_rng(shared)
    ids = random.integers(1, END, (5, n))
    ids[:, :shared] = ids[0, :shared]
    ids[np.arange(5), [shared, n - 1, n - 2, n - 1, min(shared + 1, n - 1)]] = END
    return ids


def embedding(checkpoints: Path, name: str, ids: np.ndarray) -> Array:
    w, _ = read_golden(checkpoints, name)
    return reference.encode_text(w, ids)


@FILES
@pytest.mark.parametrize("shared", [0, 1, 5, 10])
def test_texts_that_begin_alike_equal_the_reference(checkpoints: Path, name: str, shared: int) -> None:
    ids = texts_with_a_beginning(shared)
    assert text_transformer._shared_tokens(ids, ids.argmax(axis=1)) == shared
    model, _ = load_golden(checkpoints, name)
    assert_close(model.text(ids), embedding(checkpoints, name, ids))


@FILES
@pytest.mark.parametrize("n", [1, 2, 12])
def test_one_text_equals_the_reference(checkpoints: Path, name: str, n: int) -> None:
    ids = np.arange(END - n + 1, END + 1)[np.newaxis]
    model, _ = load_golden(checkpoints, name)
    assert_close(model.text(ids), embedding(checkpoints, name, ids))


@pytest.mark.parametrize("ids", [[[1, 5, 0], [1, 5, 9]], [[7, 0], [7, 9]], [[3, 4, 2, 2], [3, 4, 9, 1]]])
def test_an_end_mark_within_the_shared_beginning_is_found(checkpoints: Path, ids: list[list[int]]) -> None:
    """The highest id of a row is its end, whichever that is: here it lies where the rows are still alike."""
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    together = model.encode_text(np.array(ids))
    assert_close(together, np.concatenate([model.encode_text(np.array([row])) for row in ids]))


def test_what_texts_share_ends_where_the_first_differs() -> None:
    assert text_transformer._shared_tokens(np.array([[1, 2, 3], [1, 2, 4], [1, 2, 3]]), np.array([2, 2, 2])) == 2
    assert text_transformer._shared_tokens(np.array([[1, 2], [3, 2]]), np.array([1, 0])) == 0
    assert text_transformer._shared_tokens(np.array([[1, 2]]), np.array([1])) == 0
