"""IMAGES → TAGS: which words of a long list apply to an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model.ops import normalize
from numpyclip.tasks.background import Background
from numpyclip.tasks.vocabulary import embed_vocabulary, everyday_nouns, read_words

TOP_K = 5
THRESHOLD = 0.05

_TRUE = 2  # tags of the vocabulary that apply to an image, measured on drawings with keywords
_SYNONYM = 0.95  # cosine of two tags, centered, from which they count as synonyms
_CLOSE = 0.7  # a tag of so much of the probability of a broader one takes its place


@dataclass(frozen=True)
class Tag:
    """A word that applies to an image.

    Attributes
    ----------
    tag : str
    probability : float
        That it applies, if two of the vocabulary do.
    """

    tag: str
    probability: float


class Tagger:
    """Tags by one model, from one vocabulary, which is embedded once.

    Parameters
    ----------
    model : CLIP
    vocabulary : iterable of str, optional
        The tags; by default about a thousand everyday nouns and adjectives of WordNet.
    top_k : int, default=5
        Maximum number of tags of an image.
    threshold : float, default=0.05
        Minimum probability of a tag.

    Raises
    ------
    InputError
        If an argument is of the wrong kind or out of range.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        vocabulary: Iterable[str] | None = None,
        *,
        top_k: int = TOP_K,
        threshold: float = THRESHOLD,
    ) -> None:
        if (count := whole_number(top_k)) is None or count < 1:
            raise InputError(f"top_k is {top_k!r:.60}; expected an integer of 1 or more.")
        if not isinstance(threshold, int | float | np.number) or not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold!r:.60}; expected a probability, 0 to 1.")
        self._top_k, self._threshold = count, threshold
        self._broader: dict[str, tuple[str, ...]] = {}
        if vocabulary is None:
            self._broader = everyday_nouns()
            self._tags = [*self._broader, *read_words("adjectives")]
        else:
            self._tags = list(dict.fromkeys(captions(vocabulary, name="vocabulary")))
        self._embeddings = embed_vocabulary(model, self._tags)
        self._background = Background(model)
        self._directions = normalize(self._background.centred(self._embeddings))

    def __call__(self, images: ArrayLike) -> list[list[Tag]]:
        """Tag images, given their embeddings of unit length (n, e); the most probable tag comes first."""
        prior = min(_TRUE / len(self._tags), 0.5)
        return [self._choose(row) for row in self._background.probabilities(images, self._embeddings, prior)]

    def _choose(self, probabilities: NDArray[np.float32]) -> list[Tag]:
        """Choose the most probable tags, but only one of synonyms, and of broader and narrower ones the latter.

        After `top_k` tags the search goes on as long as a narrower tag can replace one of them.
        """
        chosen: list[int] = []
        for i in np.argsort(-probabilities, kind="stable").tolist():
            p = probabilities[i]
            if not p >= self._threshold:
                break
            if len(chosen) >= self._top_k and not p >= _CLOSE * probabilities[chosen[self._top_k - 1]] > 0:
                break
            synonyms = self._directions @ self._directions[i] > _SYNONYM
            if not any(synonyms[j] or self._is_broader(i, j) for j in chosen):
                chosen = [j for j in chosen if not (self._is_broader(j, i) and p >= _CLOSE * probabilities[j])] + [i]
        return [Tag(self._tags[i], float(probabilities[i])) for i in chosen[: self._top_k]]

    def _is_broader(self, one: int, other: int) -> bool:
        return self._tags[one] in self._broader.get(self._tags[other], ())


def tag(
    model: CLIP,
    images: Picture | Iterable[Picture],
    vocabulary: Iterable[str] | None = None,
    *,
    top_k: int = TOP_K,
    threshold: float = THRESHOLD,
) -> list[list[Tag]]:
    """Find words that apply to images.

    Parameters
    ----------
    model : CLIP
    images : image or iterable of images
        As in `CLIP.embed_images`.
    vocabulary, top_k, threshold
        As in `Tagger`.

    Returns
    -------
    list of list of Tag
        Of each image, the most probable first; empty if none reaches the threshold.

    Raises
    ------
    InputError
        If an argument is of the wrong kind or out of range.
    PictureError
        If an image cannot be read.
    """
    check_model(model)
    tagger = Tagger(model, vocabulary, top_k=top_k, threshold=threshold)
    return tagger(model.embed_images(images))
