import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from numpyclip.model import ops
from numpyclip.model.ops import Array

RANDOM = np.random.default_rng(0)


def random(*shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(np.float32)


CALLS: dict[str, tuple[Callable[..., Array], tuple[object, ...]]] = {
    "linear": (ops.linear, (random(4, 2, 3), random(5, 4), random(5))),
    "standardize": (ops.standardize, (random(4, 6), 1e-5)),
    "softmax": (ops.softmax, (random(2, 3),)),
    "normalize": (ops.normalize, (random(2, 3),)),
    "relu": (ops.relu, (random(2, 3),)),
    "quick_gelu": (ops.quick_gelu, (random(2, 3),)),
    "erf": (ops.erf, (random(2, 3),)),
    "gelu": (ops.gelu, (random(2, 3),)),
    "gelu_tanh": (ops.gelu_tanh, (random(2, 3),)),
    "silu": (ops.silu, (random(2, 3),)),
    "sigmoid": (ops.sigmoid, (random(2, 3),)),
    "attention": (ops.attention, (*[random(2, 4, 3, 5)] * 3, random(5, 7), (random(2, 4, 2), random(2, 4, 2)))),
    "causal_mask": (ops.causal_mask, (4,)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_op_keeps_float32_and_leaves_its_inputs_alone(name: str) -> None:
    check_types(*CALLS[name])


def check_types(op: Callable[..., Array], arguments: tuple[object, ...]) -> None:
    before = [np.array(argument) for argument in arguments]
    assert op(*arguments).dtype == np.float32
    for old, new in zip(before, arguments, strict=True):
        assert np.array_equal(old, np.asarray(new))


def test_linear_multiplies_every_column() -> None:
    x, weight, bias = random(4, 2, 3), random(5, 4), random(5)
    expected = np.einsum("dbn,ed->ebn", x.astype(float), weight) + bias[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(ops.linear(x, weight, bias), expected, rtol=1e-5, atol=1e-6)


def test_standardize_of_hand_worked_values() -> None:
    x = np.array([[1], [2], [3], [6]], np.float32)  # mean 3, variance 3.5
    step = 1 / math.sqrt(3.5 + 0.5)
    np.testing.assert_allclose(ops.standardize(x, 0.5)[:, 0], [-2 * step, -step, 0, 3 * step], 1e-6)


def test_standardize_survives_a_large_mean() -> None:
    result = ops.standardize(np.array([[1e4], [1e4 + 1], [1e4 + 2]], np.float32), 1e-5)
    np.testing.assert_allclose(result[:, 0], [-math.sqrt(1.5), 0, math.sqrt(1.5)], atol=2e-5)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 7), (7, 2**16 + 1), (2**16 + 1, 3)])
def test_in_pieces_replaces_every_row(shape: tuple[int, int]) -> None:
    x = random(*shape)
    expected = np.float32(2) * x
    assert ops.in_pieces(lambda piece: np.float32(2) * piece, x) is x
    np.testing.assert_array_equal(x, expected)


def test_softmax_survives_large_scores() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ops.softmax(np.array([[1e30, 1e30, -1e30], [-3e38, -3e38, 0]], np.float32))
    np.testing.assert_array_equal(result, [[0.5, 0.5, 0], [0, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_softmax_of_what_has_no_largest_number_is_nan_without_a_warning(dtype: type) -> None:
    scores: np.ndarray = np.array([[-np.inf, -np.inf], [np.inf, 0], [np.nan, 0], [-np.inf, 0]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ops.softmax(scores)
    assert result.dtype == dtype
    np.testing.assert_array_equal(np.isnan(result).any(axis=1), [True, True, True, False])
    np.testing.assert_array_equal(result[3], [0, 1])


@pytest.mark.parametrize("shape", [(2, 0), (0, 2), (0,)])
def test_softmax_of_nothing_is_nothing(shape: tuple[int, ...]) -> None:
    for axis in range(len(shape)):
        assert ops.softmax(np.zeros(shape, np.float32), axis).shape == shape


def test_softmax_takes_any_axis_and_plain_lists() -> None:
    np.testing.assert_allclose(ops.softmax([[0, math.log(3)]]), [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(ops.softmax(random(3, 4), axis=0).sum(axis=0), np.ones(4), rtol=1e-6)
    assert ops.softmax(np.zeros(2)).dtype == np.float64


def test_normalize_gives_unit_length_and_keeps_zero() -> None:
    result = ops.normalize(np.array([[3, 4], [0, 0], [1e-18, 0]], np.float32))
    np.testing.assert_allclose(result, np.array([[0.6, 0.8], [0, 0], [1, 0]]), rtol=1e-6)


def test_normalize_gives_nan_and_not_zeros_where_the_length_overflows() -> None:
    result = ops.normalize(np.array([[1e30, 0], [np.inf, 0], [np.nan, 0], [3, 4]], np.float32))
    assert np.isnan(result).any(axis=1).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("op", "exact"),
    [
        (ops.quick_gelu, lambda x: x / (1 + math.exp(-1.702 * x))),
        (ops.silu, lambda x: x / (1 + math.exp(-x))),
        (ops.gelu, lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
        (ops.gelu_tanh, lambda x: x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
        (ops.sigmoid, lambda x: 1 / (1 + math.exp(-x))),
    ],
)
def test_activations_equal_their_formula(op: Callable[[Array], Array], exact: Callable[[float], float]) -> None:
    x = np.linspace(-12, 12, 20_001).astype(np.float32)
    expected = [exact(float(value)) for value in x]
    # erf is within 4e-7, so x erf(x) / 2 is within 2e-7 |x|; rounding adds as much
    np.testing.assert_allclose(op(x), expected, rtol=1e-6, atol=1.5e-6)


def test_erf_is_within_4e_7_everywhere() -> None:
    x = np.concatenate([np.linspace(-6, 6, 50_001), [1e-30, -1e30, 1e38]]).astype(np.float32)
    np.testing.assert_allclose(ops.erf(x), [math.erf(float(value)) for value in x], rtol=0, atol=4e-7)


@pytest.mark.parametrize("op", [ops.quick_gelu, ops.silu, ops.relu, ops.erf, ops.gelu, ops.gelu_tanh, ops.sigmoid])
def test_no_activation_warns_on_any_finite_float32(op: Callable[[Array], Array]) -> None:
    exponents = np.arange(2**32, step=2**16, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([exponents[np.isfinite(exponents)], [np.finfo(np.float32).max, np.finfo(np.float32).min]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = op(x.astype(np.float32))
    assert np.isfinite(y).all()


def test_sigmoid_keeps_small_probabilities_apart() -> None:
    """SigLIP's are of 1e-4 and less; half of 1 + tanh would make all below 3e-8 nothing."""
    x = np.concatenate([np.linspace(-80, 20, 10_001), [-20, -16.5, -16.4]]).astype(np.float32)
    exact = [1 / (1 + math.exp(-float(value))) for value in x]
    np.testing.assert_allclose(ops.sigmoid(x), exact, rtol=3e-7)


@pytest.mark.parametrize("op", [ops.quick_gelu, ops.silu, ops.relu, ops.erf, ops.gelu, ops.gelu_tanh, ops.sigmoid])
def test_no_activation_warns_of_nan_and_each_passes_it_on(op: Callable[[Array], Array]) -> None:
    x = np.array([np.nan, 1, -1], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(np.isnan(op(x)), [True, False, False])


def test_attention_looks_up_what_a_query_matches() -> None:
    keys, values = 100 * np.eye(3, dtype=np.float32), random(3, 3)
    q, k, v = (x[np.newaxis, :, np.newaxis] for x in (keys[:, [2, 0]], keys, values))
    mixed = ops.attention(q, k, v)
    np.testing.assert_allclose(mixed[0, :, 0], values[:, [2, 0]], rtol=1e-6)


def test_attention_in_pieces_equals_each_head_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = (random(6, 4, 2, 5) for _ in range(3))
    whole = ops.attention(q, k, v)
    monkeypatch.setattr(ops, "_PIECE", 2 * q[0].size)
    np.testing.assert_allclose(ops.attention(q, k, v), whole, rtol=1e-6, atol=1e-6)


def test_causal_mask_hides_what_comes_later() -> None:
    assert (ops.causal_mask(3) == np.array([[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]])).all()


def test_pieces_have_one_row_and_one_head_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = random(3, 4, 2, 5), random(3, 4, 2, 6), random(3, 4, 2, 6)
    whole = ops.attention(q, k, v)
    monkeypatch.setattr(ops, "_PIECE", 1)
    np.testing.assert_allclose(ops.attention(q, k, v), whole, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(ops.in_pieces(np.negative, q[0, 0].copy()), -q[0, 0])
    assert ops.in_pieces(np.negative, np.zeros((0, 4), np.float32)).shape == (0, 4)
    assert ops.in_pieces(np.negative, np.zeros((3, 0), np.float32)).shape == (3, 0)
