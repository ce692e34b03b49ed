"""Answers: of a model whose embeddings are made by hand, and of the embedded one."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, TextTooLongError
from numpyclip.model import ops
from numpyclip.tasks import answers as module
from numpyclip.tasks.answers import Answer, Answerer, ask
from numpyclip.tasks.vocabulary import everyday_nouns

PICTURE = np.array([[1, 0]], np.float32)
SCALE = 10.0


class ByHand:
    """A stand-in for a model: a text's logit for the one picture is what the test says, else 0."""

    def __init__(self, logits: dict[str, float]) -> None:
        self.said = logits
        self.texts: list[str] = []

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        cosines = np.array([self.said.get(text, 0) / SCALE for text in texts])
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)

    def logits(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        logits: np.ndarray = np.float32(SCALE) * np.asarray(images, np.float32) @ texts.T
        return logits


class BackgroundByHand:
    """A stand-in for the background: the odds of a text are the exponential of its logit."""

    def __init__(self, model: Any) -> None: ...

    def probabilities(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        probabilities: np.ndarray = ops.sigmoid(np.float32(SCALE) * np.asarray(images, np.float32) @ texts.T)
        return probabilities


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Background", BackgroundByHand)


def answers(logits: dict[str, float], question: str, given: list[str] | None = None, **options: Any) -> list[Answer]:
    return Answerer(ByHand(logits), question, given, **options).answers(PICTURE)[0]  # type: ignore[arg-type]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("logit", [-6.0, -1.0, 0.0, 0.5, 4.0])
def test_a_thing_is_as_probable_as_the_background_says(logit: float) -> None:
    found = {answer.answer: answer for answer in answers({"a red dragon": logit}, "is there a red dragon?")}
    assert found["yes"].probability == pytest.approx(sigmoid(logit), abs=1e-6)
    assert found["no"].probability == pytest.approx(sigmoid(-logit), abs=1e-6)
    assert found["yes"].statement == found["no"].statement == "a red dragon"


def test_a_colour_is_judged_by_the_other_colours_and_not_by_words() -> None:
    model = ByHand({"a red car": 3.0, "a blue car": 3.0})
    (found,) = Answerer(model, "is the car red?").answers(PICTURE)  # type: ignore[arg-type]
    assert len(model.texts) == 11  # the statement, and ten other colours
    average = math.log((math.exp(3) + 9) / 10)
    assert {a.answer: a.probability for a in found}["yes"] == pytest.approx(sigmoid(3 - average), abs=1e-5)


def test_what_has_an_opposite_is_compared_with_it() -> None:
    found = answers({"a closed door": 2.0, "an open door": 3.0}, "is the door closed?")
    assert [(a.answer, round(a.probability, 4)) for a in found] == [
        ("no", round(sigmoid(1), 4)),
        ("yes", round(sigmoid(-1), 4)),
    ]


def test_a_choice_is_a_softmax_best_first_with_equal_ones_in_their_order() -> None:
    found = answers({"a cat": 1.0}, "is it a dog, a cat or a horse?")
    assert [a.answer for a in found] == ["a cat", "a dog", "a horse"]
    weights = [math.e / (math.e + 2), 1 / (math.e + 2), 1 / (math.e + 2)]
    assert [a.probability for a in found] == pytest.approx(weights, abs=1e-6)
    assert found[0] == Answer("a cat", found[0].probability, "a cat")


@pytest.mark.parametrize(
    "question",
    ["is there a dog?", "is the car red?", "is it red or blue?", "what animal is it?", "what is this?"],
)
def test_probabilities_of_all_answers_sum_to_one(question: str, tiny: CLIP) -> None:
    asked = Answerer(tiny, question)
    images = np.eye(3, tiny.config.embed_dim, dtype=np.float32)
    found = asked.probabilities(images)
    assert found.dtype == np.float32
    assert found.shape == (3, len(asked.question.answers))
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()
    for row, ranked in zip(found, asked.answers(images), strict=True):
        assert sorted(row.tolist(), reverse=True) == [answer.probability for answer in ranked]


def test_no_pictures_give_no_answers(tiny: CLIP) -> None:
    for question in ("is there a dog?", "what colour is it?"):
        assert Answerer(tiny, question).answers(np.empty((0, tiny.config.embed_dim))) == []


def test_very_large_logits_do_not_overflow(tiny: CLIP) -> None:
    hot = replace(tiny, logit_scale=np.float32(np.log(1e6)))
    for question in ("is there a bird?", "is it a bird or a house?"):
        found = Answerer(hot, question).probabilities(np.eye(2, tiny.config.embed_dim))
        assert np.isfinite(found).all()


def test_a_bias_on_all_logits_changes_nothing(tiny: CLIP) -> None:
    """SigLIP has one, and a sigmoid for each pair; answers exclude each other for it too."""
    siglip = replace(tiny, config=replace(tiny.config, sigmoid=True), logit_bias=np.float32(-12))
    images = np.eye(2, tiny.config.embed_dim)
    for question in ("is there a bird?", "is it a bird or a house?", "what animal is it?"):
        expected = Answerer(tiny, question).probabilities(images)
        assert Answerer(siglip, question).probabilities(images) == pytest.approx(expected, abs=1e-5)


def test_the_embedded_model_tells_things_apart(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    for name, other in (("bird", "house"), ("house", "camera"), ("camera", "bird")):
        assert ask(tiny, emoji[name], f"is it a {other} or a {name}?")[0].answer == f"a {name}"
        assert ask(tiny, emoji[name], "what is this?", answers=[other, name])[0].answer == name
        assert ask(tiny, emoji[name], f"is there a {name}?")[0].answer == "yes"
        assert ask(tiny, emoji[name], f"is there a {other}?")[0].answer == "no"


def test_a_question_that_is_not_understood_is_answered_from_the_given_answers(
    tiny: CLIP, emoji: dict[str, Image.Image]
) -> None:
    assert ask(tiny, emoji["bird"], "Was ist das?", answers=["house", "bird"])[0].answer == "bird"
    with pytest.raises(InputError, match="has no form that is understood"):
        ask(tiny, emoji["bird"], "Was ist das?")


def test_the_vocabulary_answers_open_questions_only(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    words = ["house", "camera", "bird"]
    found = ask(tiny, emoji["camera"], "what is this?", vocabulary=words)
    assert (found[0].answer, found[0].statement, len(found)) == ("camera", "a camera", 3)
    assert len(ask(tiny, emoji["camera"], "what colour is it?", vocabulary=words)) == 11
    assert len(ask(tiny, emoji["camera"], "what is this?")) == len(everyday_nouns())


def test_a_picture_may_be_a_path_or_pixels_but_must_be_one(tiny: CLIP, bird: Path) -> None:
    question = "is it a bird or a house?"
    expected = ask(tiny, bird, question)
    assert ask(tiny, str(bird), question) == ask(tiny, bird.read_bytes(), question) == expected
    assert ask(tiny, np.asarray(Image.open(bird)), question) == expected
    for several in ([], [bird, bird]):
        with pytest.raises(InputError, match="expected one image"):
            ask(tiny, several, question)  # type: ignore[arg-type]


def test_a_question_without_a_denial_embeds_no_background(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(_: CLIP) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "Background", unexpected)
    Answerer(tiny, "is it a dog or a cat?")
    Answerer(tiny, "is the dog black?")
    with pytest.raises(AssertionError):
        Answerer(tiny, "is there a dog?")


def test_a_statement_that_is_too_long_is_named(tiny: CLIP) -> None:
    with pytest.raises(TextTooLongError):
        Answerer(tiny, "is there " + "a dog and " * 100 + "a cat?")
