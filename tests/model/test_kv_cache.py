import numpy as np

from numpyclip.model.kv_cache import KVCache
from numpyclip.model.transformer_config import TransformerConfig

CONFIG = TransformerConfig(width=6, layers=1, heads=2, mlp_width=6, activation="gelu")
RANDOM = np.random.default_rng(0)


def some(tokens: int) -> np.ndarray:
    return RANDOM.standard_normal((2, 3, 4, tokens)).astype(np.float32)  # (h, k, b, m)


def test_what_is_appended_is_kept_in_order() -> None:
    past = KVCache(CONFIG, 4, 5)
    k, v = some(5), some(5)
    past.append(k[..., :2], v[..., :2])
    past.append(k[..., 2:3], v[..., 2:3])
    keys, values = past.append(k[..., 3:], v[..., 3:])
    np.testing.assert_array_equal(keys, k)
    np.testing.assert_array_equal(values, v)
    assert (past.batch, past.length) == (4, 5)


def test_inputs_go_on_in_any_order_and_apart_from_each_other() -> None:
    past = KVCache(CONFIG, 4, 3)
    k, v = some(2), some(2)
    past.append(k, v)
    past.select(np.array([3, 1, 1]))
    assert past.batch == 3
    more = some(1)[:, :, :3]
    keys, values = past.append(more, more)
    np.testing.assert_array_equal(keys, np.concatenate([k[:, :, [3, 1, 1]], more], axis=3))
    np.testing.assert_array_equal(values, np.concatenate([v[:, :, [3, 1, 1]], more], axis=3))
