"""PICTURE, QUESTION → ANSWERS: a question becomes statements, and the picture says which of them fits it best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.open import Picture, pictures
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background
from numpyclip.tasks.questions import YES_NO, understand


@dataclass(frozen=True)
class Answer:
    """A possible answer to a question about a picture.

    Attributes
    ----------
    answer : str
    probability : float
        Those of all answers sum to 1.
    statement : str
        The text that was compared with the picture; for "no" that which it denies.
    """

    answer: str
    probability: float
    statement: str


class Answerer:
    """A question to be asked of many pictures.

    Parameters
    ----------
    model : CLIP
    question : str
        In English, of a kind that `numpyclip.tasks.questions.understand` lists.
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
        self._statements = model.embed_texts(self.question.statements)
        self._background = Background(model) if self.question.kind == YES_NO and not self.question.rivals else None
        self._rivals = model.embed_texts(self.question.rivals) if self.question.rivals else None

    def answers(self, images: ArrayLike) -> list[list[Answer]]:
        """Answer for pictures, given their embeddings of unit length (n, e): for each all answers, best first."""
        asked, ranked = self.question, []
        for row in self.probabilities(images).tolist():
            found = map(Answer, asked.answers, row, asked.statements)
            ranked.append(sorted(found, key=lambda answer: -answer.probability))
        return ranked

    def probabilities(self, images: ArrayLike) -> Array:
        """Say how probable every answer is: (n, e), of unit length -> (n, answers), in the order of the question.

        Answers exclude each other: a softmax compares their statements. Of yes and no, the one statement is compared
        with the average of its rivals or, if it has none, judged by `Background`.
        """
        if self._background is not None:
            yes = self._background.probabilities(images, self._statements[:1])[:, 0]
        elif self._rivals is not None:
            logits = self._model.logits(images, self._statements[:1])[:, 0]
            yes = _even(logits, self._model.logits(images, self._rivals))
        else:
            return ops.softmax(self._model.logits(images, self._statements))
        return np.stack((yes, 1 - yes), axis=1)


def _even(logits: Array, rivals: Array) -> Array:
    """Say how probable a statement is that was as likely as not beforehand: (n,), (n, rivals) -> (n,).

    As it was trained, the exponential of CLIP's logit is how much more probable a text is for this picture than for any
    picture, up to a factor that the picture has. The average over its rivals is that factor.
    """
    most = rivals.max(axis=1)
    average = np.log(np.exp(rivals - most[:, np.newaxis]).mean(axis=1)) + most
    return ops.sigmoid(logits - average)


def ask(
    model: CLIP,
    image: Picture,
    question: str,
    *,
    answers: Sequence[str] | None = None,
    vocabulary: Sequence[str] | None = None,
    orient: bool = True,
) -> list[Answer]:
    """Ask a question about a picture.

    What CLIP can tell is what a picture is about: "is there a dog?", "is it a dog or a cat?". It is weak at colours. It
    chooses among the answers it is given, and does not know when none is right, but for yes and no: there `Background`
    or what else may be true says how probable a statement is. What it cannot tell is refused: how many, where, who,
    why, left or right, "no" and "not".

    Parameters
    ----------
    model : CLIP
    image : picture
        A path, bytes of a file, a PIL image, or an array of uint8. For many pictures see `Answerer`.
    question, answers, vocabulary
        As in `Answerer`.
    orient : bool, default=True
        Turn the picture as its EXIF orientation says.

    Returns
    -------
    list of Answer
        All answers, best first.

    Raises
    ------
    InputError
        If the question is not understood, or the answers are not two or more strings, or there is not one picture.
    PictureError
        If the picture cannot be read.
    TextTooLongError
        If a statement has more tokens than the model has positions.

    Examples
    --------
    >>> import numpyclip
    >>> model, _ = numpyclip.load("tiny")
    >>> numpyclip.tasks.ask(model, "docs/pictures/bird.png", "is it a bird or a house?")[0].answer
    'a bird'
    """
    images = list(islice(pictures(image), 2))
    if len(images) != 1:
        raise InputError("ask: expected one picture; for several, embed them and pass them to Answerer(...).answers.")
    return Answerer(model, question, answers, vocabulary).answers(model.embed_images(images, orient=orient))[0]
