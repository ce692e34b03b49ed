"""How tensors are written, and which become eight bits."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.saving.plan import Weight
from numpyclip.weights.checkpoint import Checkpoint


def weight(*shape: int, name: str = "c_fc.weight", value: float = 1) -> Weight:
    numbers = np.full(shape, value, np.float32)
    return Weight(name, shape, lambda: numbers)


@pytest.mark.parametrize(
    ("shape", "name", "rounded"),
    [
        ((64, 64), "c_fc.weight", True),
        ((2, 2048), "c_fc.weight", True),
        ((4096, 1), "c_fc.weight", True),
        ((8, 8, 8, 8), "conv1.weight", True),
        ((63, 65), "c_fc.weight", False),
        ((1, 4096), "probe", False),
        ((4096,), "c_fc.bias", False),
        ((64, 64), "positional_embedding", False),
        ((64, 64), "pos_embed", False),
    ],
)
def test_matrices_of_4096_numbers_become_eight_bits(shape: tuple[int, ...], name: str, rounded: bool) -> None:
    written = weight(*shape, name=name).in_int8("float16")
    kinds = [(each.name, each.kind, each.shape) for each in written]
    expected = [(name, "I8", shape), (f"{name}.scale", "F32", shape[:1])] if rounded else [(name, "F16", shape)]
    assert kinds == expected
    assert [each.make().shape for each in written] == [each.shape for each in written]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_single_number_that_is_not_finite_is_not_rounded(number: float) -> None:
    numbers: NDArray[np.float32] = np.ones((64, 64), np.float32)
    numbers[3, 5] = number
    for part in Weight("c_fc.weight", (64, 64), lambda: numbers).in_int8("float32"):
        with pytest.raises(UnsupportedCheckpointError, match=r"^tensor 'c_fc.weight' cannot be saved as int8: "):
            part.make()


def test_a_number_that_is_too_large_says_what_to_pass() -> None:
    with pytest.raises(
        UnsupportedCheckpointError, match=r"^tensor 'c_fc.weight' cannot be saved as float16: .* Pass float32\.$"
    ):
        weight(2, 2, value=1e6).in_floats("float16").make()
    assert weight(2, 2, value=1e6).in_floats("float32").make().dtype == np.float32


def test_tensors_are_put_one_below_the_other_and_their_shape_is_known_before() -> None:
    arrays = {"q": np.ones((2, 3), np.float32), "k": np.zeros((4, 3), np.float32)}
    checkpoint = Checkpoint(Path("weights"), arrays)
    joined = Weight.of("qk", checkpoint, "q", "k")
    assert joined.shape == (6, 3)
    np.testing.assert_array_equal(joined.make(), np.concatenate([arrays["q"], arrays["k"]]))
    turned = Weight.of("q", checkpoint, "q", change=lambda matrix: matrix.T)
    assert turned.shape == turned.make().shape == (3, 2)
    alone = Weight.of("k", checkpoint, "k")
    assert alone.shape == (4, 3)
    assert alone.make() is not arrays["k"]
