"""Calibrated probabilities of a match, against a background of everyday texts.

A cosine of 0.24 alone means little: it depends on the model, the image and the text. Two features make a probability
of it: by how many standard deviations the text fits the image better than everyday texts do, and how plain the text is.
One that the model does not know, such as gibberish, is near the mean of all texts, and so fits a little of everything.
Both features use cosines only, so the temperature of a model and SigLIP's bias do not matter: these were trained for
batches of thousands of texts, not for one text that is true or not.

The weights of the features were fitted by `benchmarks/calibration.py`, on drawings. It also measures the result, on
drawings and on photographs. `tasks.calibration` fits them to images and queries of one's own.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import check_model
from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.vocabulary import embed_vocabulary, read_words

# Each word is in the background in one of these forms: alone, as a caption of a photograph, or of a drawing.
_FORMS = ("{}", "a photo of a {}", "a drawing of a {}")

_LEAST_PLAINNESS = -1.0  # texts in other languages, too, are unlike all everyday texts


@dataclass(frozen=True)
class Calibration:
    """How probabilities follow from what is measured of an image and a text.

    The defaults were fitted where half of the texts are true, a quarter is true of other images, and a quarter is
    gibberish.

    Attributes
    ----------
    base : float
        Log-odds of a match for a text of mean fit and mean plainness.
    fit, plainness : float
        Log-odds per standard deviation of either.
    searched : float
        The odds of the best of n images must reach n to this power. With 0.4 as much gibberish, and as many true
        captions, are accepted among 100 drawings as among 4,000.
    """

    base: float = -2.5
    fit: float = 2.1
    plainness: float = -1.3
    searched: float = 0.4

    def rescaled(self, slope: float, shift: float, searched: float) -> Calibration:
        """Return that of log-odds which are multiplied by a slope, and shifted."""
        return Calibration(slope * self.base + shift, slope * self.fit, slope * self.plainness, searched)


class Background:
    """Mean and covariance of the embeddings of 2,000 everyday texts, cached as by `embed_vocabulary`."""

    def __init__(self, model: EmbeddingModel) -> None:
        check_model(model)
        self._calibration = Calibration()
        texts = [_FORMS[i % len(_FORMS)].format(word) for i, word in enumerate(read_words("background"))]
        embeddings = embed_vocabulary(model, texts)
        self._embed_dim = model.config.embed_dim
        self._mean: Array = embeddings.mean(axis=0)
        centred = embeddings - self._mean
        self._covariance: Array = centred.T @ centred / np.float32(len(texts))

    def __repr__(self) -> str:
        return f"Background({self._embed_dim} dimensions)"

    def calibrated(self, calibration: Calibration) -> Background:
        """Return one with another calibration, and the same texts."""
        other = copy.copy(self)
        other._calibration = calibration
        return other

    def probabilities(self, images: ArrayLike, texts: ArrayLike, prior: float = 0.5) -> Array:
        """Compute the probability that each text is about each image.

        Parameters
        ----------
        images : array_like of shape (n_images, embed_dim)
        texts : array_like of shape (n_texts, embed_dim)
            Embeddings of unit length.
        prior : float, default=0.5
            Prior probability of a match; 0.5 is even odds. If two of a thousand words apply to an image, it is 0.002.

        Returns
        -------
        ndarray of shape (n_images, n_texts), dtype=float32
            In 0..1; each pair is scored independently, so they do not sum to 1.

        Raises
        ------
        InputError
            If embeddings have another shape, or the prior is not between 0 and 1.
        """
        if not 0 < prior < 1:
            raise InputError(f"prior is {prior!r:.60}; expected a probability above 0 and below 1.")
        log_odds = self.log_odds(images, texts)
        log_odds += np.float32(math.log(prior / (1 - prior)))
        return ops.sigmoid(log_odds)

    def log_odds(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Compute the log-odds of a match at even prior odds: (n_images, n_texts); see `probabilities`."""
        weights = self._calibration
        rows = checked_embeddings(images, self._embed_dim, "images")
        columns = checked_embeddings(texts, self._embed_dim, "texts")
        plainness = np.maximum(self._standardized(self._mean[np.newaxis], columns), np.float32(_LEAST_PLAINNESS))
        log_odds = self._standardized(rows, columns)
        log_odds *= np.float32(weights.fit)
        log_odds += np.float32(weights.plainness) * plainness + np.float32(weights.base)
        return log_odds

    def cutoff(self, n_images: int = 1) -> float:
        """Return the probability that the best of so many images must reach to be more than chance: 0.5 for one."""
        odds: float = max(n_images, 1) ** self._calibration.searched
        return odds / (1 + odds)

    def centred(self, texts: Array) -> Array:
        """Subtract the mean of everyday texts: (n, e) -> (n, e)."""
        return texts - self._mean

    def _standardized(self, points: Array, texts: Array) -> Array:
        """Count the standard deviations by which texts are nearer to points than everyday texts: (n, m)."""
        deviations = np.sqrt(np.einsum("nd,de,ne->n", points, self._covariance, points, optimize=True))
        scores: Array = points @ self.centred(texts).T
        scores /= np.maximum(deviations, np.float32(1e-6))[:, np.newaxis]  # may be 0
        return scores
