"""MODEL → VERIFICATION: published outputs of published models, computed again and compared.

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
from numpyclip.images.open import file_content
from numpyclip.model.ops import Array
from numpyclip.weights.hub import PREFIX
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

    @property
    def is_pinned(self) -> bool:
        """Tell whether a file is surely this image, for its hash is known."""
        return self.circle is not None or self.sha256 is not None

    def absence(self, folder: Path) -> str | None:
        """Say why a folder does not have it; None if it has, or if it is drawn."""
        path = folder / self.file
        if self.circle:
            return None
        if not path.is_file():
            return f"is not in {folder}"
        if self.sha256:
            with file_content(path) as data:
                if hashlib.sha256(data).hexdigest() != self.sha256:
                    return f"the file of this name in {folder} is another image"
        return None

    def open(self, folder: Path) -> Path | Image.Image:
        """Draw it, or name its file in a folder."""
        return draw_circle(*self.circle) if self.circle else folder / self.file


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

    def missing(self, folder: Path) -> dict[KnownImage, str]:
        """Find the images that a folder does not have, and why."""
        return {image: why for image in self.images if (why := image.absence(folder))}

    def unpinned(self, folder: Path) -> list[Path]:
        """List the files that may be other images, for nobody has published what they are."""
        return [folder / image.file for image in self.images if not image.is_pinned]

    def compute(self, model: CLIP, folder: Path) -> Array:
        """Compute it with a model, from images in a folder, in the shape of `expected`."""
        if self.kind == "text_embeddings":
            return model.embed_texts(list(self.texts))[:, : self.expected.shape[1]]
        embeddings = model.embed_images([image.open(folder) for image in self.images])
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


def models_with_outputs() -> list[str]:
    """Return the names of the models of which something is known, those of OpenCLIP as Immich writes them."""
    return list(dict.fromkeys(entry["model"].replace(" ", "__") for entry in _table()))


def find_published(name: str) -> tuple[str, str | None] | None:
    """Find a published model by any of its names: OpenAI's, ARCHITECTURE__TAG, or of the hub; None if there is none."""
    architecture, _, tag = name.partition("__")
    in_hub = f"{PREFIX}{name.removeprefix(PREFIX).partition('@')[0]}"
    if in_hub in models_with_outputs():
        return in_hub, None
    return published_as(architecture, tag) if tag else published_as(name) or published_as(in_hub)


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
