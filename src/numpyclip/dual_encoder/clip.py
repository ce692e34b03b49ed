"""CLIP (Radford et al., 2021): two towers that embed into one space, and a temperature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.arguments import OnError
from numpyclip.dual_encoder.fingerprint import Fingerprint, take_fingerprint
from numpyclip.dual_encoder.torch_methods import LogitScale, TorchMethods
from numpyclip.dual_encoder.validation import by_shape, captions, checked_embeddings, checked_image, checked_text
from numpyclip.errors import InputError
from numpyclip.images.open import Picture
from numpyclip.images.open import pictures as as_pictures
from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array
from numpyclip.model.text.tower import TextTower
from numpyclip.model.vision.tower import VisionTower
from numpyclip.notebook import html_table
from numpyclip.pipeline import Embedded, PictureReader, iter_embeddings
from numpyclip.runtime.chunks import batched, by_length, in_chunks
from numpyclip.runtime.lazy import Lazy
from numpyclip.runtime.towers import expected_of_towers, read_text, read_visual
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint

_T = TypeVar("_T")
_Kind = TypeVar("_Kind", bound="CLIP")


@dataclass(frozen=True, eq=False, repr=False)
class CLIP(TorchMethods):
    """A model that embeds images and texts into one space. Made by `numpyclip.load`.

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
    logit_scale: LogitScale
    logit_bias: Array
    _visual: Lazy[VisionTower | None]
    _text: Lazy[TextTower | None]
    _tokenizer: Lazy[Tokenizer]
    _low_memory: bool
    checkpoint: Checkpoint | None
    _fingerprint: Lazy[Fingerprint]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "checkpoint": None}  # the towers have all that is computed with

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._facts().values())})"

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._facts())

    def _facts(self) -> dict[str, str]:
        vision, text, checkpoint = self.config.vision, self.config.text, self.checkpoint
        facts = {
            "family": self.config.family,
            "images": f"{self.preprocess.size} px" if vision else "no images",
            "texts": f"{text.context_length} tokens" if text else "no texts",
            "embeddings": f"{self.config.embed_dim} dimensions",
        }
        return facts | ({"weights": f"from {str(checkpoint.path)!r}"} if checkpoint else {})

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
        checkpoint = checkpoint.only(dict(cls._expected_tensors(checkpoint, config)))
        made_once = Lazy(tokenizer, deferred=True)
        return cls(
            config=config,
            logit_scale=_scalar(checkpoint, "logit_scale").view(LogitScale),
            logit_bias=_scalar(checkpoint, "logit_bias"),
            _visual=Lazy(partial(read_visual, checkpoint, config, low_memory)),
            _text=Lazy(partial(read_text, checkpoint, config, low_memory)),
            _tokenizer=made_once,
            _low_memory=low_memory,
            checkpoint=checkpoint,
            _fingerprint=Lazy(partial(take_fingerprint, checkpoint, config, made_once)),
            **cls._own_fields(checkpoint, config, low_memory),
        )

    @classmethod
    def _expected_tensors(cls, checkpoint: Checkpoint, config: CLIPConfig) -> expected.Tensors:
        """List the tensors of this kind of model."""
        return expected_of_towers(checkpoint, config)

    @classmethod
    def _own_fields(cls, checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> dict[str, Any]:
        """Make, by name, the fields that this kind of model has beyond those of `CLIP`."""
        return {}

    @property
    def preprocess(self) -> Preprocess:
        """Image to pixels, also returned by `numpyclip.load`."""
        return self.config.preprocess

    @property
    def preprocess_config(self) -> dict[str, object]:
        """How images become pixels, as plain values: all of `Preprocess`, including its profile."""
        return asdict(self.preprocess)

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids."""
        _present(self.config.text, "texts")
        return self._tokenizer()

    @property
    def fingerprint(self) -> Fingerprint:
        """What embeddings depend on, except call options; computed lazily, reading all weights."""
        return self._fingerprint()

    @property
    def visual(self) -> VisionTower:
        """The image tower."""
        return _present(self._visual(), "images")

    @property
    def text(self) -> TextTower:
        """The text tower."""
        return _present(self._text(), "texts")

    @property
    def context_length(self) -> int:
        """Tokens of a text, start-of-text and end-of-text tokens included."""
        return _present(self.config.text, "texts").context_length

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return _present(self.config.text, "texts").vocab_size

    def tokenize(self, texts: str | Sequence[str], truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into ids of shape (n_texts, context_length), as this model does; see `numpyclip.tokenize`."""
        return self.tokenizer(texts, self.context_length, truncate)

    def encode_image(self, image: NDArray[np.floating] | NDArray[np.uint8], normalize: bool = False) -> Array:
        """Embed preprocessed images.

        Parameters
        ----------
        image : ndarray of shape (n_images, 3, size, size), dtype=floating, or (n_images, size, size, 3), dtype=uint8
            Stacked results of `preprocess`, or of `preprocess.crop`. For a model that takes images of any shape
            (`preprocess.patch_size` is not None) they are (n_images, 3, y, x), or (n_images, y, x, 3), and both sides
            are multiples of its patch size.
        normalize : bool, default=False
            Scale embeddings to unit length, as open_clip's argument of that name.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            An image with NaN in it gives NaN, without a warning, and changes no other.

        Raises
        ------
        InputError
            If the shape or dtype does not match, or the model has no image tower.
        """
        if (vision := self.config.vision) is None:
            raise _missing("images")
        image = checked_image(image, self.preprocess)
        pixels = math.prod(image.shape[1:]) // 3
        cost = vision.cost * pixels // self.preprocess.size**2
        embeddings = in_chunks(self.visual, image, cost, self.config.embed_dim, self._low_memory)
        return ops.normalize(embeddings) if normalize else embeddings

    def encode_text(self, text: NDArray[np.integer], normalize: bool = False) -> Array:
        """Embed tokenized texts.

        Parameters
        ----------
        text : ndarray of shape (n_texts, n_tokens), dtype=integer
            Ids from `tokenize`; `context_length` of them, or fewer with causal attention.
        normalize : bool, default=False
            As in `encode_image`.

        Returns
        -------
        ndarray of shape (n_texts, embed_dim), dtype=float32

        Raises
        ------
        InputError
            If the shape, dtype or range does not match, or the model has no text tower.
        """
        most = _present(self.config.text, "texts")
        text = checked_text(text, most)
        embeddings = by_length(self.text, text, most.lengths, self.config.embed_dim, self._low_memory, most.pad_id)
        return ops.normalize(embeddings) if normalize else embeddings

    def __call__(
        self, image: NDArray[np.floating] | NDArray[np.uint8], text: NDArray[np.integer]
    ) -> tuple[Array, Array]:
        """Score images against texts.

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

    get_logits = __call__  # open_clip's name; there, a call returns embeddings

    def logits(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Score embeddings of unit length against each other: (n, e), (m, e) -> (n, m).

        Cosines times the model's temperature factor, plus its bias; `probabilities` says what they mean. Embeddings
        may have been kept as any kind of number, or as lists; scores are float32.

        Raises
        ------
        InputError
            If embeddings have another shape, or the model has one tower only, whose checkpoint says neither.
        """
        _present(self.config.vision, "images")
        _present(self.config.text, "texts")
        rows = checked_embeddings(images, self.config.embed_dim, "pictures")
        columns = checked_embeddings(texts, self.config.embed_dim, "texts").T
        logits: Array = np.exp(self.logit_scale) * rows @ columns
        logits += self.logit_bias
        return logits

    def probabilities(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Say how well texts fit images, given their embeddings of unit length: (n, e), (m, e) -> (n, m).

        A softmax over the texts, which compares them with each other, so that every row sums to 1; for SigLIP a
        sigmoid, which scores every pair independently, as the model was trained.

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
        return iter_embeddings(self.embed_pixels, several, read, batch_size=batch_size, on_error=on_error)

    def embed_pixels(self, pixels: Sequence[NDArray[np.uint8]]) -> Array:
        """Embed images as `preprocess.crop` returns them, whose shapes may differ if the model takes any shape.

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
        """Write captions, which only a model with a decoder can: see `numpyclip.dual_encoder.coca.CoCa.generate`.

        Raises
        ------
        InputError
            Always: this model has none.
        """
        raise InputError(
            "generate: this model has no decoder, so it cannot write captions. Load a CoCa, such as a folder with the "
            "files of laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k."
        )


def _present(tower: _T | None, inputs: str) -> _T:
    if tower is None:
        raise _missing(inputs)
    return tower


def _missing(inputs: str) -> InputError:
    return InputError(f"this model has no tower for {inputs}: the checkpoint has only the other one. Load a full CLIP.")


def _scalar(checkpoint: Checkpoint, name: str) -> Array:
    return checkpoint.take(name).reshape(()) if name in checkpoint else np.broadcast_to(np.float32(0), ())
