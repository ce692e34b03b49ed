"""PICTURES → KEPT, DROPPED: what queries say should be kept or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background
from numpyclip.tasks.query import Query
from numpyclip.tokenizer.base import checked

Score: TypeAlias = Literal["probability", "cosine"]


@dataclass(frozen=True)
class Verdict:
    """Whether a picture is kept, and why.

    Attributes
    ----------
    kept : bool
    query : str
        The one that fits best of all; it decided if its score reaches the least one.
    score : float
        Its probability, or its cosine.
    """

    kept: bool
    query: str
    score: float


class Filter:
    """Queries for what is to be kept and what is not.

    The query that fits a picture best decides, if its score reaches `minimum`. If none does, a picture is kept unless
    there are queries for what to keep.

    Parameters
    ----------
    model : CLIP
    keep, drop : sequence of str
        As `Query` reads them: "a photo of a cat", "horse + stripes - grass", or paths of pictures.
    minimum : float, default=0.5
        Score at which a query fits.
    score : {"probability", "cosine"}, default="probability"
        Probabilities, which `Background` gives, are known for texts; sums and pictures have cosines only.

    Raises
    ------
    InputError
        If there is no query, a query cannot be read or has no probability, or the minimum is no possible score.
    PictureError
        If a picture cannot be read.
    """

    def __init__(
        self,
        model: CLIP,
        keep: Sequence[str] = (),
        drop: Sequence[str] = (),
        minimum: float = 0.5,
        score: Score = "probability",
    ) -> None:
        self._texts = [*keep, *drop]
        self._to_keep = len(keep)
        self._minimum = minimum
        least = 0 if score == "probability" else -1
        if not least <= minimum <= 1:
            raise InputError(f"the least {score} is {minimum!r:.60}; expected a number from {least} to 1.")
        queries = [Query.parse(text) for text in self._texts]
        if not queries:
            raise InputError("nothing says what to keep or drop; expected at least one query.")
        if score == "probability" and (sums := [query for query in queries if not query.is_text]):
            raise InputError(
                f"query '{sums[0]}' is a sum or a picture, and only for a single text a probability is known; "
                "compare cosines with a least cosine (--cosine-threshold) instead."
            )
        self._embed_dim = model.config.embed_dim
        self._queries: Array = np.stack([query.embed(model) for query in queries])
        self._background = Background(model) if score == "probability" else None

    def __call__(self, images: ArrayLike) -> list[Verdict]:
        """Judge pictures, given their embeddings of unit length (n, e)."""
        scores = self.scores(images)
        verdicts = []
        for row, best in zip(scores, scores.argmax(axis=1).tolist(), strict=True):
            fits = bool(row[best] >= self._minimum)
            kept = best < self._to_keep if fits else not self._to_keep
            verdicts.append(Verdict(kept, self._texts[best], float(row[best])))
        return verdicts

    def scores(self, images: ArrayLike) -> Array:
        """Compute the probability, or the cosine, of every query: (n, e) -> (n, queries), those to keep first."""
        if self._background is not None:
            return self._background.probabilities(images, self._queries)
        cosines: Array = checked_embeddings(images, self._embed_dim, "pictures") @ self._queries.T
        return cosines


def filter_pictures(
    model: CLIP,
    pictures: Picture | Iterable[Picture],
    keep: str | Sequence[str] = (),
    drop: str | Sequence[str] = (),
    *,
    minimum: float = 0.5,
    score: Score = "probability",
) -> list[Verdict]:
    """Judge which pictures are to be kept.

    Parameters
    ----------
    model : CLIP
    pictures : picture or iterable of pictures
        As `CLIP.embed_images` takes them.
    keep, drop, minimum, score
        As for `Filter`; a single query may be a string.

    Returns
    -------
    list of Verdict
        One for each picture: ``verdict.kept``, and the query that fits it best.

    Raises
    ------
    InputError
        As for `Filter`.
    PictureError
        If a picture cannot be read.
    """
    judge = Filter(model, checked(keep, "keep"), checked(drop, "drop"), minimum, score)
    return judge(model.embed_images(pictures))
