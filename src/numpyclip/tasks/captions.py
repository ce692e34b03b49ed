"""Captions: a sentence for a picture, written by a model that can, else put together from words, else one of yours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from numpyclip.dual_encoder import validation
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.open import Picture, open_picture
from numpyclip.images.open import pictures as as_pictures
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background
from numpyclip.tasks.vocabulary import embed_vocabulary, everyday_nouns, read_words

Method: TypeAlias = Literal["generated", "phrases", "nearest"]

_LEAST_GAIN = 0.1  # of similarity, in standard deviations over all subjects: an addition of less says nothing


@dataclass(frozen=True)
class Caption:
    """A sentence for a picture.

    Attributes
    ----------
    text : str
    probability : float
        That it is about the picture: what was generated, if that is a toss-up beforehand; what was chosen, if one of
        the captions, or one of the subjects of phrases, is.
    method : {"generated", "phrases", "nearest"}
        A CoCa wrote it; or it was put together from words; or it is the best of the captions that were given.
    """

    text: str
    probability: float
    method: Method


class Phrases:
    """What phrases are put together from, and how, for one model.

    Attributes
    ----------
    n_subjects : int
    """

    def __init__(self, model: CLIP) -> None:
        self._model = model
        self._subjects = [f"{_article(noun)} {noun}" for noun in everyday_nouns()]
        self.n_subjects = len(self._subjects)
        self._embeddings = embed_vocabulary(model, self._subjects)
        self._kinds = _read_kinds()

    def describe(self, image: Array) -> tuple[str, Array]:
        """Find the phrase that fits an embedding (e,): the best subject, then whatever adds most, while something does.

        The way of CLIP Interrogator (pharmapsychotic, 2022), with words of our own.
        """
        similarities = self._embeddings @ image
        least_gain = _LEAST_GAIN * similarities.std()
        best = int(np.argmax(similarities))
        phrase, embedding = self._subjects[best], self._embeddings[best]
        kinds = dict(self._kinds)
        while kinds:
            longer = [
                (kind, _extend(pattern, value, phrase)) for kind, (pattern, values) in kinds.items() for value in values
            ]
            embeddings = self._model.embed_texts([text for _, text in longer])
            best = int(np.argmax(embeddings @ image))
            if not embeddings[best] @ image > embedding @ image + least_gain:
                break
            embedding = embeddings[best]
            kind, phrase = longer[best]
            del kinds[kind]
        return phrase, embedding


class Captioner:
    """Captions by one model; what does not depend on the pictures is embedded once.

    Parameters
    ----------
    model : CLIP
    captions : iterable of str, optional
        Choose from these, instead of writing.

    Attributes
    ----------
    method : {"generated", "phrases", "nearest"}
        Where its captions come from.

    Raises
    ------
    InputError
        If captions is empty, or no list of texts.
    """

    def __init__(self, model: CLIP, captions: Iterable[str] | None = None) -> None:
        self._model = model
        self._background = Background(model)
        self._prior = 0.5
        self.method: Method = "generated" if model.config.decoder is not None else "phrases"
        if captions is not None:
            self.method = "nearest"
            self._captions = validation.captions(captions)
            self._embeddings = embed_vocabulary(model, self._captions)
            self._prior = min(1 / len(self._captions), 0.5)
        elif self.method == "phrases":
            self._phrases = Phrases(model)
            self._prior = 1 / self._phrases.n_subjects

    def __call__(self, pictures: Sequence[Picture], images: Array, *, orient: bool = True) -> list[Caption]:
        """Caption pictures, given these and their embeddings of unit length, (n, e)."""
        if self.method == "nearest":
            chosen = np.argmax(images @ self._embeddings.T, axis=1)
            texts, embeddings = [self._captions[i] for i in chosen], self._embeddings[chosen]
        elif self.method == "generated":
            texts = self._model.generate(pictures, orient=orient)
            embeddings = self._model.embed_texts(texts, truncate=True)
        else:
            found = [self._phrases.describe(image) for image in images]
            texts = [text for text, _ in found]
            embeddings = np.stack([embedding for _, embedding in found]) if found else images
        probabilities = [
            float(self._background.probabilities([image], [text], self._prior)[0, 0])
            for image, text in zip(images, embeddings, strict=True)
        ]
        return [Caption(text, p, self.method) for text, p in zip(texts, probabilities, strict=True)]


def caption(model: CLIP, pictures: Picture | Iterable[Picture], captions: Iterable[str] | None = None) -> list[Caption]:
    """Say in a sentence what pictures show.

    With captions given, the nearest of these. Else a CoCa writes a sentence; any other CLIP cannot write, and gets the
    phrase that fits best among those that can be put together: subject, medium, colour, place, light, style, mood.

    Parameters
    ----------
    model : CLIP
    pictures : picture or iterable of pictures
        As `CLIP.embed_images` takes them.
    captions : iterable of str, optional

    Returns
    -------
    list of Caption
        One for each picture, which says by its `method` which of the three it is.

    Raises
    ------
    InputError
        If captions is empty, or no list of texts.
    PictureError
        If a picture cannot be read.
    """
    captioner = Captioner(model, captions)
    several: list[Picture] = list(as_pictures(pictures))
    if captioner.method == "generated":  # which reads them twice, and files that are open only once
        several = [open_picture(picture) for picture in several]
    return captioner(several, model.embed_images(several))


def _extend(pattern: str, value: str, phrase: str) -> str:
    if pattern.startswith("{"):
        value = f"{_article(value)} {value}"
    return pattern.replace("{}", value).replace("[]", phrase)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _read_kinds() -> dict[str, tuple[str, list[str]]]:
    """Read the pattern and the values of each kind of addition."""
    kinds: dict[str, tuple[str, list[str]]] = {}
    for line in read_words("phrases"):
        kind, is_kind, pattern = line.partition("\t")
        if is_kind:
            values: list[str] = []
            kinds[kind] = (pattern, values)
        elif not line.startswith("#"):
            values.append(line)
    return kinds
