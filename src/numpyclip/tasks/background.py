"""Calibrated probabilities of a match, against a background of everyday texts.

A cosine of 0.24 alone means little: it depends on the model, the image and the text. Two features make a probability
of it: by how many standard deviations the text fits the image better than everyday texts do, and how plain the text is.
One that the model does not know, such as gibberish, is near the mean of all texts, and so fits a little of everything.
Both features use cosines only, so the temperature of a model and SigLIP's bias do not matter: these were trained for
batches of thousands of texts, not for one text that is true or not.

The weights of the features were fitted by `benchmarks/calibration.py`, which also measures the result.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.vocabulary import embed_vocabulary, read_words

# Each word is in the background in one of these forms: alone, as a caption of a photograph, or of a drawing.
_FORMS = ("{}", "a photo of a {}", "a drawing of a {}")

# Log-odds of a match for a text of mean fit and mean plainness, and per standard deviation of either; fitted where half
# of the texts are true, a quarter is true of other images, and a quarter is gibberish.
_BASE, _FIT, _PLAINNESS = -2.5, 2.1, -1.3
_LEAST_PLAINNESS = -1.0  # texts in other languages, too, are unlike all everyday texts
# The odds of the best of n images must reach n to this power. With 0.4 as much gibberish, and as many true captions,
# are accepted among 100 images as among 4,000 (`benchmarks/calibration.py`).
_SEARCHED = 0.4


class Background:
    """Mean and covariance of the embeddings of 2,000 everyday texts, cached as by `embed_vocabulary`."""

    def __init__(self, model: CLIP) -> None:
        check_model(model)
        texts = [_FORMS[i % len(_FORMS)].format(word) for i, word in enumerate(read_words("background"))]
        embeddings = embed_vocabulary(model, texts)
        self._embed_dim = model.config.embed_dim
        self._mean: Array = embeddings.mean(axis=0)
        centred = embeddings - self._mean
        self._covariance: Array = centred.T @ centred / np.float32(len(texts))

    def __repr__(self) -> str:
        return f"Background({self._embed_dim} dimensions)"

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
        rows = checked_embeddings(images, self._embed_dim, "images")
        columns = checked_embeddings(texts, self._embed_dim, "texts")
        plainness = np.maximum(self._standardized(self._mean[np.newaxis], columns), np.float32(_LEAST_PLAINNESS))
        log_odds = self._standardized(rows, columns)
        log_odds *= np.float32(_FIT)
        log_odds += np.float32(_PLAINNESS) * plainness + np.float32(_BASE + math.log(prior / (1 - prior)))
        return ops.sigmoid(log_odds)

    def cutoff(self, n_images: int = 1) -> float:
        """Return the probability that the best of so many images must reach to count as a match: 0.5 for one.

        Of many images one fits by chance.
        """
        odds: float = max(n_images, 1) ** _SEARCHED
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
