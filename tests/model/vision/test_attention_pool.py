"""How its weights are read; embeddings are compared in tests/model/test_parity.py and tests/families/test_timm.py."""

from pathlib import Path

import numpy as np

from numpyclip.model.ops import Array
from numpyclip.model.vision.attention_pool import AttentionPool
from numpyclip.runtime.weight_store import WeightStore
from numpyclip.weights.checkpoint import Checkpoint


def test_keys_and_values_are_those_of_the_file() -> None:
    """Which is memory-mapped: joined or copied, they would be in memory twice while a model is loaded."""
    arrays: dict[str, Array] = {f"pool.{part}_proj.weight": np.ones((8, 8), np.float32) for part in "qkvc"}
    arrays |= {f"pool.{part}_proj.bias": np.zeros(8, np.float32) for part in "qkvc"}
    arrays["pool.positional_embedding"] = np.zeros((5, 8), np.float32)
    pool = AttentionPool.read(WeightStore(Checkpoint(path=Path("model.npz"), arrays=arrays)), "pool", 2)
    assert np.shares_memory(pool.k_proj, arrays["pool.k_proj.weight"])
    assert np.shares_memory(pool.v_proj, arrays["pool.v_proj.weight"])


def test_joined_weights_are_split() -> None:
    weight = np.arange(24 * 8, dtype=np.float32).reshape(24, 8)
    arrays = {"pool.in_proj_weight": weight, "pool.in_proj_bias": np.arange(24, dtype=np.float32)}
    arrays |= {"pool.c_proj.weight": np.eye(8, dtype=np.float32), "pool.c_proj.bias": np.zeros(8, np.float32)}
    pool = AttentionPool.read(WeightStore(Checkpoint(path=Path("model.npz"), arrays=arrays)), "pool", 2)
    np.testing.assert_array_equal(pool.q_proj.weight, weight[:8] / 2)
    np.testing.assert_array_equal(pool.q_proj.bias, np.arange(8) / 2)
    np.testing.assert_array_equal(pool.k_proj, weight[8:16])
    np.testing.assert_array_equal(pool.k_bias, np.arange(8, 16))
    np.testing.assert_array_equal(pool.v_proj, weight[16:])
    np.testing.assert_array_equal(pool.c_proj.bias, np.arange(16, 24))
