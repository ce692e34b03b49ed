"""BERT and other encoders as towers of texts; tests/families/test_parity.py compares them with transformers."""

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import InputError
from numpyclip.model.text.bert import alibi
from numpyclip.model.text.encoder_configs import BertConfig, EncoderConfig
from tests.families.test_parity import FAMILIES, load, with_record_of
from tests.model.golden import assert_close

BOTH = pytest.mark.parametrize("name", ["transformers-chinese-clip", "transformers-altclip"])
ALL = pytest.mark.parametrize(
    "name",
    [
        "transformers-chinese-clip",
        "transformers-altclip",
        *("open_clip-xlm-roberta", "open_clip-roberta", "open_clip-bert", "open_clip-bert-pooler"),
        *("open_clip-nllb", "open_clip-m2m100-mean", "open_clip-mt5", "open_clip-mt5-first"),
    ],
)


def config(pad_id: int) -> BertConfig:
    return BertConfig(
        width=8, layers=1, heads=1, mlp_width=8, activation="gelu", context_length=5, vocab_size=9, pad_id=pad_id
    )


def test_a_text_ends_before_its_padding() -> None:
    ids = np.array([[3, 4, 0, 0, 0], [3, 0, 5, 0, 0], [3, 4, 5, 6, 7], [0, 0, 0, 0, 0]])
    assert config(pad_id=0).lengths(ids).tolist() == [2, 3, 5, 1]
    assert config(pad_id=7).lengths(ids).tolist() == [5, 5, 4, 5]


@ALL
def test_padding_changes_nothing(name: str) -> None:
    model, golden = load(name)
    assert model.config.text is not None
    text = golden["text"]
    lengths = model.config.text.lengths(text)
    assert sorted(lengths) == [1, 3, 3, 7, 12]
    for row, length, expected in zip(text, lengths, golden["encode_text"], strict=True):
        assert_close(model.encode_text(row[np.newaxis, :length]), expected[np.newaxis])


@pytest.mark.parametrize("name", with_record_of("encode_padded"))
def test_padding_within_a_text_is_masked_where_the_library_masks_it(name: str) -> None:
    """By open_clip and jina-clip, not by transformers: there it is a token like any other."""
    model, golden = load(name)
    assert_close(model.encode_text(golden["padded"]), golden["encode_padded"])


@pytest.mark.parametrize("name", ["open_clip-xlm-roberta", "open_clip-nllb"])
def test_padding_within_a_text_is_skipped_where_positions_count_other_tokens(name: str) -> None:
    model, row, moved = with_padding_within(name)
    assert_close(model.encode_text(moved), model.encode_text(row).astype(float))


@pytest.mark.parametrize("name", ["open_clip-bert", "open_clip-bert-pooler", "open_clip-mt5", "open_clip-mt5-first"])
def test_padding_within_a_text_is_masked_where_it_has_a_position(name: str) -> None:
    """So what its embedding is does not matter, but that it is there."""
    model, row, moved = with_padding_within(name)
    found = model.encode_text(moved)
    assert np.abs(found - model.encode_text(row)).max() > 1e-3
    assert model.config.text is not None
    table = model.text.token_embedding.copy()  # type: ignore[attr-defined]
    table[model.config.text.pad_id] = 5
    other, _ = numpyclip.load(FAMILIES / name)
    object.__setattr__(other.text, "token_embedding", table)
    assert_close(other.encode_text(moved), found.astype(float))


@pytest.mark.parametrize("name", with_record_of("encode_padded"))
def test_tokens_are_those_of_the_embedding(name: str) -> None:
    """With padding within the text, and at its end, which changes none of them."""
    model, golden = load(name)
    text = model.config.text
    assert isinstance(text, EncoderConfig)
    row = golden["padded"][1:2, :7]
    ended = np.pad(row, ((0, 0), (0, 3)), constant_values=text.pad_id)
    tokens, attention = model.text_tokens(row), model.text_attention(row)
    assert_close(model.text_tokens(ended)[:, :7], tokens.astype(float))
    assert not model.text_attention(ended)[..., :7, 7:].any()
    assert attention[..., 4:6].any() != text.masks_padding
    if text.projection is None and not text.masks_padding:
        pooled = tokens.mean(axis=1) if text.pool == "mean" else tokens[:, 0]
        assert_close(model.encode_text(row), pooled.astype(float))


def with_padding_within(name: str) -> tuple[numpyclip.CLIP, np.ndarray, np.ndarray]:
    """A text of 7 tokens, and with 3 of padding between."""
    model, golden = load(name)
    assert model.config.text is not None
    row = next(row for row in golden["text"] if model.config.text.lengths(row[np.newaxis]) == 7)
    moved = np.insert(row, (2, 2, 5), model.config.text.pad_id)[: len(row)]
    return model, row[np.newaxis], moved[np.newaxis]


@ALL
def test_other_tokens_do_not_count_as_padding(name: str) -> None:
    model, golden = load(name)
    text = golden["text"][1:2]  # the longest one
    other = text.copy()
    other[0, -1] = 3 if text[0, -1] != 3 else 4
    assert np.abs(model.encode_text(other) - model.encode_text(text)).max() > 1e-3


@ALL
def test_low_memory_gives_the_very_same(name: str) -> None:
    model, golden = load(name)
    low, _ = numpyclip.load(FAMILIES / name, low_memory=True)
    np.testing.assert_array_equal(low.encode_text(golden["text"]), model.encode_text(golden["text"]))


@BOTH
def test_no_text_is_longer_than_there_are_positions(name: str) -> None:
    model, _ = load(name)
    assert model.context_length == 12
    with pytest.raises(InputError, match=r"expected integers of shape \(n, 12\)"):
        model.encode_text(np.ones((1, 13), int))


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (8, [1 / 2**power for power in range(1, 9)]),  # the paper's
        (12, [2**-power for power in (1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5)]),
    ],
)
def test_the_bias_falls_with_the_distance_in_a_series_of_slopes(heads: int, slopes: list[float]) -> None:
    bias = alibi(heads, 3)
    assert bias.dtype == np.float32
    assert bias.shape == (heads, 1, 3, 3)
    assert np.allclose(bias[:, 0, 0], np.multiply.outer(slopes, [0, -1, -2]))
    assert np.array_equal(bias, bias.swapaxes(2, 3))
