"""Stores of pictures that were never on a disk."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.index.index import Index
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store
from numpyclip.model.ops import Array

HERE = np.array([1, 0, 0], np.float32)


def at(degrees: float) -> Array:
    """Return an embedding whose cosine with `HERE` is that of an angle."""
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle), 0], np.float32)


def digest_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def picture(
    store: Store,
    name: str,
    exif: Exif = Exif(1, 1),  # noqa: B008
    parts: Mapping[str, Array] | None = None,
    *,
    paths: Sequence[str] = (),
    mtime: int = 0,
) -> bytes:
    """Add a picture whose content is its name, with embeddings of its parts, by default of the whole; its SHA-256."""
    digest, state = digest_of(name), FileState(1, mtime * 10**9)
    filed = [Filed(path, state, digest) for path in paths or [f"/photos/{name}"]]
    with store.writing():
        store.begin(Fingerprint("0" * 64, "", "", "", "float32"), 3)
        store.write(Changes(filed, {digest: NewPicture(exif, {"": HERE} if parts is None else parts)}))
    return digest


def made_index(place: str, model: CLIP, pictures: Mapping[str, tuple[Exif, Mapping[str, Array]]]) -> str:
    """Make an index of pictures by path or URL, which need not be there, each an hour newer than the one before."""
    filed, contents = [], {}
    for hour, (path, (exif, parts)) in enumerate(pictures.items()):
        state = FileState.of(path) if Path(path).exists() else FileState(1, hour * 3600 * 10**9)
        filed.append(Filed(path, NO_FILE if "://" in path else state, digest_of(path)))
        contents[digest_of(path)] = NewPicture(exif, parts)
    with Index(place, model, create=True) as index, index.adding():
        index.begin()
        index.store.write(Changes(filed, contents))
    return place
