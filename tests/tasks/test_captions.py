"""Sentences for pictures: generated, put together, or chosen."""

import io
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.open import Picture
from numpyclip.tasks.captions import Captioner, Phrases, _extend, _read_kinds, caption

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"
FAMILIES = Path(__file__).parents[1] / "golden" / "families"


def test_the_nearest_of_ones_own_captions_is_chosen(tiny: CLIP) -> None:
    captions = ["a bicycle", "an umbrella", "a guitar"]
    found = caption(tiny, [ALBUM / "guitar.png", ALBUM / "umbrella.png"], iter(captions))
    assert [c.text for c in found] == ["a guitar", "an umbrella"]
    assert {c.method for c in found} == {"nearest"}
    assert all(0.3 < c.probability <= 1 for c in found)


def test_phrases_begin_with_a_subject_and_grow_as_long_as_they_fit_better(tiny: CLIP) -> None:
    image = tiny.embed_images(ALBUM / "bicycle.png")[0]
    phrases = Phrases(tiny)
    phrase, embedding = phrases.describe(image)
    assert "a bicycle" in phrase
    np.testing.assert_allclose(embedding, tiny.embed_texts(phrase)[0], atol=1e-5)
    assert embedding @ image >= tiny.embed_texts("a bicycle")[0] @ image
    # no single addition of a kind that is not in it yet would raise the similarity by more than is asked for
    least = 0.1 * (phrases._embeddings @ image).std()
    for pattern, values in _read_kinds().values():
        if not any(value in phrase for value in values):
            longer = tiny.embed_texts([_extend(pattern, value, phrase) for value in values])
            assert (longer @ image).max() <= embedding @ image + least


def test_one_addition_follows_another_each_of_its_kind_once(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    phrases = Phrases(tiny)
    phrases._embeddings = np.eye(1, 4, dtype=np.float32)
    phrases._subjects = ["a dog"]
    places = {"red": 1, "cartoon": 2, "at night": 3}

    def embed_texts(_: CLIP, texts: list[str]) -> np.ndarray:  # what is wanted adds 1 along an axis of its own
        return np.array([[1, *(word in text for word in places)] for text in texts], np.float32)

    monkeypatch.setattr(CLIP, "embed_texts", embed_texts)
    phrase, _ = phrases.describe(np.array([1, 0.5, 0.9, 0.7], np.float32))
    assert phrase == "a cartoon of a dog, at night, red"


def test_a_clip_that_cannot_write_says_so(tiny: CLIP) -> None:
    [found] = caption(tiny, ALBUM / "cat-face.png")
    assert found.method == "phrases" == Captioner(tiny).method
    assert "a cat" in found.text


class Writing(CLIP):
    """A CLIP that writes, as a CoCa does; the golden one has a vocabulary too small for words."""

    def generate(self, pictures: list[Picture], **options: Any) -> list[str]:
        return ["a sun" for picture in pictures if self.preprocess.read(picture, DecodeOptions(**options)).size]


def test_a_coca_writes_unless_captions_are_given(tiny: CLIP) -> None:
    coca, _ = numpyclip.load(FAMILIES / "open_clip-coca")
    parts = {field.name: getattr(tiny, field.name) for field in fields(tiny)}
    model = Writing(**{**parts, "config": replace(tiny.config, decoder=coca.config.decoder)})
    content = io.BytesIO((ALBUM / "sun.png").read_bytes())  # a file that is open can be read once only
    sun, umbrella = caption(model, [content, ALBUM / "umbrella.png"])
    assert sun.text == umbrella.text == "a sun"
    assert sun.method == umbrella.method == "generated"
    assert sun.probability > 0.5 > umbrella.probability
    [chosen] = caption(model, ALBUM / "umbrella.png", ["a sun", "an umbrella"])
    assert (chosen.text, chosen.method) == ("an umbrella", "nearest")


def test_no_pictures_have_no_captions(tiny: CLIP) -> None:
    assert caption(tiny, []) == caption(tiny, [], ["a"]) == []


@pytest.mark.parametrize("captions", [[], "a dog", [1]])
def test_captions_that_are_none_are_named(tiny: CLIP, captions: list[str]) -> None:
    with pytest.raises(InputError, match="captions"):
        caption(tiny, ALBUM / "sun.png", captions)


def test_additions_read_as_english() -> None:
    kinds = _read_kinds()
    assert list(kinds) == ["medium", "colour", "place", "light", "style", "mood"]
    assert all(len(values) > 5 and "{}" in pattern and "[]" in pattern for pattern, values in kinds.values())
    assert _extend(kinds["medium"][0], "oil painting", "a dog, red") == "an oil painting of a dog, red"
    assert _extend(kinds["colour"][0], "red", "a dog") == "a dog, red"


def test_a_captioner_takes_a_list_of_embeddings(tiny: CLIP) -> None:
    paths = [ALBUM / "umbrella.png", ALBUM / "guitar.png"]
    captions = ["a guitar", "an umbrella"]
    found = Captioner(tiny, captions)(paths, tiny.embed_images(paths).tolist())
    assert [caption.text for caption in found] == ["an umbrella", "a guitar"]
