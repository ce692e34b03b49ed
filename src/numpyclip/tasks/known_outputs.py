"""MODEL → PROOF: outputs of published models that others have published, computed again and compared.

A digest shows that a file is the published one; this shows that NumPyCLIP computes with it what the reference does, on
the machine at hand. Each known output names the file that it was read from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.open import file_content
from numpyclip.model.ops import Array
from numpyclip.weights.published import published_as

if TYPE_CHECKING:
    from PIL import Image

# The first numbers of embeddings of unit length, a row for each text or image; or a row of scores for each image.
Kind: TypeAlias = Literal["text_embeddings", "image_embeddings", "cosines", "logits", "probabilities"]

_TABLE = Path(__file__).resolve().parents[1] / "data" / "known_outputs.json"


@dataclass(frozen=True)
class KnownImage:
    """An image of which an output is known: a file to be had at a URL, or a circle that is drawn."""

    file: str = ""
    url: str = ""
    sha256: str | None = None
    circle: tuple[int, int] | None = None  # width and height

    def find(self, folder: Path) -> Path | Image.Image | None:
        """Draw it, or find its file in a folder; None if it is not there, InputError if it is another one."""
        if self.circle:
            return draw_circle(*self.circle)
        path = folder / self.file
        if not path.is_file():
            return None
        if self.sha256:
            with file_content(path) as data:
                if hashlib.sha256(data).hexdigest() != self.sha256:
                    raise InputError(f"{path}: is not the image of {self.url}; replace it, or pass another folder.")
        return path


@dataclass(frozen=True, eq=False)
class KnownOutput:
    """Inputs, and what the reference has computed of them."""

    source: str  # repository, commit and file
    kind: Kind
    texts: tuple[str, ...]
    images: tuple[KnownImage, ...]
    expected: Array
    atol: float  # a difference may be as large, as the source allows
    rtol: float  # plus this part of the expected number

    @property
    def inputs(self) -> str:
        """Name the inputs."""
        images = [image.file or "a drawn circle" for image in self.images]
        return ", ".join(dict.fromkeys([*images, *map(repr, self.texts)]))

    def missing(self, folder: Path) -> list[KnownImage]:
        """List the images whose files are not in a folder."""
        return [image for image in self.images if image.find(folder) is None]

    def compute(self, model: CLIP, folder: Path) -> Array:
        """Compute it with a model, from images in a folder, in the shape of `expected`."""
        images = [found for image in self.images if (found := image.find(folder)) is not None]
        if self.kind == "text_embeddings":
            return model.embed_texts(list(self.texts))[:, : self.expected.shape[1]]
        embeddings = model.embed_images(images)
        if self.kind == "image_embeddings":
            return embeddings[:, : self.expected.shape[1]]
        texts = model.embed_texts(list(self.texts))
        if self.kind == "cosines":
            cosines: Array = embeddings @ texts.T
            return cosines
        return (model.logits if self.kind == "logits" else model.probabilities)(embeddings, texts)

    def agrees(self, found: Array) -> bool:
        """Tell whether what was computed is what the reference has computed."""
        return bool((np.abs(found - self.expected) <= self.atol + self.rtol * np.abs(self.expected)).all())


def known_outputs(name: str, tag: str | None = None) -> list[KnownOutput]:
    """Return what is known of a model by its name, as `numpyclip.load` takes it; an empty list if nothing is."""
    names = {name.partition("@")[0]}
    if published := published_as(name, tag):
        names.add(" ".join(published))
    return [_read(entry) for entry in _table() if entry["model"] in names]


def draw_circle(width: int, height: int) -> Image.Image:
    """Draw a blue circle with a green border on red, as `prepare_images` in transformers' test of SigLIP 2."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), "red")
    x, y = width // 2, height // 2
    radius = min(x, y) // 8 * 7
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(image).ellipse(box, fill="blue", outline="green", width=width // 20)
    return image


def _read(entry: dict[str, Any]) -> KnownOutput:
    images = [
        KnownImage(**{**image, "circle": tuple(image["circle"])} if "circle" in image else image)
        for image in entry.get("images", ())
    ]
    return KnownOutput(
        source=entry["source"],
        kind=entry["kind"],
        texts=tuple(entry.get("texts", ())),
        images=tuple(images),
        expected=np.array(entry["expected"], np.float32),
        atol=entry["atol"],
        rtol=entry.get("rtol", 0.0),
    )


@cache
def _table() -> Sequence[dict[str, Any]]:
    outputs: list[dict[str, Any]] = json.loads(_TABLE.read_bytes())["outputs"]
    return outputs
