"""Attention's weights, joined, and tokens that are picked."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.model import expected_tensors
from numpyclip.model.attention import join_in_proj, pick
from numpyclip.model.config import Biased
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Checkpoint

RANDOM = np.random.default_rng(0)


def columns(d: int, n: int) -> Array:
    return RANDOM.standard_normal((d, n)).astype(np.float32)


def test_pick_takes_one_token_of_each_input() -> None:
    x = np.arange(14, dtype=np.float32).reshape(2, 7)
    assert pick(x, np.array([2, 0]), shared=1).tolist() == [[3, 4], [10, 11]]
    assert pick(x, np.array([6]), shared=0).tolist() == [[6], [13]]


@pytest.mark.parametrize("biased", ["qkv", "qv", ""])
@pytest.mark.parametrize("parts", [["qkv"], ["q", "kv"], ["q", "k", "v"]])
def test_queries_keys_and_values_are_joined_whatever_of_them_has_a_bias(parts: list[str], biased: Biased) -> None:
    weight, bias = RANDOM.standard_normal((12, 4)), RANDOM.standard_normal(12)
    rows = {letters: slice(4 * "qkv".index(letters), 4 * "qkv".index(letters) + 4 * len(letters)) for letters in parts}
    names = {"qkv": "in_proj_", "q": "q_proj.", "k": "k_proj.", "v": "v_proj.", "kv": "kv_proj."}
    arrays = {f"attn.{names[letters]}weight": weight[rows[letters]] for letters in parts}
    if biased == "qkv":
        arrays |= {f"attn.{names[letters]}bias": bias[rows[letters]] for letters in parts}
    else:
        arrays |= {f"attn.{letter}_proj.bias": bias["qkv".index(letter) * 4 :][:4] for letter in biased}
    checkpoint = Checkpoint(Path("file"), {name: array.astype(np.float32) for name, array in arrays.items()})
    shapes = dict(expected_tensors.attention(checkpoint, "attn", 4, biased))
    assert {name: array.shape for name, array in arrays.items()}.items() <= shapes.items()
    assert len(shapes) == len(arrays) + 2  # the layer behind
    expected = np.array([bias[i] if "qkv"[i // 4] in biased else 0 for i in range(12)])
    joined = join_in_proj(checkpoint, "attn", biased)
    assert np.array_equal(joined[0], weight.astype(np.float32))
    assert np.array_equal(joined[1], expected.astype(np.float32))
