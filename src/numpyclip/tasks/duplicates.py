"""PICTURES → GROUPS: pictures that are there more than once.

Two pictures are the same if their files or their pixels are. They are near-duplicates, one made from the other by
scaling, saving again or a change of brightness, if three things agree: their embeddings, which tell what is shown;
their perceptual hashes, which tell how light and dark lie; and thumbnails laid over each other, since drawings of one
kind agree in the first two. So two photographs of one scene are not duplicates, nor is a crop.

The hash is Zauner's pHash ("Implementation and Benchmarking of Perceptual Image Hash Functions", 2010), the signs of
the low frequencies of a cosine transform, but for one thing: signs of frequencies that hardly occur, as in symmetric
drawings, are left out, since they are noise.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.find import FileState
from numpyclip.images.open import file_content, identify, open_picture
from numpyclip.images.preprocess import Preprocess, on_white
from numpyclip.model.ops import Array
from numpyclip.pipeline import Known, Reading, iter_embeddings

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 32  # of thumbnails
_FREQUENCIES = 8  # of the hash, in each direction
_FAINT = 0.1  # of the mean strength: the sign of a weaker frequency is noise

# Limits that drawings of 64 x 64 pixels, saved with JPEG's quality 75 or halved, keep; tools/measure_duplicates.py.
_LEAST_COSINE = 0.9
_MOST_SIGNS = 6  # that differ, of 63
_MOST_DEVIATION = 10.0  # root mean square, in levels of 255
_MOST_SPOT = 30.0  # where 2 x 2 pixels of the thumbnails differ most
_MOST_BRIGHTENED = 16.0  # levels

_ROWS = 1024  # of the matrix of cosines at once
_PAIRS = 4096  # compared by their thumbnails at once
_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})  # an MPO is a photograph with a second view
_LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi")

Kind = Literal["best", "file", "pixels", "near"]


@dataclass(frozen=True)
class Copy:
    """A picture of a group.

    Attributes
    ----------
    path : str
    kind : {"best", "file", "pixels", "near"}
        What it shares with the best copy: all bytes of the file, all pixels, or its looks.
    """

    path: str
    kind: Kind


def find_duplicates(
    model: CLIP | None,
    paths: Iterable[str | os.PathLike[str]],
    *,
    batch_size: int = 32,
    on_error: OnError = "raise",
    known: Known | None = None,
) -> list[list[Copy]]:
    """Group pictures that are there more than once; nothing is deleted.

    Parameters
    ----------
    model : CLIP, optional
        Without one, near-duplicates are not looked for.
    paths : iterable of path
        Files. One that is named twice, or by a symbolic link too, counts once. Animations are compared by their
        bytes alone.
    batch_size : int, default=32
        How many pictures are embedded at once.
    on_error : {"raise", "skip"} or callable, default="raise"
        What happens to a picture that cannot be read: raise the error, or leave it out; a callable is given the error.
    known : Known, optional
        Where embeddings are looked up before they are computed.

    Returns
    -------
    list of list of Copy
        Groups of two or more, in the order of `paths`. The best copy is first: the one with the most pixels, of these
        one in a lossless format, of these the largest file, then the oldest one, then the first by name. Every other
        one was compared with it, so that no chain of small differences joins two that are unlike.

    Raises
    ------
    PictureError
        If a picture cannot be read.

    Notes
    -----
    A picture takes ``3200 + 4 * embed_dim`` bytes of memory, and all pairs of different pictures are compared: for
    100,000 of them and 512 numbers, 0.5 GB and 5 * 10**12 multiplications.
    """
    seen = list(_look_at(model, paths, batch_size, on_error, known))
    order = sorted(range(len(seen)), key=lambda n: seen[n].merit)
    best_of: dict[bytes, int] = {}  # of those with the same pixels
    same: dict[int, list[int]] = {}
    for n in order:
        same.setdefault(best_of.setdefault(seen[n].content, n), []).append(n)
    neighbours = _neighbours([n for n in same if seen[n].looks is not None], seen)
    groups: list[list[int]] = []
    grouped: set[int] = set()
    for best in same:  # in the order of merit
        if best in grouped:
            continue
        near_best = [n for n in sorted(neighbours.get(best, ())) if n not in grouped]
        grouped.update((best, *near_best))
        members = [*same[best], *(copy for n in near_best for copy in same[n])]
        if len(members) > 1:
            groups.append(members)
    return [[_compared(seen[n], seen[group[0]]) for n in group] for group in sorted(groups, key=min)]


@dataclass(frozen=True)
class _Looks:
    thumbnail: NDArray[np.uint8]  # (y, x, 3)
    signs: NDArray[np.bool_]  # of frequencies
    strong: NDArray[np.bool_]  # frequencies whose signs count
    embedding: Array


@dataclass(frozen=True)
class _Seen:
    path: str
    merit: tuple[object, ...] = field(compare=False)
    file: bytes  # digests
    content: bytes
    looks: _Looks | None = None


def _compared(picture: _Seen, best: _Seen) -> Copy:
    if picture is best:
        return Copy(picture.path, "best")
    kind: Kind = "near" if picture.content != best.content else "pixels" if picture.file != best.file else "file"
    return Copy(picture.path, kind)


def _look_at(
    model: CLIP | None,
    paths: Iterable[str | os.PathLike[str]],
    batch_size: int,
    on_error: OnError,
    known: Known | None,
) -> Iterator[_Seen]:
    records = iter_embeddings(
        (lambda pixels: ()) if model is None else model.embed_pixels,
        _once(paths),
        partial(_read, None if model is None else model.preprocess, known),
        batch_size=batch_size,
        on_error=on_error,
    )
    for record in records:
        if record.extra is not None:
            seen, thumbnail = record.extra
            looks = None if thumbnail is None else _Looks(thumbnail, *_hash(thumbnail), record.embedding)
            yield replace(seen, looks=looks)


def _once(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Leave out files that were there already, by another way to write their path or by a link."""
    known = set()
    for path in paths:
        if (real := os.path.realpath(path)) not in known:
            known.add(real)
            yield os.fspath(path)


