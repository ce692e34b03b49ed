"""How probable a match is: a text is judged against a background of everyday words.

A cosine of 0.24 means nothing to a person, for it depends on the model, the picture and the text. But a text that is
about a picture fits it better than nearly all words of everyday use do, and one that is not, or is gibberish, does not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from numpyclip.model.clip import CLIP
from numpyclip.model.ops import Array

_MOST = np.float32(80)  # e to the power of more is beyond float32

_WORDS = Path(__file__).parents[1] / "data" / "background.txt"


class Background:
    """Everyday words, embedded by a model.

    Parameters
    ----------
    model : CLIP

    Attributes
    ----------
    embeddings : ndarray of shape (n_words, embed_dim), dtype=float32
        Of the words, of unit length.
    """

    def __init__(self, model: CLIP) -> None:
        self._model = model
        self.embeddings = model.embed_texts(_WORDS.read_text("utf-8").splitlines())

    def probabilities(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Say how probable it is that texts are about pictures.

        Parameters
        ----------
        images : array_like of shape (n_images, embed_dim)
        texts : array_like of shape (n_texts, embed_dim)
            Embeddings of unit length.

        Returns
        -------
        ndarray of shape (n_images, n_texts), dtype=float32
            The share of each text in a softmax, as the model was trained with, over it and all words.
        """
        logits = self._model.logits(images, texts)
        others = self._model.logits(images, self.embeddings)
        most = others.max(axis=1, keepdims=True)
        background = np.log(np.exp(others - most).sum(axis=1, keepdims=True)) + most
        probabilities: Array = 1 / (1 + np.exp(np.minimum(background - logits, _MOST)))
        return probabilities
