"""Two towers that embed into one space, and a temperature: from pixels and ids to embeddings and scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.fingerprint import Fingerprint, take_fingerprint
from numpyclip.dual_encoder.torch_methods import LogitScale, TorchMethods
from numpyclip.dual_encoder.validation import checked_embeddings, checked_image, checked_text
from numpyclip.errors import CorruptCheckpointError, InputError
from numpyclip.images.preprocess import Preprocess, in_pixels
from numpyclip.model import ops
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array
from numpyclip.model.text.tower import TextTower
from numpyclip.model.vision.tower import VisionTower
from numpyclip.notebook import html_table
from numpyclip.runtime.chunks import by_length, in_chunks
from numpyclip.runtime.lazy import Lazy
from numpyclip.runtime.threads import spread
from numpyclip.runtime.towers import expected_tensors, read_decoder, read_text, read_visual
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from numpyclip.engines.engine import Engine
    from numpyclip.engines.engine_tower import EngineTower
    from numpyclip.model.captioning.decoder import Decoder

_T = TypeVar("_T")
_Kind = TypeVar("_Kind", bound="DualEncoder")


@dataclass(frozen=True, eq=False, repr=False)
class DualEncoder(TorchMethods):
    """An image tower and a text tower, as openai/CLIP's `model`: see `numpyclip.CLIP`."""

    config: CLIPConfig
    logit_scale: LogitScale
    logit_bias: Array
    _visual: Lazy[VisionTower | None]
    _text: Lazy[TextTower | None]
    _decoder: Lazy[Decoder | None]
    _tokenizer: Lazy[Tokenizer]
    _low_memory: bool
    checkpoint: Checkpoint | None
    _fingerprint: Lazy[Fingerprint]
    _image_engine_tower: EngineTower | None = None
    _text_engine_tower: EngineTower | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "checkpoint": None}  # the towers have all that is needed

    def __copy__(self: _Kind) -> _Kind:
        return self  # nothing changes it: who copies a record that holds a model shares the weights

    def __deepcopy__(self: _Kind, memo: object) -> _Kind:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._facts().values())})"

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._facts())

    def _facts(self) -> dict[str, str]:
        vision, text, checkpoint = self.config.vision, self.config.text, self.checkpoint
        facts = {
            "family": self.config.family,
            "images": in_pixels(self.preprocess.size) if vision else "no images",
            "texts": f"{text.context_length} tokens" if text else "no texts",
            "embeddings": f"{self.config.embed_dim} dimensions",
        }
        if engine := self.engine:
            facts["engine"] = str(engine)
        return facts | ({"weights": f"from {str(checkpoint.path)!r}"} if checkpoint else {})

    @classmethod
    def read(
        cls: type[_Kind],
        checkpoint: Checkpoint,
        config: CLIPConfig,
        tokenizer: Callable[[], Tokenizer],
        low_memory: bool = False,
        engine: Engine | None = None,
    ) -> _Kind:
        """Build a model of known sizes and options. Each tower is prepared, or compiled by an engine, on first use.

        Raises
        ------
        CheckpointError
            If the tensors are not exactly those of such a model.
        """
        checkpoint = replace(checkpoint.only(dict(expected_tensors(checkpoint, config))), spread=spread)
        lazy_tokenizer = Lazy(tokenizer, deferred=True)
        precision = "float32" if engine is None else engine.precision
        return cls(
            config=config,
            logit_scale=_scalar(checkpoint, "logit_scale").view(LogitScale),
            logit_bias=_scalar(checkpoint, "logit_bias"),
            _visual=Lazy(partial(read_visual, checkpoint, config, low_memory)),
            _text=Lazy(partial(read_text, checkpoint, config, low_memory)),
            _decoder=Lazy(partial(read_decoder, checkpoint, config, low_memory)),
            _tokenizer=lazy_tokenizer,
            _low_memory=low_memory,
            checkpoint=checkpoint,
            _fingerprint=Lazy(partial(take_fingerprint, checkpoint, config, lazy_tokenizer, precision)),
            _image_engine_tower=_engine_tower(engine, checkpoint, config),
            _text_engine_tower=_engine_tower(engine, checkpoint, config),
        )

    @property
    def preprocess(self) -> Preprocess:
        """Image to pixels, also returned by `numpyclip.load`."""
        return self.config.preprocess

    @property
    def preprocess_config(self) -> dict[str, object]:
        """All fields of `preprocess`, including its profile, as a dict."""
        return asdict(self.preprocess)

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids."""
        present(self.config.text, "texts")
        return self._tokenizer()

    @property
    def fingerprint(self) -> Fingerprint:
        """What embeddings depend on, except call options; computed lazily, reading all weights."""
        return self._fingerprint()

    @property
    def device(self) -> str:
        """Where it is computed, as `numpyclip.load` was told."""
        return self.engine.device if self.engine else "cpu"

    @property
    def engine(self) -> Engine | None:
        """What computes embeddings, if not NumPy."""
        tower = self._image_engine_tower or self._text_engine_tower
        return tower.engine if tower else None

    @property
    def fingerprint_of_weights(self) -> Fingerprint:
        """The fingerprint, whatever engine computes the model."""
        return self.fingerprint.of_weights(self.engine.precision if self.engine else "")

    @property
    def visual(self) -> VisionTower:
        """The image tower, computed by NumPy."""
        return present(self._visual(), "images")

    @property
    def text(self) -> TextTower:
        """The text tower, computed by NumPy."""
        return present(self._text(), "texts")

    @property
    def context_length(self) -> int:
        """Maximum length of a text in tokens, start-of-text and end-of-text tokens included."""
        return present(self.config.text, "texts").context_length

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""
        return present(self.config.text, "texts").vocab_size

    def tokenize(self, texts: str | Sequence[str], truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into ids (n_texts, context_length) with the model's tokenizer: see `numpyclip.tokenize`."""
        return self.tokenizer(texts, self.context_length, truncate)

    def encode_image(self, image: NDArray[np.floating] | NDArray[np.uint8], normalize: bool = False) -> Array:
        """Embed preprocessed images.

        Parameters
        ----------
        image : ndarray of shape (n_images, 3, y, x), dtype=floating, or (n_images, y, x, 3), dtype=uint8
            Stacked results of `preprocess`, or of `preprocess.crop`. If `preprocess.patch_size` is not None, the sides
            are any multiples of it.
        normalize : bool, default=False
            Scale embeddings to unit length, as in open_clip.

        Returns
        -------
        ndarray of shape (n_images, embed_dim), dtype=float32
            NaN for an image with NaN in it.

        Raises
        ------
        InputError
            If the shape or dtype does not match, or the model has no image tower.
        """
        image = self._checked_image(image, "encode_image")
        cost, tower = self._cost(image), self._image_engine_tower
        if tower is not None:
            embeddings = tower.embed_images(image, cost, self._for_graph)
        else:
            embeddings = in_chunks(self.visual, image, cost, self.config.embed_dim, self._low_memory)
        return ops.normalize(embeddings) if normalize else embeddings

    def _checked_image(self, image: ArrayLike, name: str) -> NDArray[Any]:
        present(self.config.vision, "images")
        return checked_image(image, self.preprocess, name)

    def _cost(self, image: NDArray[Any]) -> int:
        """Return the cost of one image in tokens, 1 at least: see `numpyclip.runtime.chunks`."""
        pixels = math.prod(image.shape[1:]) // 3
        vision: Any = present(self.config.vision, "images")
        cost: int = vision.cost * pixels // math.prod(self.preprocess.sides)
        return max(cost, 1)

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
        config = present(self.config.text, "texts")
        text, dim, tower = checked_text(text, config), self.config.embed_dim, self._text_engine_tower
        if tower is not None:
            embeddings = tower.embed_texts(text, self._for_graph)
        else:
            embeddings = by_length(self.text, text, config.lengths, dim, self._low_memory, config.pad_id)
        return ops.normalize(embeddings) if normalize else embeddings

    def _for_graph(self: _Kind) -> _Kind:
        """Return a model whose towers are read once more, block by block, for a graph that copies their weights."""
        if self.checkpoint is None:
            return self
        visual = Lazy(partial(read_visual, self.checkpoint, self.config, True))
        return replace(self, _visual=visual, _text=Lazy(partial(read_text, self.checkpoint, self.config, True)))

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

        Cosines times the model's temperature factor, plus its bias, as float32, whatever the dtype of the embeddings.

        Raises
        ------
        InputError
            If the shapes do not match, or the model has only one tower.
        """
        present(self.config.vision, "images")
        present(self.config.text, "texts")
        rows = checked_embeddings(images, self.config.embed_dim, "images")
        columns = checked_embeddings(texts, self.config.embed_dim, "texts").T
        logits: Array = np.exp(self.logit_scale) * rows @ columns
        logits += self.logit_bias
        return logits

    def probabilities(self, images: ArrayLike, texts: ArrayLike) -> Array:
        """Return the probabilities of texts, given embeddings of unit length: (n, e), (m, e) -> (n, m).

        A softmax over the texts, so that each row sums to 1; for SigLIP, a sigmoid of each pair.

        Raises
        ------
        InputError
            As in `logits`.
        """
        logits = self.logits(images, texts)
        return ops.sigmoid(logits) if self.config.sigmoid else ops.softmax(logits)


def present(tower: _T | None, inputs: str) -> _T:
    """Return a tower, or its configuration; raise InputError if the model has none for these inputs."""
    if tower is None:
        remedy = "it is an image tower. Load a whole CLIP."
        if inputs == "images":
            remedy = "it is a text tower. Load it as text_model= (--text-model) of the model of its images."
        raise InputError(f"this model has no tower for {inputs}, {remedy}")
    return tower


def _engine_tower(engine: Engine | None, checkpoint: Checkpoint, config: CLIPConfig) -> EngineTower | None:
    if engine is None:
        return None
    from numpyclip.engines.engine_tower import EngineTower

    return EngineTower(engine, checkpoint.identity, config)


def _scalar(checkpoint: Checkpoint, name: str) -> Array:
    """Read a number by whose exponential cosines are multiplied, or one that is added to them."""
    if name not in checkpoint:
        return np.broadcast_to(np.float32(0), ())
    number = checkpoint.take(name).reshape(())
    with np.errstate(over="ignore"):
        if not np.isfinite([number, np.exp(number)]).all():  # scores would be NaN
            raise CorruptCheckpointError(
                f"{checkpoint.path}: {name} is {number}; expected a finite number below 88. Use an intact file."
            )
    return number
