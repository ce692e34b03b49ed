import numpy as np

from numpyclip.model import ops
from numpyclip.model.token_layout import TokenLayout


def test_the_shared_prefix_comes_before_each_input_s_own_tokens() -> None:
    shared, own = TokenLayout(2, shared=1).split(np.arange(14, dtype=np.float32).reshape(2, 7))
    assert shared.tolist() == [[0], [7]]
    assert own.tolist() == [[[1, 2, 3], [4, 5, 6]], [[8, 9, 10], [11, 12, 13]]]


def test_pick_takes_one_token_of_each_input() -> None:
    x = np.arange(14, dtype=np.float32).reshape(2, 7)
    assert TokenLayout(2, shared=1, pooled=np.array([2, 0])).pick(x).tolist() == [[3, 4], [10, 11]]
    assert TokenLayout(1, pooled=np.array([6])).pick(x).tolist() == [[6], [13]]


def test_the_mask_of_pooled_tokens_has_their_rows() -> None:
    mask = ops.causal_mask(4)
    layout = TokenLayout(2, shared=1, mask=mask, pooled=np.array([2, 0]))
    rows = layout.mask_of_pooled()
    assert rows is not None
    assert rows[:, 0].tolist() == [mask[3].tolist(), mask[1].tolist()]
    own = np.stack([mask, 2 * mask])
    rows = TokenLayout(2, mask=own, pooled=np.array([0, 2])).mask_of_pooled()
    assert rows is not None
    assert rows[:, 0].tolist() == [own[0, 0].tolist(), own[1, 2].tolist()]
    of_heads = np.stack([own, 3 * own, 5 * own])
    rows = TokenLayout(2, mask=of_heads, pooled=np.array([0, 2])).mask_of_pooled()
    assert rows is not None
    assert rows.tolist() == [of_heads[:, 0, 0].tolist(), of_heads[:, 1, 2].tolist()]
    of_all = of_heads[:, :1]
    rows = TokenLayout(2, mask=of_all, pooled=np.array([0, 2])).mask_of_pooled()
    assert rows is not None
    assert rows.tolist() == [of_all[:, 0, 0].tolist(), of_all[:, 0, 2].tolist()]
