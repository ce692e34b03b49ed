import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.text.mct import MCT, TokenConvolution
from numpyclip.model.token_layout import TokenLayout
from tests.families.test_parity import load


def convolution(d: int, k: int) -> TokenConvolution:
    random = np.random.default_rng(k)
    return TokenConvolution(*(random.standard_normal(shape).astype(np.float32) for shape in ((d, k), (d,))))


@pytest.mark.parametrize("n", [1, 3, 5, 11, 30])
def test_a_convolution_sees_as_many_tokens_before_as_behind_and_no_other_text(n: int) -> None:
    conv = convolution(3, 11)
    x = np.random.default_rng(n).standard_normal((3, 2, n)).astype(np.float32)
    before = x.copy()
    y = conv(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(x, before)
    for c in range(3):
        for b in range(2):  # numpy turns the second of the two round
            full = np.convolve(x[c, b].astype(float), conv.weight[c, ::-1].astype(float), "full")[5 : 5 + n]
            np.testing.assert_allclose(y[c, b], full + conv.bias[c], rtol=0, atol=5e-6)


def test_one_token_of_a_block_is_that_of_all_its_tokens() -> None:
    text = load("apple-mobileclip_s0")[0].text
    assert isinstance(text, MCT)
    x = np.random.default_rng(1).standard_normal((32, 3, 20)).astype(np.float32)
    rows = np.array([0, 19, 7])
    every = text.mixers[1](x.copy())
    np.testing.assert_allclose(text.mixers[1].pooled(x, rows), every[:, np.arange(3), rows], rtol=0, atol=2e-6)


def test_what_a_text_looks_at_behind_its_end_is_the_padding_too() -> None:
    """So texts must not be cut at their end, whatever that would save."""
    model, golden = load("apple-mobileclip_s0")
    text = golden["text"][:1].copy()  # two tokens
    other = text.copy()
    other[0, 5] = 3
    assert np.abs(model.encode_text(other) - model.encode_text(text)).max() > 1e-3
    with pytest.raises(InputError, match="expected integers of shape"):
        model.encode_text(text[:, :10])


def test_a_mask_between_the_convolutions_would_move_the_embeddings() -> None:
    model, golden = load("apple-mobileclip_s0")
    text, ids = model.text, golden["text"]
    assert isinstance(text, MCT)
    x = text.mixers[0](text.embed(ids))
    flat = x.reshape(len(x), -1)
    free, masked = flat, flat
    for block in text.transformer.resblocks.items:
        free = block(free, TokenLayout(len(ids)))
        masked = block(masked, TokenLayout(len(ids), mask=ops.causal_mask(ids.shape[1])))
    np.testing.assert_array_equal(text.transformer(flat, TokenLayout(len(ids))), free)
    assert np.abs(free - masked).max() > 1e-2 * np.abs(free).max()
