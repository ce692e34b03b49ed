"""Tags: which words of a long list are true of a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.model.ops import normalize
from numpyclip.tasks.background import Background
from numpyclip.tasks.vocabulary import embed_vocabulary, everyday_nouns, read_words

TOP_K = 5
THRESHOLD = 0.05

_TRUE = 2  # tags of a list that are true of a picture: of ours, on average, for drawings with keywords
_SAME = 0.95  # cosine of texts, from the mean of all, above which one tag says what the other did
_CLOSE = 0.7  # of the probability of a broader tag: a more detailed one takes its place


@dataclass(frozen=True)
class Tag:
    """A word for a picture.

    Attributes
    ----------
    tag : str
    probability : float
        That it is true, where two of the list are.
    """

    tag: str
    probability: float


class Tagger:
    """Tags by one model, from one list, which is embedded once.

    Parameters
    ----------
    model : CLIP
    vocabulary : iterable of str, optional
        The tags; by default about a thousand everyday nouns and adjectives of WordNet.
    top_k : int, default=5
        How many tags a picture gets at most.
    threshold : float, default=0.05
        How probable they are at least.

    Raises
    ------
    InputError
        If an argument is of the wrong kind or out of range.
    """

    def __init__(
        self,
        model: CLIP,
        vocabulary: Iterable[str] | None = None,
        *,
        top_k: int = TOP_K,
        threshold: float = THRESHOLD,
    ) -> None:
        count = whole_number(top_k)
        if count is None or count < 1:
            raise InputError(f"top_k is {top_k!r:.60}; expected a whole number of 1 or more.")
        if not isinstance(threshold, int | float | np.number) or not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold!r:.60}; expected a probability, 0 to 1.")
        self._top_k, self._threshold = count, threshold
        self._broader: dict[str, tuple[str, ...]] = {}
        if vocabulary is None:
            self._tags, self._broader = _everyday_tags()
        else:
            self._tags = list(dict.fromkeys(captions(vocabulary)))
        self._embeddings = embed_vocabulary(model, self._tags)
        self._background = Background(model)
        self._directions = normalize(self._background.centred(self._embeddings))

    def __call__(self, images: ArrayLike) -> list[list[Tag]]:
        """Tag pictures by their embeddings of unit length, (n, e); the best tag comes first."""
        prior = min(_TRUE / len(self._tags), 0.5)
        return [self._choose(row) for row in self._background.probabilities(images, self._embeddings, prior)]

    def _choose(self, probabilities: NDArray[np.float32]) -> list[Tag]:
        """Take the best tags, but of those that say the same only one, and of broader and narrower ones the latter.

        Beyond as many as are wanted it is gone on as long as a narrower tag may take the place of one of them.
        """
        chosen: list[int] = []
        for i in np.argsort(-probabilities, kind="stable").tolist():
            enough = len(chosen) >= self._top_k
            if not probabilities[i] >= self._threshold or (
                enough and not probabilities[i] >= _CLOSE * probabilities[chosen[self._top_k - 1]] > 0
            ):
                break
            if not any(self._says(j, i) for j in chosen):
                wider = self._broader.get(self._tags[i], ())
                replaced = [
                    j for j in chosen if self._tags[j] in wider and probabilities[i] >= _CLOSE * probabilities[j]
                ]
                chosen = [j for j in chosen if j not in replaced] + [i]
        return [Tag(self._tags[i], float(probabilities[i])) for i in chosen[: self._top_k]]

    def _says(self, chosen: int, other: int) -> bool:
        is_broader = self._tags[other] in self._broader.get(self._tags[chosen], ())
        return is_broader or bool(self._directions[chosen] @ self._directions[other] > _SAME)


def tag(
    model: CLIP,
    pictures: Picture | Iterable[Picture],
    vocabulary: Iterable[str] | None = None,
    *,
    top_k: int = TOP_K,
    threshold: float = THRESHOLD,
) -> list[list[Tag]]:
    """Find words that are true of pictures.

    Parameters
    ----------
    model : CLIP
    pictures : picture or iterable of pictures
        As `CLIP.embed_images` takes them.
    vocabulary, top_k, threshold
        As for `Tagger`.

    Returns
    -------
    list of list of Tag
        Of each picture, the most probable first; none where nothing reaches the threshold.

    Raises
    ------
    InputError
        If an argument is of the wrong kind or out of range.
    PictureError
        If a picture cannot be read.
    """
    tagger = Tagger(model, vocabulary, top_k=top_k, threshold=threshold)
    return tagger(model.embed_images(pictures))


def _everyday_tags() -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Read the tags, and for each noun the broader ones."""
    nouns = everyday_nouns()
    return [*nouns, *read_words("adjectives")], nouns
