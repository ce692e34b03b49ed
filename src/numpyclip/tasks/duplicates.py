"""IMAGES → GROUPS: duplicate and near-duplicate images.

Two images are the same if their files or their pixels are. They are near-duplicates, one made from the other by
scaling, saving again or a change of brightness, if three things agree: their embeddings (what is shown); their
perceptual hashes (where it is light and dark); and their thumbnails, pixel by pixel, since drawings of one kind agree
in the first two. So two photographs of one scene are not duplicates, nor is a crop.

The hash is Zauner's pHash ("Implementation and Benchmarking of Perceptual Image Hash Functions", 2010), the signs of
the low frequencies of a cosine transform, without those of weak frequencies, as of symmetric drawings: they are noise.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError, as_paths
from numpyclip.dual_encoder.clip import CLIP, check_model
from numpyclip.images.bit_depth import Depth, bands
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions
from numpyclip.images.find import FileState
from numpyclip.images.formats import identify
from numpyclip.images.open import decoded, file_content
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.rgb import on_white
from numpyclip.pipeline import Known, Reading, iter_embeddings

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 32  # of thumbnails
_FREQUENCIES = 8  # of the hash, in each direction
_WEAK = 0.1  # of the mean strength: the sign of a weaker frequency is noise

# Met by drawings of 64 x 64 pixels that are saved with JPEG quality 75 or halved; see tools/measure_duplicates.py.
_LEAST_COSINE = 0.9
_MOST_SIGNS = 6  # that differ, of 63
_MOST_DEVIATION = 10.0  # root mean square, in levels of 255
_MOST_SPOT = 30.0  # where 2 x 2 pixels of the thumbnails differ most
_MOST_BRIGHTENED = 16.0  # levels

_ROWS = 1024  # of the matrix of cosines at once
_PAIRS = 4096  # of thumbnails at once
_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})  # an MPO is a photograph with a second view
_LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".tga")

Kind = Literal["best", "file", "pixels", "near"]


@dataclass(frozen=True)
class Copy:
    """An image of a group.

    Attributes
    ----------
    path : str
    kind : {"best", "file", "pixels", "near"}
        What it shares with the best copy: all bytes of the file, all pixels, or its looks.
    """

    path: str
    kind: Kind


def find_duplicates(  # noqa: PLR0913  options of one kind each
    model: CLIP | None,
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    batch_size: int = 32,
    on_error: OnError = "raise",
    known: Known | None = None,
    max_pixels: int = MAX_PIXELS,
    strict_files: bool = False,
    develop_raw: bool = False,
) -> list[list[Copy]]:
    """Group duplicate and near-duplicate images; nothing is deleted.

    Parameters
    ----------
    model : CLIP, optional
        Without one, only identical images are found.
    paths : path or iterable of paths
        Files; each counts once, however often it is named or linked to. Animations are compared by their bytes only.
    batch_size : int, default=32
        How many images are embedded at once.
    on_error : {"raise", "skip"} or callable, default="raise"
        Whether to raise the error of an image that cannot be read, or leave it out; a callable is given the error.
    known : optional
        `Index.known`: where embeddings are looked up before they are computed.
    max_pixels, strict_files, develop_raw
        As in `CLIP.embed_images`.

    Returns
    -------
    list of list of Copy
        Groups of two or more, in the order of `paths`. The best copy comes first: the one with the most pixels, then in
        a lossless format, then the largest file, the oldest one, the first by name. Each other copy was compared with
        the best one, so that no chain of small differences joins two that are unlike.

    Raises
    ------
    PictureError
        If an image cannot be read.

    Notes
    -----
    An image takes ``3200 + 4 * embed_dim`` bytes of memory, and all pairs of different images are compared: for 100,000
    of them and 512 dimensions, 0.5 GB and 5 * 10**12 multiplications.
    """
    if model is not None:
        check_model(model)
    options = DecodeOptions(max_pixels=max_pixels, strict_files=strict_files, develop_raw=develop_raw)
    records = iter_embeddings(
        (lambda pixels: ()) if model is None else model.embed_pixels,
        _without_links(as_paths(paths)),
        partial(_read, None if model is None else model.preprocess, known, options),
        batch_size=batch_size,
        on_error=on_error,
    )
    images = [replace(record.extra, embedding=record.embedding) for record in records if record.extra is not None]
    first_of: dict[bytes, int] = {}  # the best of those with the same pixels
    same: dict[int, list[int]] = {}
    for n in sorted(range(len(images)), key=lambda n: images[n].rank):
        same.setdefault(first_of.setdefault(images[n].pixel_digest, n), []).append(n)
    neighbours = _neighbours([n for n in same if images[n].thumbnail is not None], images)
    groups: list[list[int]] = []
    grouped: set[int] = set()
    for best in same:  # from the best to the worst
        if best not in grouped:
            near_best = [n for n in sorted(neighbours[best]) if n not in grouped]
            grouped.update(near_best)
            groups.append([*same[best], *(copy for n in near_best for copy in same[n])])
    return [[_copy(images[n], images[group[0]]) for n in group] for group in sorted(groups, key=min) if len(group) > 1]


@dataclass(frozen=True)
class _Image:
    path: str
    rank: tuple[object, ...]  # the least is the best
    file_digest: bytes
    pixel_digest: bytes
    thumbnail: NDArray[np.uint8] | None = None  # (y, x, 3); None of animations, or without a model
    embedding: Any = None


def _copy(image: _Image, best: _Image) -> Copy:
    if image is best:
        return Copy(image.path, "best")
    if image.pixel_digest != best.pixel_digest:
        return Copy(image.path, "near")
    return Copy(image.path, "file" if image.file_digest == best.file_digest else "pixels")


def _without_links(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Leave out files that were there already under another path or by a link."""
    known = set()
    for path in paths:
        if (real := os.path.realpath(path)) not in known:
            known.add(real)
            yield os.fspath(path)


