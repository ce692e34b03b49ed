"""That what is kept of tokens and pictures gives what computing everything anew gives."""

from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.coca import CoCa
from numpyclip.errors import InputError
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.ops import Array
from numpyclip.model.text.text_transformer import TextTransformer
from numpyclip.model.vision.vit import VisionTransformer
from tests.families.test_parity import load
from tests.model.golden import assert_close

NAMES = pytest.mark.parametrize("name", ["open_clip-coca", "open_clip-coca-patches"])
TEXTS = np.random.default_rng(0).integers(0, 40, (6, 12))
TEXTS[1, [3, 4]] = TEXTS[4, 5] = 0  # what one model takes for padding
TEXTS[2, 2] = TEXTS[3, [0, 9]] = 3  # and the other


def described(name: str) -> tuple[CoCa, Array]:
    model, golden = load(name)
    assert isinstance(model, CoCa)
    assert isinstance(model.visual, VisionTransformer)
    return model, model.visual.describe(golden["image"])


def begin(name: str, pictures: Any = slice(None)) -> Prefixes:
    model, tokens = described(name)
    assert isinstance(model.text, TextTransformer)
    return Prefixes(model.text, model.decoder, tokens[pictures], 12)


@NAMES
@pytest.mark.parametrize("cuts", [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [4, 11], [7]])
def test_tokens_one_after_another_give_what_all_at_once_give(name: str, cuts: list[int]) -> None:
    prefixes = begin(name)
    parts = [prefixes.extend(ids) for ids in np.split(TEXTS, cuts, axis=1)]
    assert prefixes.length == 12
    assert_close(np.concatenate(parts, axis=2), begin(name).extend(TEXTS))


@NAMES
def test_only_the_last_token_s_logits_are_computed(name: str) -> None:
    model, _ = described(name)
    expected = model.decoder.logits(begin(name).extend(TEXTS)[:, :, -1])
    assert expected.shape == (6, 40)
    np.testing.assert_array_equal(begin(name).logits(TEXTS), expected)


@NAMES
def test_captions_go_on_in_any_order_with_the_pictures_that_are_left(name: str) -> None:
    """Two to each picture, which see it and their own beginning."""
    prefixes = begin(name)
    prefixes.extend(TEXTS[:, :3])
    prefixes.select(np.array([1, 1, 4, 4, 5, 5]), np.array([1, 4, 5]))
    rest = TEXTS[[0, 1, 2, 3, 4, 5], 3:]
    prefixes.extend(rest[:, :5])
    prefixes.select(np.array([1, 0, 5, 4]), np.array([0, 2]))
    last = prefixes.extend(rest[[1, 0, 5, 4], 5:])
    whole = np.concatenate([TEXTS[[1, 1, 4, 4, 5, 5], :3], rest], axis=1)[[1, 0, 5, 4]]
    alone = np.concatenate(
        [begin(name, [picture]).extend(whole[i : i + 1]) for i, picture in enumerate((1, 1, 5, 5))], axis=1
    )
    assert_close(last, alone[:, :, 8:])


@NAMES
def test_forgotten_tokens_leave_no_trace(name: str) -> None:
    prefixes = begin(name)
    prefixes.extend(TEXTS)
    prefixes.forget()
    np.testing.assert_array_equal(prefixes.extend(TEXTS[::-1]), begin(name).extend(TEXTS[::-1]))


def test_logits_that_are_not_finite_are_an_error() -> None:
    name = "open_clip-coca"
    model, tokens = described(name)
    assert isinstance(model.text, TextTransformer)
    damaged = tokens.copy()
    damaged[0] = np.nan
    with pytest.raises(InputError, match="logits of a caption have NaN or infinity: the weights are damaged"):
        Prefixes(model.text, model.decoder, damaged, 12).logits(TEXTS[: len(tokens), :1])
