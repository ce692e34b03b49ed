"""Lists of words: those of the package, and their embeddings, which are made once for each model and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.model.ops import Array
from numpyclip.runtime.prepared import open_prepared, prepared_folder, save_prepared

_DATA = Path(__file__).parents[1] / "data"
_LEAST_KEPT = 500  # texts; fewer are embedded about as soon as a large model's fingerprint is known


def read_words(name: str) -> list[str]:
    """Read a list of the package: its lines."""
    return (_DATA / f"{name}.txt").read_text("utf-8").splitlines()


def everyday_nouns() -> dict[str, tuple[str, ...]]:
    """Read the nouns of the package, and for each the broader ones: for "dog" "animal" and "mammal"."""
    rows = (line.split("\t") for line in read_words("nouns"))
    return {noun: tuple(broader) for noun, *broader in rows}


def embed_vocabulary(model: CLIP, texts: Sequence[str]) -> Array:
    """Embed texts as `CLIP.embed_texts` does; many are kept beside the prepared weights, and found there again.

    They are found by the model's fingerprint and the texts. ``NUMPYCLIP_CACHE=0`` keeps nothing.

    Parameters
    ----------
    model : CLIP
    texts : sequence of str

    Returns
    -------
    ndarray of shape (n_texts, embed_dim), dtype=float32
        Of unit length.
    """
    if len(texts) < _LEAST_KEPT or prepared_folder() is None:
        return model.embed_texts(texts)
    names = json.dumps([model.fingerprint.to_json(), *texts])  # any text is distinct in it, be it of several lines
    identity = hashlib.sha256(names.encode()).hexdigest()[:32]
    kept = (open_prepared(identity, "words") or {}).get("embeddings")
    if kept is not None and kept.shape == (len(texts), model.config.embed_dim) and kept.dtype == np.float32:
        return kept
    embeddings = model.embed_texts(texts)
    save_prepared(identity, "words", {"embeddings": embeddings}, least_bytes=0)
    return embeddings