def _read(preprocess: Preprocess | None, known: Known | None, options: DecodeOptions, path: str) -> Reading[_Image]:
    """Read an image, with a model also its thumbnail and the pixels to embed, unless it is animated."""
    from PIL.Image import Resampling

    with file_content(path) as data, decoded(data, options, name=path, as_stored=True) as image:
        header = _Header.of(data)
        digest, state = hashlib.sha256(data).digest(), FileState.of(path)
        lossy = not path.lower().endswith(_LOSSLESS)
        rank = (-image.width * image.height, lossy, -state.size, state.mtime_ns, path)
        if header.is_animated:
            return Reading(extra=_Image(path, rank, digest, digest))
        found = _Image(path, rank, digest, _digest_of_pixels(image))
        if preprocess is None:
            return Reading(extra=found)
        image = image if header.depth is None else header.depth.eight_bits(image)
        thumbnail = np.asarray(on_white(image).resize((_SIDE, _SIDE), Resampling.LANCZOS, reducing_gap=3))
        embedding = None if known is None else known.of_digest(digest)
        pixels = {"crop": preprocess.crop(image)} if embedding is None else {}
        del image
    return Reading(pixels, embedding, replace(found, thumbnail=thumbnail))


@dataclass(frozen=True)
class _Header:
    is_animated: bool
    depth: Depth | None

    @classmethod
    def of(cls, data: bytes) -> _Header:
        """Look at a file that was decoded before."""
        with identify(BytesIO(data)) as image:
            return cls(image.format in _ANIMATED and getattr(image, "is_animated", False), Depth.of(image))


def _digest_of_pixels(image: Image.Image) -> bytes:
    """Hash the size, colors and transparency of an image, whether it has a palette or not."""
    kind: Any = np.int32 if image.mode.startswith("I") else np.float32 if image.mode == "F" else np.uint8
    shape = (image.height, image.width) if kind is not np.uint8 else (image.height, image.width, 4)
    digest = hashlib.sha256(f"{shape}{np.dtype(kind)}".encode())
    for box in bands(image.size):
        band = image.crop(box)
        pixels = np.asarray(band.convert("RGBA") if kind is np.uint8 else band)
        digest.update(pixels.astype(kind, copy=False).tobytes())
    return digest.digest()


def _hash(thumbnail: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Compute the signs of the low frequencies, and which of them count: two of shape (63,)."""
    grey = thumbnail.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    frequencies, positions = np.arange(_FREQUENCIES)[:, np.newaxis], 2 * np.arange(_SIDE) + 1
    transform = np.cos(np.pi / (2 * _SIDE) * frequencies * positions).astype(np.float32)
    strengths = (transform @ grey @ transform.T).ravel()[1:]  # the first one is the mean brightness
    size = np.abs(strengths)
    return strengths > 0, size > np.float32(_WEAK) * size.mean()


def _neighbours(chosen: list[int], images: list[_Image]) -> dict[int, list[int]]:
    """Find the near-duplicates of each of the chosen images among the others."""
    found: dict[int, list[int]] = defaultdict(list)
    if not chosen:
        return found
    embeddings = np.stack([images[n].embedding for n in chosen])
    thumbnails = np.stack([thumbnail for n in chosen if (thumbnail := images[n].thumbnail) is not None])
    signs, strong = map(np.stack, zip(*map(_hash, thumbnails), strict=True))
    for start in range(0, len(chosen), _ROWS):
        cosines = embeddings[start : start + _ROWS] @ embeddings[start:].T
        rows, columns = np.nonzero(np.triu(cosines >= _LEAST_COSINE, 1))
        for at in range(0, len(rows), _PAIRS):
            a, b = rows[at : at + _PAIRS] + start, columns[at : at + _PAIRS] + start
            agree = np.sum((signs[a] != signs[b]) & strong[a] & strong[b], axis=1) <= _MOST_SIGNS
            a, b = a[agree], b[agree]
            agree = _look_alike(thumbnails[a], thumbnails[b])
            for one, other in zip(a[agree].tolist(), b[agree].tolist(), strict=True):
                found[chosen[one]].append(chosen[other])
                found[chosen[other]].append(chosen[one])
    return found


def _look_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Compare thumbnails (n, y, x, 3), pair by pair: (n,).

    A change of brightness is allowed; pixels may also stay as they are, as those that are white or black already do.
    """
    difference = one.astype(np.float32) - other
    brightened = difference.mean(axis=(1, 2, 3), keepdims=True).clip(-_MOST_BRIGHTENED, _MOST_BRIGHTENED)
    left = np.minimum(np.abs(difference), np.abs(difference - brightened)).mean(axis=3)
    deviation = np.sqrt(np.square(left).mean(axis=(1, 2)))
    half = _SIDE // 2
    spots = left.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)).max(axis=(1, 2), initial=0)
    alike: NDArray[np.bool_] = (deviation <= _MOST_DEVIATION) & (spots <= _MOST_SPOT)
    return alike
