"""Accuracy and recall, with the conventions of LAION's CLIP_benchmark (clip_benchmark/metrics).

All count ranks: how many columns score higher than the right one. Of columns with equal scores the first counts as
higher, so that a model with constant scores is not right by chance; NaN is lower than all scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.errors import InputError
from numpyclip.model.ops import Array

_BLOCK = 2**22  # scores at once: 16 MiB


def ranks(scores: ArrayLike, positives: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Rank the best positive of each row, from 0: (n, m), (n, m) -> (n,); m without a positive, or if all are NaN."""
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
    """A confusion matrix: `counts` of labels, in rows, and predictions, in columns."""

    def __init__(self, n_labels: int) -> None:
        self.counts = np.zeros((n_labels, n_labels), np.int64)

    def add(self, true: Sequence[int], predicted: Sequence[int]) -> None:
        """Count the labels and predictions of some images."""
        np.add.at(self.counts, (list(true), list(predicted)), 1)

    @property
    def accuracy(self) -> float:
        """Share of images that are classified correctly; NaN without images."""
        return _ratio(int(self.counts.trace()), int(self.counts.sum()))

    @property
    def recalls(self) -> dict[int, float]:
        """Share of each label's images that are classified correctly; labels without images are left out."""
        images = self.counts.sum(axis=1).tolist()
        return {row: int(self.counts[row, row]) / count for row, count in enumerate(images) if count}

    @property
    def mean_per_class_recall(self) -> float:
        """Mean of `recalls`: scikit-learn's balanced accuracy; NaN without images."""
        return _ratio(sum(self.recalls.values()), len(self.recalls))


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")


def retrieval_recall(
    images: Array, texts: Array, image_of_text: ArrayLike, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
    """Compute recall@k of images by their captions, and of captions by their images.

    Parameters
    ----------
    images : ndarray of shape (n_images, embed_dim)
        Embeddings of unit length.
    texts : ndarray of shape (n_texts, embed_dim)
    image_of_text : array_like of shape (n_texts,), dtype=integer
        The row of the image of each text. An image may have many texts.
    ks : sequence of int, default=(1, 5, 10)

    Returns
    -------
    dict of str to float
        ``image_retrieval_recall@k`` is the share of texts whose image is among the k best, and
        ``text_retrieval_recall@k`` that of images with at least one of their texts among the k best, as papers count
        it. Images without a text only count as wrong answers of others; CLIP_benchmark, whose datasets have none, would
        count them as misses.
    """
    owners = np.asarray(image_of_text, np.intp)
    if owners.shape != (len(texts),) or (owners.size and not 0 <= owners.min() <= owners.max() < len(images)):
        raise InputError(f"image_of_text has shape {owners.shape}; expected {len(texts)} rows of {len(images)} images.")
    with_text = np.unique(owners)
    by_text = _ranks_of(texts, images, owners, np.arange(len(images)))
    by_image = _ranks_of(images[with_text], texts, with_text, owners)
    return {
        f"{direction}_retrieval_recall@{k}": recall_at(found, k)
        for direction, found in (("image", by_text), ("text", by_image))
        for k in ks
    }


def _ranks_of(rows: Array, columns: Array, row_ids: NDArray[np.intp], column_ids: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rank the columns with the same id as the row, in blocks of rows that limit the memory of the scores."""
    step = max(_BLOCK // max(len(columns), 1), 1)
    found = [np.empty(0, np.intp)]
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        found.append(ranks(rows[part] @ columns.T, row_ids[part, np.newaxis] == column_ids))
    return np.concatenate(found)
