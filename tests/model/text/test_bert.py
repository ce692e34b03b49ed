"""BERT and other encoders as towers of texts; tests/families/test_parity.py compares them with transformers."""

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import InputError
from numpyclip.model.config import BertConfig
from tests.families.test_parity import FAMILIES, load
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
def test_no_text_is_longer_than_there_are_places(name: str) -> None:
    model, _ = load(name)
    assert model.context_length == 12
    with pytest.raises(InputError, match=r"expected integers of shape \(n, 12\)"):
        model.encode_text(np.ones((1, 13), int))
