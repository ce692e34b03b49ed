"""IMAGES → VERDICTS: which images queries keep or drop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP, check_model
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
    """Whether an image is kept, and why.

    Attributes
    ----------
    kept : bool
    query : str
        The one that fits best; it decided if its score reaches the threshold.
    score : float
        Its probability or cosine.
    """

    kept: bool
    query: str
    score: float


class Filter:
    """Queries for what to keep and what to drop.

    The query that fits an image best decides, if its score reaches `threshold`. If none does, the image is kept unless
    there are queries for what to keep.

    Parameters
    ----------
    model : CLIP
    keep, drop : sequence of str
        As `Query` reads them: "a photo of a cat", "horse + stripes - grass", or paths of images.
    threshold : float, default=0.5
        Score from which a query fits.
    score : {"probability", "cosine"}, default="probability"
        Probabilities, by `Background`, exist only for single texts; sums and images have cosines.

    Raises
    ------
    InputError
        If there is no query, a query cannot be read or has no probability, or the threshold is out of range.
    PictureError
        If an image cannot be read.
    """

    def __init__(
        self,
        model: CLIP,
        keep: Sequence[str] = (),
        drop: Sequence[str] = (),
        threshold: float = 0.5,
        score: Score = "probability",
    ) -> None:
        self._texts = [*keep, *drop]
        self._to_keep = len(keep)
        self._threshold = threshold
        if score not in ("probability", "cosine"):
            raise InputError(f"score is {score!r:.60}; expected 'probability' or 'cosine'.")
        lowest = 0 if score == "probability" else -1
        if not isinstance(threshold, int | float | np.number) or not lowest <= threshold <= 1:
            raise InputError(f"threshold is {threshold!r:.60}; expected a {score}, {lowest} to 1.")
        queries = [Query.parse(text) for text in self._texts]
        if not queries:
            raise InputError("nothing to keep or drop; expected at least one query.")
        if score == "probability" and (sums := [query for query in queries if not query.is_text]):
            raise InputError(
                f"query '{sums[0]}' is a sum or an image; probabilities exist only for single texts. "
                "Pass score='cosine' (--cosine-threshold) instead."
            )
        self._embed_dim = model.config.embed_dim
        self._queries = np.stack([query.embed(model) for query in queries])
        self._background = Background(model) if score == "probability" else None

    def __call__(self, images: ArrayLike) -> list[Verdict]:
        """Judge images, given their embeddings of unit length (n, e)."""
        scores = self.scores(images)
        verdicts = []
        for row, best in zip(scores, scores.argmax(axis=1).tolist(), strict=True):
            fits = bool(row[best] >= self._threshold)
            kept = best < self._to_keep if fits else not self._to_keep
            verdicts.append(Verdict(kept, self._texts[best], float(row[best])))
        return verdicts

    def scores(self, images: ArrayLike) -> Array:
        """Compute the score of each query, those to keep first: (n, e) -> (n, queries)."""
        if self._background is not None:
            return self._background.probabilities(images, self._queries)
        cosines: Array = checked_embeddings(images, self._embed_dim, "images") @ self._queries.T
        return cosines


def filter_pictures(
    model: CLIP,
    images: Picture | Iterable[Picture],
    keep: str | Sequence[str] = (),
    drop: str | Sequence[str] = (),
    *,
    threshold: float = 0.5,
    score: Score = "probability",
) -> list[Verdict]:
    """Decide which images to keep.

    Parameters
    ----------
    model : CLIP
    images : image or iterable of images
        As in `CLIP.embed_images`.
    keep, drop, threshold, score
        As in `Filter`; a single query may be a string.

    Returns
    -------
    list of Verdict
        One for each image: ``verdict.kept``, and the query that fits it best.

    Raises
    ------
    InputError, PictureError
        As in `Filter`.
    """
    check_model(model)
    judge = Filter(model, checked(keep, "keep"), checked(drop, "drop"), threshold, score)
    return judge(model.embed_images(images))
