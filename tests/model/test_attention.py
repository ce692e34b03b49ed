"""Attention's weights, joined, and the short cut for one query."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.model import expected_tensors
from numpyclip.model.attention import attend, join_in_proj
from numpyclip.model.ops import Array
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.transformer_config import Biased
from numpyclip.weights.checkpoint import Checkpoint

RANDOM = np.random.default_rng(0)


def random(*shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(np.float32)


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


def test_one_query_of_each_input_equals_attention_written_out() -> None:
    x, keys, values, query = random(8, 9), random(2, 4, 8), random(2, 4, 8), random(2, 4, 2)
    mixed = attend(query.swapaxes(1, 2) @ keys, values, x, TokenLayout(2, 3)).reshape(2, 4, 2)
    for i, tokens in enumerate((x[:, [0, 1, 2, 3, 4, 5]], x[:, [0, 1, 2, 6, 7, 8]])):
        for h in range(2):
            scores = query[h, :, i].astype(float) @ (keys[h] @ tokens)
            weights = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(mixed[h, :, i], values[h] @ tokens @ weights, rtol=1e-5, atol=1e-5)
