"""How probable a match is: a text is judged against a background of everyday words.

A cosine of 0.24 means nothing to a person, for it depends on the model, the picture and the text. Two questions make a
probability of it. How many standard deviations does this text fit the picture better than everyday texts do? And is it
a text that says anything: one that the model does not know, gibberish above all, lies near the mean of all texts, and
so fits a little of everything. Both use cosines alone, so that neither the temperature of a model nor SigLIP's bias
matters, which were trained for batches of thousands of other texts, not for one text that is true or not.

The weights of the two were fitted by `benchmarks/calibration.py`, which also tells how good the answers are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.tasks.vocabulary import embed_vocabulary, read_words

# Every word is in the background in one of these forms: words alone, captions of photographs and of drawings.
_FORMS = ("{}", "a photo of a {}", "a drawing of a {}")

# Log-odds of a match for a text of mean fit and mean plainness, and for each standard deviation of either. They hold
# where half of the texts are true, a quarter is true of other pictures, and a quarter is gibberish.
_BASE, _FIT, _PLAINNESS = -2.5, 2.1, -1.3
_LEAST_PLAINNESS = -1.0  # being unlike all everyday texts is no merit: other languages are, too
# Power of the number of pictures that the odds of the best one have to beat. With 0.4 as much gibberish is accepted
# among 100 pictures as among 4,000, and as many true captions (`benchmarks/calibration.py`).
_SEARCHED = 0.4


class Background:
    """Everyday texts, as a model sees them: the mean and the covariance of their embeddings.

    Parameters
    ----------
    model : CLIP
        Its 2,000 texts are embedded at the first use, and kept (see `embed_vocabulary`).
    """

    def __init__(self, model: CLIP) -> None:
        texts = [_FORMS[i % len(_FORMS)].format(word) for i, word in enumerate(read_words("background"))]
        embeddings = embed_vocabulary(model, texts)
        self._embed_dim = model.config.embed_dim
        self._mean: Array = embeddings.mean(axis=0)
        centred = embeddings - self._mean
        self._covariance: Array = centred.T @ centred / np.float32(len(texts))

    def probabilities(self, images: ArrayLike, texts: ArrayLike, prior: float = 0.5) -> Array:
        """Say how probable it is that texts are about pictures.

        Parameters
        ----------
        images : array_like of shape (n_images, embed_dim)
        texts : array_like of shape (n_texts, embed_dim)
            Embeddings of unit length.
        prior : float, default=0.5
            How probable that is before anything is seen: true or not is a toss-up. Of a thousand words, two or three
            may be true of a picture: 0.002.

        Returns
        -------
        ndarray of shape (n_images, n_texts), dtype=float32
            In 0..1, each pair by itself: they do not sum to 1, and no other text or picture changes them.

        Raises
        ------
        InputError
            If embeddings have another shape, or the prior is not between 0 and 1.
        """
        if not 0 < prior < 1:
            raise InputError(f"prior is {prior!r:.60}; expected a probability above 0 and below 1.")
        rows = checked_embeddings(images, self._embed_dim, "pictures")
        columns = checked_embeddings(texts, self._embed_dim, "texts")
        plainness = np.maximum(self._standardized(self._mean[np.newaxis], columns), np.float32(_LEAST_PLAINNESS))
        log_odds = self._standardized(rows, columns)
        log_odds *= np.float32(_FIT)
        log_odds += np.float32(_PLAINNESS) * plainness + np.float32(_BASE + math.log(prior / (1 - prior)))
        return ops.sigmoid(log_odds)

    def cutoff(self, n_images: int = 1) -> float:
        """Say which probability the best of so many pictures must reach to count as a match: 0.5 for one.

        Whoever looks at many finds, by chance, one that fits.

        Parameters
        ----------
        n_images : int, default=1

        Returns
        -------
        float
            In 0.5..1.
        """
        odds: float = max(n_images, 1) ** _SEARCHED
        return odds / (1 + odds)

    def centred(self, texts: Array) -> Array:
        """Subtract the mean of everyday texts, which all texts have in common: (n, e) -> (n, e)."""
        return texts - self._mean

    def _standardized(self, points: Array, texts: Array) -> Array:
        """Count the standard deviations by which texts are nearer to points than everyday texts: (n, m)."""
        deviations = np.sqrt(np.einsum("nd,de,ne->n", points, self._covariance, points, optimize=True))
        scores: Array = points @ self.centred(texts).T
        scores /= np.maximum(deviations, np.float32(1e-6))[:, np.newaxis]  # of zeros, or a model that knows one text
        return scores
