"""QUERY → EMBEDDING: sums of texts and images, such as ``horse + stripes - grass``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.images.find import is_picture_name
from numpyclip.images.open import Picture
from numpyclip.images.preprocess import Preprocess
from numpyclip.images.views import CROP, View, read_views
from numpyclip.model.ops import Array, normalize
from numpyclip.runtime.finite_embeddings import checked_finite
from numpyclip.videos.container import is_video_name
from numpyclip.videos.named_moment import moment_of
from numpyclip.videos.video_embeddings import moment_image
from numpyclip.videos.video_options import VideoOptions

# A sign has spaces around it, so that "black-and-white" and "-5" are words.
_SIGN_OR_QUOTED = re.compile(r'"[^"]*"|(?:^|(?<=\s))([+-])\s+')
_WEIGHT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*\*\s*(?=\S)")
_LEAST_LENGTH = 1e-3  # of a sum that still has a direction: far above float32's noise


@dataclass(frozen=True)
class Term:
    """A text or an image, and its weight, which is negative for what is not wanted.

    Attributes
    ----------
    content : str
        The text, or the path of the image, or a moment of a video, as ``clip.mp4@12.5``.
    weight : float
    is_picture : bool
    """

    content: str
    weight: float = 1.0
    is_picture: bool = False


@dataclass(frozen=True)
class Query:
    """Terms, whose weighted sum is one embedding.

    Attributes
    ----------
    terms : tuple of Term
    options : DecodeOptions
        How images are decoded.
    views : tuple of {"crop", "pad", "squash", "tiles"}
        Of an image: see `embed_views`.
    """

    terms: tuple[Term, ...]
    options: DecodeOptions = DRAFT
    views: tuple[View, ...] = CROP

    @classmethod
    def parse(cls, text: str, *, pictures: bool = True) -> Query:
        """Parse a query: terms joined by ``+`` and ``-`` with spaces around; ``2*`` before a term is its weight.

        Parameters
        ----------
        text : str
            Such as ``"horse + stripes - grass"``, ``"2*cat - dog"`` or ``"photo.jpg + at night"``. What is in double
            quotes is one text.
        pictures : bool, default=True
            Read a term that is the path of an image as that image. False for untrusted clients: no file is read.

        Raises
        ------
        InputError
            If a term or a weight is missing, all weights are 0, or a term with the suffix of an image is not a file.
        """
        terms = tuple(_term(sign, content, text, pictures) for sign, content in _split(text))
        if not any(term.weight for term in terms):
            raise InputError(f"query {text!r:.100}: all weights are 0; expected one that is not.")
        return cls(terms)

    @property
    def is_text(self) -> bool:
        """Whether it is a single text, which the model was trained to compare with images."""
        return len(self.terms) == 1 and self.terms[0].weight > 0 and not self.terms[0].is_picture

    @property
    def texts(self) -> list[str]:
        """Its texts, in order."""
        return [term.content for term in self.terms if not term.is_picture]

    def embed(self, model: EmbeddingModel, known: Sequence[Array] = (), *, truncate: bool = False) -> Array:
        """Embed the terms and return their `sum`, (e,): the first row of `embed_views`."""
        embedding: Array = self.embed_views(model, known, truncate=truncate)[0]
        return embedding

    def embed_views(self, model: EmbeddingModel, known: Sequence[Array] = (), *, truncate: bool = False) -> Array:
        """Embed the query once for each view of its image; large JPEG files are decoded reduced, as for an index.

        Parameters
        ----------
        model : CLIP
        known : sequence of ndarray of shape (e,)
            Embeddings of the first images, which are not read.
        truncate : bool, default=False
            Truncate texts that are too long.

        Returns
        -------
        ndarray of shape (n_views, e)

        Raises
        ------
        InputError
            If views other than the crop are asked for, and there are several images.
        """
        images = [term.content for term in self.terms if term.is_picture]
        if self.views != CROP and len(images) > 1:
            raise InputError(f"query {self}: has {len(images)} images; views are those of one. Leave out views.")
        texts = [model.embed_texts(text, truncate=truncate)[0] for text in self.texts]
        views: list[Iterable[Array]] = [[embedding] for embedding in known]
        views += [self._embed_image(model, name) for name in images[len(known) :]]
        return np.stack([self.combined(texts, rows) for rows in product(*views)])

    def _embed_image(self, model: EmbeddingModel, name: str) -> Array:
        """Embed the views of an image, or of the frame of a video that is named with its time."""
        image = _image(model.preprocess, name, self.options)
        pixels = read_views(model.preprocess, self.views, image, self.options)
        return checked_finite(model.embed_pixels([*pixels.values()]), lambda _: name)

    def combined(self, texts: Iterable[Array], images: Iterable[Array]) -> Array:
        """Return the `sum` of the embeddings of its texts and of its images, each in their order."""
        of_texts, of_images = iter(texts), iter(images)
        return self.sum([next(of_images if term.is_picture else of_texts) for term in self.terms])

    def sum(self, embeddings: Sequence[Array]) -> Array:
        """Sum the embeddings of the terms by their weights, and normalize; InputError if they cancel each other."""
        total = np.zeros_like(embeddings[0])
        with np.errstate(over="ignore", invalid="ignore"):
            for term, embedding in zip(self.terms, embeddings, strict=True):
                total += np.float32(term.weight) * embedding
            length = np.linalg.norm(total)
        if not np.isfinite(length):
            raise InputError(f"query {str(self)!r:.100}: its weights are too large; expected numbers near 1.")
        if length < _LEAST_LENGTH * max(abs(term.weight) for term in self.terms):
            raise InputError(f"query {self}: its terms cancel each other; nothing is left to search for.")
        return normalize(total)

    def __str__(self) -> str:
        written = []
        for term in self.terms:
            weight = "" if abs(term.weight) == 1 else f"{abs(term.weight):g}*"
            written.append(f"{'-' if math.copysign(1, term.weight) < 0 else '+'} {weight}{term.content}")
        return " ".join(written).removeprefix("+ ")


def _image(preprocess: Preprocess, name: str, options: DecodeOptions) -> Picture:
    """Return the name of an image, or the frame of a video that is named with its time."""
    if (moment := moment_of(name)) is not None:
        return moment_image(preprocess, *moment, VideoOptions.of(options))
    if is_video_name(name):
        raise InputError(f"{name}: is a video; expected a moment of it, in seconds, such as {name}@12.5.")
    return name


def _term(sign: str, content: str, query: str, pictures: bool) -> Term:
    match = _WEIGHT.match(content)
    weight = float(match[1]) if match else 1.0
    content = content[match.end() :] if match else content
    is_picture = False
    if len(content) > 1 and content[0] == content[-1] == '"':
        content = content[1:-1]
    elif pictures and is_picture_name(content) and not (is_picture := os.path.isfile(content)):  # noqa: PTH113
        raise InputError(
            f"query {query!r:.100}: {content} is not a file. Put a text with this suffix in double quotes."
        )
    if not content.strip():
        raise InputError(
            f"query {query!r:.100}: a term is missing; expected words between + and -, such as 'horse + stripes'."
        )
    return Term(content, -weight if sign == "-" else weight, is_picture)


def _split(text: str) -> list[tuple[str, str]]:
    """Split a query into pairs of a sign and the term after it; signs in quotes are text."""
    pieces, sign, start = [], "", 0
    for match in _SIGN_OR_QUOTED.finditer(text):
        if match[1]:
            pieces.append((sign, text[start : match.start()].strip()))
            sign, start = match[1], match.end()
    pieces.append((sign, text[start:].strip()))
    return pieces[1:] if len(pieces) > 1 and pieces[0] == ("", "") else pieces  # it began with a sign
