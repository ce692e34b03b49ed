"""IMAGE, QUESTION → ANSWERS: a question becomes statements, and these are compared with the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.errors import InputError
from numpyclip.images.open import Picture, pictures
from numpyclip.model.ops import Array, softmax
from numpyclip.tasks.background import Background
from numpyclip.tasks.questions import YES_NO, understand


@dataclass(frozen=True)
class Answer:
    """A possible answer to a question about an image.

    Attributes
    ----------
    answer : str
    probability : float
        Those of all answers sum to 1.
    statement : str
        The text that was compared with the image; for "no" the one that it denies.
    """

    answer: str
    probability: float
    statement: str


class Answerer:
    """A question to be asked of many images.

    Parameters
    ----------
    model : CLIP
    question : str
        In English, of one of the forms in docs/guides/ask.md.
    answers : sequence of str, optional
        To choose from, instead of those that the kind of question has.
    vocabulary : sequence of str, optional
        Answers to open questions, such as "what is this?"; by default 966 everyday nouns.

    Attributes
    ----------
    question : Question
        What was understood: its kind, answers and statements.

    Raises
    ------
    InputError
        If the question is not understood, or the answers are not two or more strings.
    TextTooLongError
        If a statement has more tokens than the model has positions.
    """

    def __init__(
        self, model: CLIP, question: str, answers: Sequence[str] | None = None, vocabulary: Sequence[str] | None = None
    ) -> None:
        self.question = understand(question, answers, vocabulary)
        self._model = model
        self._background: Background | None = None
        compared = self.question.statements
        if self.question.kind == YES_NO:
            compared = (compared[0], *self.question.rivals)
            self._background = None if self.question.rivals else Background(model)
        self._texts = model.embed_texts(compared)

    def answers(self, images: ArrayLike) -> list[list[Answer]]:
        """Answer for images, given their embeddings of unit length (n, e): for each all answers, best first."""
        asked, ranked = self.question, []
        for row in self.probabilities(images).tolist():
            found = map(Answer, asked.answers, row, asked.statements)
            ranked.append(sorted(found, key=lambda answer: -answer.probability))
        return ranked

    def probabilities(self, images: ArrayLike) -> Array:
        """Compute the probability of every answer, in the order of the question: (n, e) -> (n, answers).

        Answers exclude each other: a softmax compares their statements. For yes and no, the statement is compared with
        its rivals, such as the other colors, or by `Background` if it has none.
        """
        if self._background is not None:
            yes = self._background.probabilities(images, self._texts)[:, 0]
        else:
            logits = self._model.logits(images, self._texts)
            if self.question.kind != YES_NO:
                return softmax(logits)
            logits[:, 0] += math.log(len(self.question.rivals))  # prior of 0.5: as likely as all rivals together
            yes = softmax(logits)[:, 0]
        return np.stack((yes, 1 - yes), axis=1)


def ask(
    model: CLIP,
    image: Picture,
    question: str,
    *,
    answers: Sequence[str] | None = None,
    vocabulary: Sequence[str] | None = None,
    orient: bool = True,
) -> list[Answer]:
    """Ask a question about an image.

    CLIP can tell what an image is about: "is there a dog?", "is it a dog or a cat?". It is weak at colors. It chooses
    among the answers that it is given even if none is right, except for yes and no. Questions that it cannot answer
    are errors: how many, where, who, why, left or right, "no" and "not".

    Parameters
    ----------
    model : CLIP
    image : path, bytes, PIL image or array of uint8
        One image; for many see `Answerer`.
    question, answers, vocabulary
        As in `Answerer`.
    orient : bool, default=True
        Apply the EXIF orientation.

    Returns
    -------
    list of Answer
        All answers, best first.

    Raises
    ------
    InputError, TextTooLongError
        As in `Answerer`; also if there is not exactly one image.
    PictureError
        If the image cannot be read.

    Examples
    --------
    >>> import numpyclip
    >>> model, _ = numpyclip.load("tiny")
    >>> numpyclip.tasks.ask(model, "docs/pictures/bird.png", "is it a bird or a house?")[0].answer
    'a bird'
    """
    check_model(model)
    images = list(islice(pictures(image), 2))
    if len(images) != 1:
        raise InputError("ask: expected one image; for several, use numpyclip.tasks.Answerer(...).answers(embeddings).")
    return Answerer(model, question, answers, vocabulary).answers(model.embed_images(images, orient=orient))[0]