def _read(
    preprocess: Preprocess | None, known: Known | None, path: str
) -> Reading[tuple[_Seen, NDArray[np.uint8] | None]]:
    """Read a picture; with a model also what is embedded of it, and its thumbnail, unless it moves."""
    from PIL.Image import Resampling

    data = file_content(path)
    image = open_picture(data, name=path)
    state = FileState.of(path)
    digest = hashlib.sha256(data).digest()
    lossy = not path.lower().endswith(_LOSSLESS)
    merit = (-image.width * image.height, lossy, -state.size, state.mtime_ns, path)
    if _moves(data):
        return Reading(extra=(_Seen(path, merit, digest, digest), None))
    seen = _Seen(path, merit, digest, _digest_of_pixels(image))
    if preprocess is None:
        return Reading(extra=(seen, None))
    thumbnail = np.asarray(on_white(image).resize((_SIDE, _SIDE), Resampling.LANCZOS, reducing_gap=3))
    embedding = None if known is None else known.of_digest(digest)
    pixels = preprocess.crop(image) if embedding is None else None
    return Reading(pixels, embedding, (seen, thumbnail))


def _moves(data: bytes) -> bool:
    with identify(BytesIO(data)) as image:
        return image.format in _ANIMATED and getattr(image, "is_animated", False)


def _digest_of_pixels(image: Image.Image) -> bytes:
    """Hash what a picture shows: its size and colours, whether it has a palette or not, and what is transparent."""
    if image.mode.startswith("I"):  # of 16 or 32 bits, as the version of Pillow has it
        pixels = np.asarray(image).astype(np.int32)
    else:
        pixels = np.asarray(image if image.mode == "F" else image.convert("RGBA"))
    return hashlib.sha256(f"{pixels.shape}{pixels.dtype}".encode() + pixels.tobytes()).digest()


def _cosines(n: int, length: int) -> Array:
    """Build the first rows of a cosine transform: (n, length)."""
    positions = 2 * np.arange(length) + 1
    transform: Array = np.cos(np.pi / (2 * length) * np.arange(n)[:, np.newaxis] * positions).astype(np.float32)
    return transform


def _hash(thumbnail: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Compute the signs of the low frequencies, and which of them count: two of shape (63,)."""
    grey = thumbnail.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    transform = _cosines(_FREQUENCIES, _SIDE)
    strengths = (transform @ grey @ transform.T).ravel()[1:]  # the first one is the mean brightness
    size = np.abs(strengths)
    return strengths > 0, size > np.float32(_FAINT) * size.mean()


def _neighbours(chosen: list[int], seen: list[_Seen]) -> dict[int, list[int]]:
    """Find near-duplicates among the chosen ones, for each a list."""
    found: dict[int, list[int]] = {}
    looks = [look for n in chosen if (look := seen[n].looks) is not None]
    if not looks:
        return found
    embeddings = np.stack([look.embedding for look in looks])
    signs, strong = np.stack([look.signs for look in looks]), np.stack([look.strong for look in looks])
    thumbnails = np.stack([look.thumbnail for look in looks])
    for start in range(0, len(looks), _ROWS):
        cosines = embeddings[start : start + _ROWS] @ embeddings[start:].T
        rows, columns = np.nonzero(np.triu(cosines >= _LEAST_COSINE, 1))
        for at in range(0, len(rows), _PAIRS):
            a, b = rows[at : at + _PAIRS] + start, columns[at : at + _PAIRS] + start
            agree = np.sum((signs[a] != signs[b]) & strong[a] & strong[b], axis=1) <= _MOST_SIGNS
            a, b = a[agree], b[agree]
            agree = _look_alike(thumbnails[a], thumbnails[b])
            for one, other in zip(a[agree].tolist(), b[agree].tolist(), strict=True):
                found.setdefault(chosen[one], []).append(chosen[other])
                found.setdefault(chosen[other], []).append(chosen[one])
    return found


def _look_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Compare thumbnails (n, y, x, 3), pair by pair: (n,).

    A change of brightness is allowed, and pixels that stayed as they were: those that were white or black already.
    """
    difference = one.astype(np.float32) - other
    brightened = difference.mean(axis=(1, 2, 3), keepdims=True).clip(-_MOST_BRIGHTENED, _MOST_BRIGHTENED)
    left = np.minimum(np.abs(difference), np.abs(difference - brightened)).mean(axis=3)
    deviation = np.sqrt(np.square(left).mean(axis=(1, 2)))
    half = _SIDE // 2
    spots = left.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)).max(axis=(1, 2), initial=0)
    alike: NDArray[np.bool_] = (deviation <= _MOST_DEVIATION) & (spots <= _MOST_SPOT)
    return alike
