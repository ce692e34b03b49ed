"""CLIP (Radford et al., 2021): two towers that embed into one space, and a temperature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.arguments import OnError
from numpyclip.errors import CheckpointError, InputError
from numpyclip.images.open import Picture
from numpyclip.images.open import pictures as as_pictures
from numpyclip.images.preprocess import Preprocess
from numpyclip.model import layout, ops
from numpyclip.model.chunks import batched, by_length, in_chunks
from numpyclip.model.config import CLIPConfig
from numpyclip.model.fingerprint import Fingerprint, take_fingerprint
from numpyclip.model.inputs import by_shape, captions, checked_embeddings, checked_image, checked_text
from numpyclip.model.once import Once
from numpyclip.model.ops import Array
from numpyclip.model.source import prepare
from numpyclip.model.text.tower import TextTower, text_tower
from numpyclip.model.vision.tower import VisionTower, vision_tower
from numpyclip.pipeline import Embedded, PictureReader, iter_embeddings
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint

_T = TypeVar("_T")
_Kind = TypeVar("_Kind", bound="CLIP")


@dataclass(frozen=True, eq=False, repr=False)
class CLIP:
    """A model that embeds pictures and texts into one space. Made by `numpyclip.load`.

    It is a value: no call changes it, and one model may be used from many threads at once.

    Attributes
    ----------
    config : CLIPConfig
        Its sizes and options.
    logit_scale : ndarray of shape (), dtype=float32
        Logarithm of the factor between cosines and logits: 0 where there is but one tower.
    logit_bias : ndarray of shape (), dtype=float32
        Added to logits: 0 but for SigLIP.
    checkpoint : Checkpoint or None
        The tensors that it is made of; a copy that was pickled has none.
    """

    config: CLIPConfig
    logit_scale: Array
    logit_bias: Array
    _visual: Once[VisionTower | None]
    _text: Once[TextTower | None]
    _tokenizer: Once[Tokenizer]
    _low_memory: bool
    checkpoint: Checkpoint | None
    _fingerprint: Once[Fingerprint]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "checkpoint": None}  # the towers have all that is computed with

    def __repr__(self) -> str:
        return f"CLIP({self.config})"

    @classmethod
    def read(
        cls: type[_Kind],
        checkpoint: Checkpoint,
        config: CLIPConfig,
        tokenizer: Callable[[], Tokenizer],
        low_memory: bool = False,
    ) -> _Kind:
        """Build the model of known sizes and options. Each tower is prepared when it is first used.

        Raises
        ------
        CheckpointError
            If the tensors are not exactly those of such a model.
        """
        checkpoint = checked(checkpoint, dict(chain(tensors(checkpoint, config), cls._own_tensors(checkpoint, config))))
        fields = (*parts(checkpoint, config, tokenizer, low_memory), *cls._own_parts(checkpoint, config, low_memory))
        return cls(*fields)

    @staticmethod
    def _own_tensors(checkpoint: Checkpoint, config: CLIPConfig) -> layout.Tensors:
        """List what this kind of model has beyond two towers."""
        return iter(())

    @staticmethod
    def _own_parts(checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> tuple[Any, ...]:
        """Make the fields for it."""
        return ()

    @property
    def preprocess(self) -> Preprocess:
        """Picture to pixels, also returned by `numpyclip.load`."""
        return self.config.preprocess

    @property
    def preprocess_config(self) -> dict[str, object]:
        """How pictures become pixels, as plain values: all of `Preprocess`, whose profile among them."""
        return asdict(self.preprocess)

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids."""
        _present(self.config.text, "texts")
        return self._tokenizer()

    @property
    def fingerprint(self) -> Fingerprint:
        """What its embeddings depend on, but for a call's options; made at the first use, which reads all weights."""
        return self._fingerprint()

    @property
    def visual(self) -> VisionTower:
        """The tower of pictures."""
        return _present(self._visual(), "pictures")

    @property
    def text(self) -> TextTower:
        """The tower of texts."""
        return _present(self._text(), "texts")

    @property
    def context_length(self) -> int:
        """Tokens of a text, start and end mark included."""
        return _present(self.config.text, "texts").context_length

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return _present(self.config.text, "texts").vocab_size

    def tokenize(self, texts: str | Sequence[str], truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into ids of shape (n_texts, context_length), as this model does; see `numpyclip.tokenize`."""
        return self.tokenizer(texts, self.context_length, truncate)

    def encode_image(self, image: NDArray[np.floating] | NDArray[np.uint8]) -> Array:
        """Embed preprocessed pictures.

        Parameters
        ----------
        image : ndarray of shape (n_images, 3, size, size), dtype=floating, or (n_images, size, size, 3), dtype=uint8
            Stacked results of `preprocess`, or of `preprocess.crop`. For a model that takes pictures of any shape
            (`preprocess.patch_size` is not None) they are (n_images, 3, y, x), or (n_images, y, x, 3), and both sides
            are multiples of its patch size.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            Not normalised, as in the reference; `embed_images` is. A picture with NaN in it gives NaN, without a
            warning, and changes no other.

        Raises
        ------
        InputError
            If the shape or number format is another, or the model has no tower of pictures.
        """
        if (vision := self.config.vision) is None:
            raise _missing("pictures")
        image = checked_image(image, self.preprocess)
        pixels = math.prod(image.shape[1:]) // 3
        columns = vision.columns * pixels // self.preprocess.size**2
        return in_chunks(self.visual, image, columns, self.config.embed_dim, self._low_memory)

    def encode_text(self, text: NDArray[np.integer]) -> Array:
        """Embed tokenized texts.

        Parameters
        ----------
        text : ndarray of shape (n_texts, n_tokens), dtype=integer
            Ids from `tokenize`; `context_length` of them, or fewer if the model's tokens do not look at padding.

        Returns
        -------
        ndarray of shape (n_texts, embed_dim), dtype=float32
            Not normalised, as in the reference; `embed_texts` is.

        Raises
        ------
        InputError
            If the shape, number format or range is another, or the model has no tower of texts.
        """
        most = _present(self.config.text, "texts")
        text = checked_text(text, most)
        return by_length(self.text, text, most.lengths, self.config.embed_dim, self._low_memory, most.pad_id)

    def __call__(
        self, image: NDArray[np.floating] | NDArray[np.uint8], text: NDArray[np.integer]
    ) -> tuple[Array, Array]:
        """Score pictures against texts.

        Parameters
        ----------
        image, text
            As in `encode_image` and `encode_text`.

        Returns
        -------
        logits_per_image : ndarray of shape (n_images, n_texts), dtype=float32
            Cosines times the model's temperature factor, 100 for OpenAI's.
        logits_per_text : ndarray of shape (n_texts, n_images), dtype=float32
        """
        logits = self.logits(ops.normalize(self.encode_image(image)), ops.normalize(self.encode_text(text)))
        return logits, logits.T

    def logits(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Score embeddings of unit length against each other: (n, e), (m, e) -> (n, m).

        Cosines times the model's temperature factor, plus its bias; `probabilities` says what they mean. Embeddings
        may have been kept as any kind of number, or as lists; scores are float32.

        Raises
        ------
        InputError
            If embeddings have another shape, or the model has one tower only, whose checkpoint says neither.
        """
        _present(self.config.vision, "pictures")
        _present(self.config.text, "texts")
        rows = checked_embeddings(images, self.config.embed_dim, "pictures")
        columns = checked_embeddings(texts, self.config.embed_dim, "texts").T
        logits: Array = np.exp(self.logit_scale) * rows @ columns
        logits += self.logit_bias
        return logits

    def probabilities(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Say how well texts fit pictures, given their embeddings of unit length: (n, e), (m, e) -> (n, m).

        A softmax over the texts, which compares them with each other, so that every row sums to 1; for SigLIP a
        sigmoid, which judges every pair by itself, as the model was trained.

        Raises
        ------
        InputError
            As in `logits`.
        """
        logits = self.logits(images, texts)
        return ops.sigmoid(logits) if self.config.sigmoid else ops.softmax(logits)

    def embed_images(
        self,
        images: Picture | Iterable[Picture],
        batch_size: int = 32,
        *,
        orient: bool = True,
        draft: bool = False,
        on_error: OnError = "raise",
    ) -> Array:
        """Embed pictures.

        Parameters
        ----------
        images : picture or iterable of pictures
            Paths, bytes of files, PIL images, or arrays of uint8 (y, x), (y, x, 3) or (y, x, 4), mixed as you like.
            An iterable is read in batches, the next one while the last is computed, so that only the result grows.
        batch_size : int, default=32
        orient : bool, default=True
            Turn pictures as their EXIF orientation says. The reference, and `preprocess`, do not.
        draft : bool, default=False
            Decode large JPEG files at a reduced size, at least twice that which the model needs: several times as
            fast, and the embeddings are almost, not quite, the same.
        on_error : {"raise", "skip"} or callable, default="raise"
            As in `iter_embeddings`. A picture that is skipped has no row.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            Of unit length.

        Raises
        ------
        PictureError
            If a picture cannot be read; the message names it and its position.
        """
        records = self.iter_embeddings(images, batch_size, orient=orient, draft=draft, on_error=on_error)
        rows = [record.embedding for record in records if record.embedding is not None]
        return np.stack(rows) if rows else np.empty((0, self.config.embed_dim), np.float32)

    def iter_embeddings(
        self,
        pictures: Picture | Iterable[Picture],
        batch_size: int = 32,
        *,
        on_error: OnError = "raise",
        progress: Callable[[Iterable[Picture]], Iterable[Picture]] | None = None,
        orient: bool = True,
        draft: bool = False,
    ) -> Iterator[Embedded[Picture, Any]]:
        """Embed pictures one after another, in flat memory.

        Parameters
        ----------
        pictures : picture or iterable of pictures
            As in `embed_images`.
        batch_size : int, default=32
            How many are embedded together, and at most read ahead.
        on_error : {"raise", "skip"} or callable, default="raise"
            What happens to a picture that cannot be read: raise the error; or yield a record with the error in it,
            and go on. A callable is given each error before that.
        progress : callable, optional
            Given the pictures, returns what iterates over them, such as ``tqdm.tqdm``.
        orient, draft : bool
            As in `embed_images`.

        Yields
        ------
        Embedded
            One for each picture, in order: ``picture``, ``position``, and ``embedding`` (embed_dim,) or ``error``.

        Raises
        ------
        PictureError
            If a picture cannot be read; the message names it and its position.
        """
        several = as_pictures(pictures)
        read = PictureReader(self.preprocess, orient, draft)
        several = several if progress is None else progress(several)
        return iter_embeddings(self.embed_crops, several, read, batch_size=batch_size, on_error=on_error)

    def embed_crops(self, crops: Sequence[NDArray[np.uint8]]) -> Array:
        """Embed pictures that are cropped, results of `preprocess.crop`, whose shapes may differ where the model's do.

        Returns
        -------
        ndarray of shape (n_crops, embed_dim), dtype=float32
            Of unit length.
        """
        embeddings = np.empty((len(crops), self.config.embed_dim), np.float32)
        for rows in by_shape(crops):
            embeddings[rows] = ops.normalize(self.encode_image(np.stack([crops[row] for row in rows])))
        return embeddings

    def embed_texts(self, texts: str | Iterable[str], batch_size: int = 1024, *, truncate: bool = False) -> Array:
        """Embed texts.

        Parameters
        ----------
        texts : str or iterable of str
            An iterable is read in batches, so that only the result grows.
        batch_size : int, default=1024
            Within a batch, equal texts and equal beginnings of texts are computed once.
        truncate : bool, default=False
            Cut texts that are too long, instead of raising an error.

        Returns
        -------
        ndarray of shape (n_texts, embed_dim), dtype=float32
            Of unit length.

        Raises
        ------
        TextTooLongError
            If a text needs more than `context_length` tokens.
        """
        embeddings = [np.empty((0, self.config.embed_dim), np.float32)]
        for batch in batched([texts] if isinstance(texts, str) else texts, batch_size):
            embeddings.append(ops.normalize(self.encode_text(self.tokenize(batch, truncate))))
        return np.concatenate(embeddings)

    def classify(
        self,
        images: Picture | Iterable[Picture],
        labels: Iterable[str],
        *,
        template: str = "{}",
        batch_size: int = 32,
        orient: bool = True,
    ) -> Array:
        """Say how well each label fits each picture, compared with the other labels.

        Parameters
        ----------
        images : picture or iterable of pictures
            As in `embed_images`.
        labels : iterable of str
            Whole captions work best, such as "a photo of a dog".
        template : str, default="{}"
            Put around every label, such as "a photo of a {}".
        batch_size : int, default=32
            Of the pictures.
        orient : bool, default=True
            As in `embed_images`.

        Returns
        -------
        ndarray of shape (n_images, n_labels), dtype=float32
            Probabilities; every row sums to 1. They compare the given labels only: that the best one fits at all
            is not said. (SigLIP's say just that, and do not sum to 1: see `probabilities`.)
        """
        texts = self.embed_texts(captions(labels, template))
        return self.probabilities(self.embed_images(images, batch_size, orient=orient), texts)

    def generate(self, *args: Any, **kwargs: Any) -> list[str]:
        """Write captions, which only a model with a decoder can: see `numpyclip.model.coca.CoCa.generate`.

        Raises
        ------
        InputError
            Always: this model has none.
        """
        raise InputError(
            "generate: this model has no decoder, so it cannot write captions. Load a CoCa, such as a folder with the "
            "files of laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k."
        )


def tensors(checkpoint: Checkpoint, config: CLIPConfig) -> layout.Tensors:
    """List all tensors that the model takes, with their shapes."""
    if config.vision is not None and config.text is not None:
        yield from layout.number(checkpoint, "logit_scale")
        if config.sigmoid:
            yield from layout.number(checkpoint, "logit_bias")
    if config.vision is not None:
        yield from vision_tower(config.vision).tensors(checkpoint, config.vision, config.embed_dim)
    if config.text is not None:
        yield from text_tower(config.text).tensors(checkpoint, config.text, config.embed_dim)


def _number(checkpoint: Checkpoint, name: str) -> Array:
    return checkpoint.take(name).reshape(()) if name in checkpoint else np.broadcast_to(np.float32(0), ())


def _present(tower: _T | None, inputs: str) -> _T:
    if tower is None:
        raise _missing(inputs)
    return tower


def _missing(inputs: str) -> InputError:
    return InputError(
        f"this model has no tower of {inputs}, its checkpoint holds the other one only; load a whole CLIP."
    )


def checked(checkpoint: Checkpoint, expected: Mapping[str, layout.Shape]) -> Checkpoint:
    """Return a checkpoint with these tensors and no others, which training may have left in it.

    Raises
    ------
    CheckpointError
        If one of them is missing or has another shape, or there are some that are not known.
    """
    checkpoint.check(expected)
    return replace(checkpoint, arrays={name: checkpoint.arrays[name] for name in expected})


def parts(
    checkpoint: Checkpoint, config: CLIPConfig, tokenizer: Callable[[], Tokenizer], low_memory: bool
) -> tuple[Any, ...]:
    """Make the fields of a model, in their order, from a checkpoint with the right tensors."""

    def read_visual() -> VisionTower | None:
        if (vision := config.vision) is None:
            return None
        read = partial(vision_tower(vision).read, config=vision, preprocess=config.preprocess)
        return prepare("visual", read, checkpoint, low_memory)

    def read_text() -> TextTower | None:
        if (text := config.text) is None:
            return None
        return prepare("text", partial(text_tower(text).read, config=text), checkpoint, low_memory)

    def name_of_tokenizer() -> str:
        with suppress(CheckpointError):  # it is not there, or damaged: pictures need none
            return made_once().name if config.text else "none"
        return "none"

    made_once = Once(tokenizer, deferred=True)
    return (
        config,
        _number(checkpoint, "logit_scale"),
        _number(checkpoint, "logit_bias"),
        Once(read_visual),
        Once(read_text),
        made_once,
        low_memory,
        checkpoint,
        Once(lambda: take_fingerprint(checkpoint, config, name_of_tokenizer())),
    )
