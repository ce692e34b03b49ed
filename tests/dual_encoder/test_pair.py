"""The images of one model, searched by texts of another."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.pair import pair
from numpyclip.errors import InputError
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close

IMAGES, TEXTS = "open_clip-xlm-roberta", "mclip-bert"


@pytest.fixture(scope="module")
def both() -> numpyclip.CLIP:
    return numpyclip.load(FAMILIES / IMAGES, text_model=FAMILIES / TEXTS)[0]


def test_images_are_of_one_model_and_texts_of_the_other(both: numpyclip.CLIP) -> None:
    (images, image), (_, text) = load(IMAGES), load(TEXTS)
    assert_close(both.encode_image(image["image"]), image["encode_image"])
    assert_close(both.encode_text(text["text"]), text["encode_text"])
    assert both.logit_scale == images.logit_scale
    assert both.context_length == 66
    logits, _ = both(image["image"], text["text"])
    rows = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (image["encode_image"], text["encode_text"])]
    assert_close(logits, np.exp(images.logit_scale) * rows[0] @ rows[1].T)
    assert repr(both) == "CLIP(open_clip, 16 px, 66 tokens, 24 dimensions)"


def test_a_string_is_read_by_the_other_model_s_tokenizer(both: numpyclip.CLIP) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    assert np.array_equal(both.embed_texts(["a dog"]), load(TEXTS)[0].embed_texts(["a dog"]))


def test_its_images_are_comparable_with_those_of_the_first_model_alone(both: numpyclip.CLIP) -> None:
    images, texts = load(IMAGES)[0], load(TEXTS)[0]
    assert both.fingerprint == images.fingerprint
    assert not both.fingerprint.differences(images.fingerprint)
    assert both.fingerprint.differences(texts.fingerprint)
    assert both.fingerprint.to_json() != images.fingerprint.to_json()  # embeddings of words are cached by it
    assert both.fingerprint.text_model[:12] in str(both.fingerprint)
    other = pair(images, load("mclip-xlm-roberta")[0])
    assert other.fingerprint.text_model not in ("", both.fingerprint.text_model)


def test_an_index_of_the_first_model_is_searched_by_texts_of_the_other(both: numpyclip.CLIP, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    for shade in (0, 128, 255):
        Image.new("L", (20, 20), shade).save(tmp_path / f"{shade}.png")
    with numpyclip.Index(tmp_path / "index", load(IMAGES)[0], create=True) as index:
        index.update(tmp_path)
    with numpyclip.Index(tmp_path / "index", both) as index:
        found = index.search("a dog")
    pictures = sorted(tmp_path.glob("*.png"))
    cosines = both.embed_images(pictures) @ both.embed_texts(["a dog"])[0]
    assert str(found.matches[0].path).endswith(pictures[int(cosines.argmax())].name)


def test_it_can_be_pickled_but_not_saved(both: numpyclip.CLIP, tmp_path: Path) -> None:
    text = load(TEXTS)[1]
    assert_close(pickle.loads(pickle.dumps(both)).encode_text(text["text"]), text["encode_text"])
    with pytest.raises(InputError, match="has the text tower of another one, cannot be saved"):
        numpyclip.save(both, tmp_path / "model")


def test_towers_that_do_not_fit_are_refused() -> None:
    whole, text = load(IMAGES)[0], load(TEXTS)[0]
    with pytest.raises(InputError, match=r"CLIP\(multilingual_clip.*: has no tower for images; expected one"):
        pair(text, text)
    with pytest.raises(InputError, match=r": has no tower for texts; expected one"):
        pair(whole, load("transformers-clip-vision")[0])
    with pytest.raises(InputError, match=r"without a temperature \(logit_scale\); text_model= \(--text-model\) needs"):
        pair(load("transformers-clip-vision")[0], text)
    with pytest.raises(InputError, match="text_model: its embeddings have 24 dimensions, those of the images 40"):
        pair(load("open_clip-quickgelu")[0], text)


def test_the_activation_is_also_that_of_a_text_tower_that_records_none(checkpoints: Path) -> None:
    """A checkpoint without a record; a warning, which would say so, fails the test."""
    names = checkpoints / "vit-torchscript.pt", checkpoints / "vit.safetensors"
    model, _ = numpyclip.load(names[0], activation="quick_gelu", text_model=names[1])
    assert model.config.activation == "quick_gelu"
    model, _ = numpyclip.load(names[1], activation="gelu", text_model=names[1])
    assert model.config.activation == "gelu"
    model, _ = numpyclip.load(names[1], activation="gelu", text_model=names[0])  # which records another one
    assert model.config.activation == "quick_gelu"


@pytest.mark.parametrize("wrong", [3, ["a"]])
def test_a_text_model_that_is_no_name_is_refused(wrong: object) -> None:
    with pytest.raises(InputError, match=r"text_model is .*; expected the name of a model, or a path"):
        numpyclip.load("tiny", text_model=wrong)  # type: ignore[arg-type]
