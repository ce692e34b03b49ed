"""The public class `CLIP` (Radford et al., 2021): from image files and strings to embeddings and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError
from numpyclip.dual_encoder.token_encoder import TokenEncoder
from numpyclip.dual_encoder.validation import by_shape, captions
from numpyclip.errors import InputError, quoted
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions
from numpyclip.images.open import Picture
from numpyclip.images.open import pictures as as_pictures
from numpyclip.images.views import CROP, View, checked_views
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.pipeline import Embedded, PictureReader, iter_embeddings
from numpyclip.runtime.chunks import batched
from numpyclip.runtime.finite_embeddings import checked_finite


def check_model(model: object) -> None:
    """Raise InputError unless it is a model, or something that embeds as one does."""
    if not hasattr(model, "embed_texts"):
        kind = type(model).__name__
        raise InputError(
            f"model: found {kind}; expected a model, the first of the two values that numpyclip.load returns."
        )


def _name(texts: Sequence[str], row: int) -> str:
    return f"text {quoted(texts[row], 60)}"


def best_view(probabilities: Array) -> int:
    """Choose the view of an image whose best label has the highest probability: (n_views, n_labels) -> its row."""
    return int(probabilities.max(axis=1).argmax())


def of_best_views(
    records: Iterable[Embedded[Any, Any]], embed_dim: int, probabilities: Callable[[Array], Array]
) -> Array:
    """Compute probabilities (n_images, n_labels) of the best view of each image."""
    views = [[*record.views.values()] for record in records]
    of_views = probabilities(np.array([*chain.from_iterable(views)], np.float32).reshape(-1, embed_dim))
    ends = accumulate(map(len, views))
    best = [end - len(rows) + best_view(of_views[end - len(rows) : end]) for rows, end in zip(views, ends, strict=True)]
    return of_views[np.array(best, np.intp)]


@dataclass(frozen=True, eq=False, repr=False)
class CLIP(TokenEncoder):
    """A model that embeds images and texts into one space. Made by `numpyclip.load`.

    It is immutable, and may be used from many threads at once.

    Attributes
    ----------
    config : CLIPConfig
        Sizes and options.
    logit_scale : ndarray of shape (), dtype=float32
        Logarithm of the factor between cosines and logits; 0 if the model has only one tower.
    logit_bias : ndarray of shape (), dtype=float32
        Added to logits; 0 except for SigLIP.
    checkpoint : Checkpoint or None
        The tensors; None in an unpickled copy.
    """

    def embed_images(  # noqa: PLR0913  options of one kind each
        self,
        images: Picture | Iterable[Picture],
        batch_size: int = 32,
        *,
        orient: bool = True,
        draft: bool = False,
        max_pixels: int = MAX_PIXELS,
        strict_files: bool = False,
        develop_raw: bool = False,
        on_error: OnError = "raise",
        views: View | Iterable[View] = CROP,
    ) -> Array:
        """Embed images.

        Parameters
        ----------
        images : image or iterable of images
            Paths, bytes of files, PIL images, or arrays of uint8 (y, x), (y, x, 3) or (y, x, 4). An iterable is
            consumed lazily: the next batch is read while the last one is embedded.
        batch_size : int, default=32
            With 1, every image is computed alone, so that not even the last bits depend on the others.
        orient : bool, default=True
            Apply the EXIF orientation. The reference, and `preprocess`, do not.
        draft : bool, default=False
            Decode large JPEG files at a reduced size, at least twice the model's: several times as fast, and the
            embeddings are almost equal.
        max_pixels : int, default=250_000_000
            Images with more pixels are refused before they are decoded.
        strict_files : bool, default=False
            Refuse files whose end is missing. By default they are accepted, with a warning that names the file, if
            nearly all of the image is there.
        develop_raw : bool, default=False
            Develop the samples of cameras' RAW files, instead of reading the previews in them.
        on_error : {"raise", "skip"} or callable, default="raise"
            As in `iter_embeddings`. A skipped image has no row.
        views : {"crop", "pad", "squash", "tiles"} or iterable of them, default=("crop",)
            What is embedded of an image: the model's own crop, by default; all of it, padded or squashed to the crop's
            shape; or, of an image that is longer than 1.3 times its width or height, the tiles that cover it. Several
            are several rows; `iter_embeddings` names them.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            Of unit length: a row for each view of each image, those of an image beside each other.

        Raises
        ------
        PictureError
            If an image cannot be read; the message names it and its position.
        """
        records = self.iter_embeddings(
            images,
            batch_size,
            orient=orient,
            draft=draft,
            max_pixels=max_pixels,
            strict_files=strict_files,
            develop_raw=develop_raw,
            on_error=on_error,
            views=views,
        )
        rows = [*chain.from_iterable(record.views.values() for record in records)]
        return np.stack(rows) if rows else np.empty((0, self.config.embed_dim), np.float32)

    def iter_embeddings(  # noqa: PLR0913  options of one kind each
        self,
        pictures: Picture | Iterable[Picture],
        batch_size: int = 32,
        *,
        on_error: OnError = "raise",
        progress: Callable[[Iterable[Picture]], Iterable[Picture]] | None = None,
        orient: bool = True,
        draft: bool = False,
        max_pixels: int = MAX_PIXELS,
        strict_files: bool = False,
        develop_raw: bool = False,
        views: View | Iterable[View] = CROP,
    ) -> Iterator[Embedded[Picture, Any]]:
        """Embed images one after another, in constant memory.

        Parameters
        ----------
        pictures : image or iterable of images
            As in `embed_images`.
        batch_size : int, default=32
            Number of images that are embedded together, and at most read ahead.
        on_error : {"raise", "skip"} or callable, default="raise"
            If an image cannot be read, raise the error, or yield a record with it. A callable is called with the error
            before the record is yielded.
        progress : callable, optional
            Wraps the iterable of images, such as ``tqdm.tqdm``.
        orient, draft, max_pixels, strict_files, develop_raw, views
            As in `embed_images`. An image is decoded once for all its views.

        Yields
        ------
        Embedded
            One for each image, in order: ``picture``, ``position``, and ``embedding`` (embed_dim,) or ``error``.
            ``views`` has the embeddings by name: "crop", "pad" and "squash", and of tiles "left", "right", "top",
            "bottom", "middle", and of a very long image also "left-2", the second one from the left, and so forth.
            Views that are the same for the model, or for an image of the crop's shape, are one.

        Raises
        ------
        PictureError
            As in `embed_images`.
        """
        several = as_pictures(pictures)
        options = DecodeOptions(orient, draft, max_pixels, strict_files, develop_raw)
        read = PictureReader(self.preprocess, options, views=checked_views(views))
        several = several if progress is None else progress(several)
        return iter_embeddings(self.embed_pixels, several, read, batch_size=batch_size, on_error=on_error)

    def embed_pixels(self, pixels: Sequence[NDArray[np.uint8]]) -> Array:
        """Embed results of `preprocess.crop`, whose shapes may differ if the model takes any shape.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            Of unit length.
        """
        embeddings = np.empty((len(pixels), self.config.embed_dim), np.float32)
        for rows in by_shape(pixels):
            embeddings[rows] = ops.normalize(self.encode_image(np.stack([pixels[row] for row in rows])))
        return embeddings

    def embed_texts(self, texts: str | Iterable[str], batch_size: int = 1024, *, truncate: bool = False) -> Array:
        """Embed texts.

        Parameters
        ----------
        texts : str or iterable of str
            An iterable is consumed lazily, in batches.
        batch_size : int, default=1024
            Within a batch, equal texts and shared prefixes are computed once. With 1, every text is computed alone, so
            that not even the last bits depend on the others.
        truncate : bool, default=False
            Truncate texts that are too long, instead of raising an error. See `numpyclip.tokenize` for very long ones.

        Returns
        -------
        ndarray of shape (n_texts, embed_dim), dtype=float32
            Of unit length.

        Raises
        ------
        TextTooLongError
            If a text needs more than `context_length` tokens.
        InputError
            If an embedding is not finite, as damaged weights make it; the message quotes the text.
        CorruptCheckpointError
            If none is finite.
        """
        embeddings = [np.empty((0, self.config.embed_dim), np.float32)]
        for batch in batched([texts] if isinstance(texts, str) else texts, batch_size):
            rows = ops.normalize(self.encode_text(self.tokenize(batch, truncate)))
            embeddings.append(checked_finite(rows, partial(_name, batch)))
        return np.concatenate(embeddings)

    def classify(
        self,
        images: Picture | Iterable[Picture],
        labels: Iterable[str],
        *,
        template: str = "{}",
        batch_size: int = 32,
        orient: bool = True,
        views: View | Iterable[View] = CROP,
    ) -> Array:
        """Classify images by labels (zero-shot).

        Parameters
        ----------
        images : image or iterable of images
            As in `embed_images`.
        labels : iterable of str
            Captions such as "a photo of a dog" work best.
        template : str, default="{}"
            Caption of a label, such as "a photo of a {}".
        batch_size, orient, views
            As in `embed_images`. Of several views, an image has the probabilities of the one whose best label has the
            highest.

        Returns
        -------
        ndarray of shape (n_images, n_labels), dtype=float32
            Probabilities relative to the given labels: each row sums to 1, and even the best label may not fit.
            SigLIP's are independent: see `probabilities`.
        """
        texts = self.embed_texts(captions(labels, template))
        records = self.iter_embeddings(images, batch_size, orient=orient, views=views)
        return of_best_views(records, self.config.embed_dim, lambda rows: self.probabilities(rows, texts))

    def generate(self, *args: Any, **kwargs: Any) -> list[str]:
        """Raise InputError: only `numpyclip.CoCa` writes captions."""
        raise InputError(
            "generate: this model has no decoder, so it cannot write captions. Load a CoCa, such as a folder with the "
            "files of laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k."
        )
