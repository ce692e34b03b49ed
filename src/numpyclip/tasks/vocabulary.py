"""The word lists of the package, and embeddings of long lists, which are cached on disk for each model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.model.ops import Array
from numpyclip.runtime.prepared import open_prepared, prepared_folder, save_prepared

_DATA = Path(__file__).parents[1] / "data"
_LEAST_CACHED = 500  # texts; fewer take about as long as computing a large model's fingerprint


def read_words(name: str) -> list[str]:
    """Read the lines of one of the package's lists."""
    return (_DATA / f"{name}.txt").read_text("utf-8").splitlines()


def everyday_nouns() -> dict[str, tuple[str, ...]]:
    """Read the nouns of the package, and for each the broader ones: for "dog" "animal" and "mammal"."""
    rows = (line.split("\t") for line in read_words("nouns"))
    return {noun: tuple(broader) for noun, *broader in rows}


def embed_vocabulary(model: EmbeddingModel, texts: Sequence[str]) -> Array:
    """Embed texts as `CLIP.embed_texts` does, (n, e); of 500 or more texts, the embeddings are cached on disk.

    The key is the model's fingerprint and the texts. ``NUMPYCLIP_CACHE=0`` disables the cache.
    """
    if len(texts) < _LEAST_CACHED or prepared_folder() is None:
        return model.embed_texts(texts)
    key = json.dumps([model.fingerprint.to_json(), *texts])  # unambiguous, also for texts of several lines
    identity = hashlib.sha256(key.encode()).hexdigest()[:32]
    cached = (open_prepared(identity, "words") or {}).get("embeddings")
    if cached is not None and cached.shape == (len(texts), model.config.embed_dim) and cached.dtype == np.float32:
        return cached
    embeddings = model.embed_texts(texts)
    save_prepared(identity, "words", {"embeddings": embeddings}, least_bytes=0)
    return embeddings
