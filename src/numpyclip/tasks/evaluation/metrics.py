"""Accuracy and recall, with the conventions of LAION's CLIP_benchmark (clip_benchmark/metrics).

All of them count ranks: how many columns score higher than the right one. Of columns with the same score the first is
taken to be higher, so that a model that cannot tell anything apart is not right by chance; a score that is NaN is lower
than all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.errors import InputError
from numpyclip.model.ops import Array

_BLOCK = 2**22  # scores at once: 16 MiB


def ranks(scores: ArrayLike, positives: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Count what each row scores higher than the best of its positives: (n, m), (n, m) -> (n,).

    0 is a hit at once, k - 1 one among the k best; m where a row has no positive, or all of them are NaN.
    """
    array = np.array(scores, np.float32)
    array[np.isnan(array)] = -np.inf
    right = np.where(positives, array, -np.inf)
    first = right.argmax(axis=1)
    best = np.take_along_axis(right, first[:, np.newaxis], axis=1)
    before = np.arange(array.shape[1]) < first[:, np.newaxis]
    higher: NDArray[np.intp] = ((array > best) | ((array == best) & before)).sum(axis=1)
    higher[np.isneginf(best[:, 0])] = array.shape[1]
    return higher


def recall_at(ranks: NDArray[np.intp], k: int) -> float:
    """Return the share of rows with a positive among the k best; NaN without rows."""
    return float((ranks < k).mean()) if ranks.size else float("nan")


class Confusion:
    """Counts of what pictures show, in rows, and of what was predicted, in columns.

    Parameters
    ----------
    n_labels : int

    Attributes
    ----------
    counts : ndarray of shape (n_labels, n_labels), dtype=int64
    """

    def __init__(self, n_labels: int) -> None:
        self.counts = np.zeros((n_labels, n_labels), np.int64)

    def add(self, true: Sequence[int], predicted: Sequence[int]) -> None:
        """Count pictures: what they show, and what was predicted."""
        np.add.at(self.counts, (list(true), list(predicted)), 1)

    @property
    def accuracy(self) -> float:
        """Share of pictures that are predicted right; NaN without pictures."""
        return _ratio(int(self.counts.trace()), int(self.counts.sum()))

    @property
    def recalls(self) -> dict[int, float]:
        """Share of the pictures of each label that is predicted right; labels without pictures are left out."""
        pictures = self.counts.sum(axis=1).tolist()
        return {row: int(self.counts[row, row]) / count for row, count in enumerate(pictures) if count}

    @property
    def mean_per_class_recall(self) -> float:
        """Mean of `recalls`: scikit-learn's balanced accuracy; NaN without pictures."""
        return _ratio(sum(self.recalls.values()), len(self.recalls))


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")


def retrieval_recall(
    images: Array, texts: Array, image_of_text: ArrayLike, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Find pictures by their captions, and captions by their pictures.

    Parameters
    ----------
    images : ndarray of shape (n_images, embed_dim)
        Embeddings of unit length.
    texts : ndarray of shape (n_texts, embed_dim)
    image_of_text : array_like of shape (n_texts,), dtype=integer
        The row of the picture that each text is about. A picture may have many texts.
    ks : sequence of int, default=(1, 5, 10)

    Returns
    -------
    dict of str to float
        ``image_retrieval_recall@k`` is the share of texts whose picture is among the k best, and
        ``text_retrieval_recall@k`` that of pictures with at least one of their texts among the k best, as papers count
        it. Pictures without a text are found by none, but count as wrong answers of others; CLIP_benchmark, whose
        datasets have none, would count them as misses of their own.
    """
    owners = np.asarray(image_of_text, np.intp)
    if owners.shape != (len(texts),) or (owners.size and not 0 <= owners.min() <= owners.max() < len(images)):
        raise InputError(
            f"image_of_text has shape {owners.shape}; expected {len(texts)} rows of {len(images)} pictures."
        )
    with_text = np.unique(owners)
    by_text = _ranks_of(texts, images, owners, np.arange(len(images)))
    by_image = _ranks_of(images[with_text], texts, with_text, owners)
    return {
        f"{direction}_retrieval_recall@{k}": recall_at(found, k)
        for direction, found in (("image", by_text), ("text", by_image))
        for k in ks
    }


def _ranks_of(rows: Array, columns: Array, row_ids: NDArray[np.intp], column_ids: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rank the columns with the same id as the row, so many rows at a time that the scores take little memory."""
    step = max(_BLOCK // max(len(columns), 1), 1)
    found = [np.empty(0, np.intp)]
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        found.append(ranks(rows[part] @ columns.T, row_ids[part, np.newaxis] == column_ids))
    return np.concatenate(found)
