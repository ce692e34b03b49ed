"""How far embeddings are from those of another model, over a fixed set of texts and images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CorruptCheckpointError, NumPyCLIPError
from numpyclip.model import ops
from numpyclip.model.ops import Array

_THINGS = ("cat", "dog on a beach", "red car", "bowl of fruit", "house", "bird", "man who reads", "city at night")
_TEMPLATES = ("a photo of a {}", "a drawing of a {}", "{}", "not a {}, but something else, as far as one can see")
TEXTS = tuple(template.format(thing) for thing in _THINGS for template in _TEMPLATES)
PICTURES = 16


@dataclass(frozen=True)
class CosineLoss:
    """One minus the cosine between embeddings of two models: the median and the maximum."""

    median: float
    worst: float


def compare(model: CLIP, other: CLIP) -> dict[str, CosineLoss | NumPyCLIPError]:
    """Embed the same texts and images with two models.

    Returns
    -------
    dict
        For "texts" and "pictures", if the model has a tower for them: the loss, or why there is none, such as a missing
        tokenizer.
    """
    losses: dict[str, CosineLoss | NumPyCLIPError] = {}
    if model.config.text is not None:
        try:
            ids = model.tokenize(TEXTS, truncate=True)
            losses["texts"] = _loss(model.encode_text(ids), other.encode_text(ids))
        except CorruptCheckpointError:
            raise
        except NumPyCLIPError as error:
            losses["texts"] = error
    if model.config.vision is not None:
        pictures = generate_pictures(model.preprocess.sides)
        losses["pictures"] = _loss(*(each.encode_image(pictures) for each in (model, other)))
    return losses


def _loss(ours: Array, theirs: Array) -> CosineLoss:
    """Compute it as half the squared distance of unit vectors, which avoids cancellation: (n, e), (n, e)."""
    distances = ops.normalize(ours.astype(np.float64)) - ops.normalize(theirs.astype(np.float64))
    losses = (distances**2).sum(axis=1) / 2
    if not np.isfinite(losses).all():
        raise CorruptCheckpointError(
            "an embedding has NaN or infinity: the weights are damaged, or computing with them overflows; "
            "use an intact file."
        )
    return CosineLoss(float(np.median(losses)), float(losses.max()))


def generate_pictures(sides: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw waves of many lengths, with amplitudes as in photographs, and a bright square on half of the images.

    Returns
    -------
    ndarray of shape (16, *sides, 3), dtype=uint8
    """
    random = np.random.default_rng(0)
    height, width = sides
    size = min(sides)
    y, x = np.mgrid[:height, :width] / size
    pictures = np.zeros((PICTURES, height, width, 3))
    for index, picture in enumerate(pictures):
        for _ in range(24):
            waves, angle, phase = 40 ** random.random(), np.pi * random.random(), 2 * np.pi * random.random()
            wave = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
            picture += wave[..., np.newaxis] * random.random(3) / waves
        if index % 2:
            top, left = (size * random.random(2) / 2).astype(int)
            picture[top : top + size // 3, left : left + size // 3] = 3 * random.random(3)
    low, high = pictures.min(axis=(1, 2, 3), keepdims=True), pictures.max(axis=(1, 2, 3), keepdims=True)
    scaled: NDArray[np.uint8] = (255 * (pictures - low) / (high - low)).round().astype(np.uint8)
    return scaled
