import itertools
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
    "linear": (ops.linear, (random(2, 3, 4), random(5, 4), random(5))),
    "layer_norm": (ops.layer_norm, (random(2, 3, 4), random(4), random(4), 1e-5)),
    "softmax": (ops.softmax, (random(2, 3),)),
    "normalize": (ops.normalize, (random(2, 3),)),
    "relu": (ops.relu, (random(2, 3),)),
    "quick_gelu": (ops.quick_gelu, (random(2, 3),)),
    "erf": (ops.erf, (random(2, 3),)),
    "gelu": (ops.gelu, (random(2, 3),)),
    "attention": (ops.attention, (random(2, 3, 4), random(2, 5, 4), random(2, 5, 4), random(3, 5))),
    "split_heads": (ops.split_heads, (random(2, 3, 8), 4)),
    "join_heads": (ops.join_heads, (random(2, 4, 3, 2),)),
    "causal_mask": (ops.causal_mask, (4,)),
    "patches": (ops.patches, (random(2, 3, 4, 6), 2)),
    "convolve3x3": (ops.convolve3x3, (random(2, 5, 4, 3), random(27, 6), 2)),
    "average_pool": (ops.average_pool, (random(2, 5, 4, 3), 2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_op_keeps_float32_and_leaves_its_inputs_alone(name: str) -> None:
    op, arguments = CALLS[name]
    before = [np.array(argument) for argument in arguments]
    assert op(*arguments).dtype == np.float32
    for old, new in zip(before, arguments, strict=True):
        assert np.array_equal(old, np.asarray(new))


def test_every_op_is_listed_above() -> None:
    public = {name for name, value in vars(ops).items() if callable(value) and not name.startswith("_")}
    assert public - {"NDArray", "Array", "ArrayLike", "Any"} == set(CALLS)


def test_linear_multiplies_by_the_transposed_weight() -> None:
    x, weight, bias = random(2, 3, 4), random(5, 4), random(5)
    expected = np.einsum("bnd,ed->bne", x.astype(float), weight) + bias
    np.testing.assert_allclose(ops.linear(x, weight, bias), expected, rtol=1e-5, atol=1e-6)


def test_layer_norm_of_hand_worked_values() -> None:
    x = np.array([[1, 2, 3, 6]], np.float32)  # mean 3, variance 3.5
    scale, shift = np.array([1, 1, 2, 2], np.float32), np.array([0, 1, 0, 1], np.float32)
    step = 1 / math.sqrt(3.5 + 0.5)
    np.testing.assert_allclose(ops.layer_norm(x, scale, shift, 0.5), [[-2 * step, 1 - step, 0, 1 + 6 * step]], 1e-6)


def test_layer_norm_survives_a_large_mean() -> None:
    x = np.array([[1e4, 1e4 + 1, 1e4 + 2]], np.float32)
    result = ops.layer_norm(x, np.ones(3, np.float32), np.zeros(3, np.float32), 1e-5)
    np.testing.assert_allclose(result, [[-math.sqrt(1.5), 0, math.sqrt(1.5)]], atol=2e-5)


def test_softmax_survives_large_scores() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = ops.softmax(np.array([[1e30, 1e30, -1e30], [-3e38, -3e38, 0]], np.float32))
    np.testing.assert_array_equal(result, [[0.5, 0.5, 0], [0, 0, 1]])


def test_softmax_takes_any_axis_and_plain_lists() -> None:
    np.testing.assert_allclose(ops.softmax([[0, math.log(3)]]), [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(ops.softmax(random(3, 4), axis=0).sum(axis=0), np.ones(4), rtol=1e-6)
    assert ops.softmax(np.zeros(2)).dtype == np.float64


def test_normalize_gives_unit_length_and_keeps_zero() -> None:
    result = ops.normalize(np.array([[3, 4], [0, 0], [1e-18, 0]], np.float32))
    np.testing.assert_allclose(result, np.array([[0.6, 0.8], [0, 0], [1, 0]]), rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "exact"),
    [
        (ops.quick_gelu, lambda x: x / (1 + math.exp(-1.702 * x))),
        (ops.gelu, lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
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


@pytest.mark.parametrize("op", [ops.quick_gelu, ops.relu, ops.erf, ops.gelu])
def test_no_activation_warns_on_any_finite_float32(op: Callable[[Array], Array]) -> None:
    exponents = np.arange(2**32, step=2**16, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([exponents[np.isfinite(exponents)], [np.finfo(np.float32).max, np.finfo(np.float32).min]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = op(x.astype(np.float32))
    assert np.isfinite(y).all()


def test_attention_looks_up_what_a_query_matches() -> None:
    keys = 100 * np.eye(3, dtype=np.float32)
    values = random(3, 2)
    values = np.concatenate([values, values], axis=1)[:, :3]
    np.testing.assert_allclose(ops.attention(keys[[2, 0]], keys, values), values[[2, 0]], rtol=1e-6)


def test_attention_divides_by_the_root_of_the_head_width() -> None:
    q, k = np.full((1, 4), 2, np.float32), np.array([[1, 1, 1, 1], [0, 0, 0, 0]], np.float32)
    v = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    weight = 1 / (1 + math.exp(-8 / 2))
    np.testing.assert_allclose(ops.attention(q, k, v), [[weight, 1 - weight, 0, 0]], rtol=1e-6)


def test_causal_mask_hides_what_comes_later() -> None:
    assert (ops.causal_mask(3) == np.array([[0, -np.inf, -np.inf], [0, 0, -np.inf], [0, 0, 0]])).all()


def test_heads_are_neighbouring_columns() -> None:
    x = np.arange(8, dtype=np.float32).reshape(1, 1, 8)
    assert ops.split_heads(x, 2)[0, 1, 0].tolist() == [4, 5, 6, 7]
    np.testing.assert_array_equal(ops.join_heads(ops.split_heads(x, 2)), x)


def test_patches_go_row_by_row_and_list_channels_first() -> None:
    image = np.arange(2 * 4 * 4, dtype=np.float32).reshape(1, 2, 4, 4)
    tokens = ops.patches(image, 2)
    assert tokens.shape == (1, 4, 8)
    assert tokens[0, 1].tolist() == [2, 3, 6, 7, 18, 19, 22, 23]


@pytest.mark.parametrize(("rows", "columns", "stride"), [(5, 4, 1), (5, 4, 2), (1, 1, 1), (6, 7, 2)])
def test_convolve3x3_equals_the_sum_written_out(rows: int, columns: int, stride: int) -> None:
    x, weight = random(2, rows, columns, 3), random(3, 3, 3, 4)  # (row, column, channel, output)
    result = ops.convolve3x3(x, weight.reshape(27, 4), stride)
    expected = np.zeros((2, -(-rows // stride), -(-columns // stride), 4))
    for i, j, di, dj in itertools.product(range(expected.shape[1]), range(expected.shape[2]), range(3), range(3)):
        y, z = i * stride + di - 1, j * stride + dj - 1
        if 0 <= y < rows and 0 <= z < columns:
            expected[:, i, j] += x[:, y, z].astype(float) @ weight[di, dj]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_convolve3x3_of_many_large_pictures_takes_them_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = random(5, 4, 4, 3), random(27, 2)
    whole = ops.convolve3x3(x, weight)
    monkeypatch.setattr(ops, "_WINDOW_NUMBERS", 2 * 4 * 4 * 27)
    np.testing.assert_allclose(ops.convolve3x3(x, weight), whole, rtol=1e-5, atol=1e-6)


def test_average_pool_drops_the_rest_at_the_edge() -> None:
    x = np.arange(15, dtype=np.float32).reshape(1, 3, 5, 1)
    assert ops.average_pool(x, 2)[0, :, :, 0].tolist() == [[3, 5]]
    np.testing.assert_array_equal(ops.average_pool(x, 1), x)
