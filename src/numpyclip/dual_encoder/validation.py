"""Validation of a model's inputs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.ops import Array
from numpyclip.model.text.text_config import TextConfig
from numpyclip.tokenizer.base import checked


def _array(value: ArrayLike, name: str, dtype: type | None = None) -> NDArray[Any]:
    try:
        return np.asarray(value, dtype)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise InputError(
            f"{name}: got {kind} ({error!s:.100}); expected an array, or lists of the same shape."
        ) from error


def checked_image(image: ArrayLike, preprocess: Preprocess, name: str = "encode_image") -> NDArray[Any]:
    """Return preprocessed images as an array; raise InputError if the shape or dtype does not match."""
    image = _array(image, name)
    height, width, channels = range(1, 4) if image.dtype == np.uint8 else (2, 3, 1)
    is_right = image.ndim == 4 and image.shape[channels] == 3 and (image.dtype.kind == "f" or image.dtype == np.uint8)
    if not (is_right and preprocess.takes(image.shape[height], image.shape[width])):
        sides, multiples = ", ".join(map(str, preprocess.sides)), ""
        if preprocess.patch_size is not None:
            sides, multiples = "height, width", f", both multiples of {preprocess.patch_size}"
        raise InputError(
            f"{name}: got an array of shape {image.shape} and {image.dtype}; expected floating point of shape "
            f"(n, 3, {sides}){multiples}, made by preprocess(image)[np.newaxis], or uint8 of shape (n, {sides}, 3), "
            "made by preprocess.crop. Unprocessed images go to embed_images."
        )
    return image


def checked_text(text: ArrayLike, config: TextConfig, name: str = "encode_text") -> NDArray[np.integer]:
    """Return ids of texts as an array; raise InputError if the shape, dtype or range does not match."""
    text = _array(text, name)
    is_right = text.ndim == 2 and config.least_length <= text.shape[1] <= config.context_length
    if not (is_right and text.dtype.kind in "iu"):
        raise InputError(
            f"{name}: got an array of shape {text.shape} and {text.dtype}; expected integers of shape "
            f"(n, {config.context_length}), made by tokenize(texts). Raw strings go to embed_texts."
        )
    if text.size and not (text.min() >= 0 and text.max() < config.vocab_size):
        raise InputError(
            f"{name}: ids are in {text.min()}..{text.max()}; expected 0..{config.vocab_size - 1}. "
            "Are they of another model's tokenizer?"
        )
    return text


def checked_embeddings(embeddings: ArrayLike, embed_dim: int, inputs: str) -> Array:
    """Return embeddings of images or texts as float32; raise InputError if the shape is not (n, embed_dim)."""
    name = f"embeddings of {inputs}"
    array: Array = _array(embeddings, name, np.float32)
    if array.ndim != 2 or array.shape[1] != embed_dim:
        raise InputError(f"{name} have shape {array.shape}; expected (n, {embed_dim}), of this model.")
    return array


def checked_dim(value: object, most: int) -> int:
    """Return how many dimensions of embeddings are kept; raise InputError unless there are so many."""
    dim = whole_number(value)
    if dim is None or not 1 <= dim <= most:
        raise InputError(
            f"truncate_dim is {value!r:.60}; expected 1 to {most}, the dimensions of this model's embeddings."
        )
    return dim


def by_shape(crops: Sequence[NDArray[np.uint8]]) -> Iterable[list[int]]:
    """Group images by shape: a single group unless the model takes any shape."""
    rows: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, crop in enumerate(crops):
        rows[crop.shape].append(row)
    return rows.values()


def captions(labels: Iterable[str], template: str = "{}", name: str = "labels") -> list[str]:
    """Format the template with each label; raise InputError if there is no label, a non-string, or no ``{}``."""
    if isinstance(labels, str) or not (labels := checked(labels, name)):
        raise InputError(f"{name} is {labels!r:.60}; expected a list of one or more strings.")
    if not isinstance(template, str) or "{}" not in template:
        raise InputError(f"the template is {template!r:.60}; expected a string with {{}} where the label goes.")
    return [template.replace("{}", label) for label in labels]
