"""OpenCLIP's published models: their names, where their weights are, and what their architectures look like.

The table is open_clip 3.3.0's (made by tools/make_catalogue.py). A model has two names: its architecture and a tag for
its training. The activation depends on the tag: where the architecture's name contradicts it, open_clip warns and
computes with the wrong one; here the tag decides, and names that end in ``-quickgelu`` are aliases.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.hub import repository_of

_DATA = Path(__file__).resolve().parents[1] / "data"
_TABLE = _DATA / "open_clip.json"
_SPEEDS = _DATA / "speeds.json"
_QUICK_GELU = "-quickgelu"
OPENAI_PREPROCESS = ("openai", "bicubic", "shortest")


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """Published weights of an architecture."""

    tag: str
    hub: str  # the repository on the Hugging Face hub
    openai: str | None = None  # the name in openai/CLIP, of OpenAI's models
    quick_gelu: bool = False  # trained with QuickGELU, though its architecture does not say so
    preprocess: tuple[str, ...] = OPENAI_PREPROCESS  # normalization, interpolation, resize mode
    top1: float | None = None  # zero-shot accuracy on ImageNet in percent, if published
    coco_images: float | None = None  # recall at 1 on COCO in percent: of images for a text
    coco_texts: float | None = None  # of texts for an image
    xm3600: float | None = None  # of images for a text on Crossmodal-3600, the mean of 36 languages
    source: str = "OpenCLIP"  # of these
    licence: str | None = None  # if a source names one
    megabytes: int | None = None  # of the file, if known


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast NumPyCLIP runs an architecture, as benchmarks/architectures.py has measured with random weights."""

    parameters: float  # millions
    images: float  # per second, over those of ViT-B/32 in the same run
    texts: float
    megabytes: int  # of memory, weights included
    extrapolated: bool = False  # from fewer blocks: the whole does not fit in the memory of the machine


@dataclass(frozen=True, eq=False)
class Architecture:
    """An architecture, and its published weights."""

    name: str
    model_cfg: Mapping[str, Any]  # OpenCLIP's config
    parameters: float | None  # millions, if known
    models: Mapping[str, PublishedModel]  # by tag
    multilingual: bool = False
    speed: Speed | None = None

    @property
    def image_size(self) -> int:
        """Side of its square images, in pixels."""
        size: int = self.model_cfg["vision_cfg"]["image_size"]
        return size

    @property
    def preprocess(self) -> tuple[str, ...]:
        """The preprocessing for the user's own weights: that of all published ones if they agree, else OpenAI's."""
        ways = {model.preprocess for model in self.models.values()}
        return ways.pop() if len(ways) == 1 else OPENAI_PREPROCESS

    @property
    def context_length(self) -> int:
        """Maximum length of a text in tokens."""
        length: int = self.model_cfg["text_cfg"].get("context_length", 77)
        return length

    def megabytes(self, model: PublishedModel) -> int | None:
        """Return the size of a download in millions of bytes: four of each parameter, unless it is known."""
        return model.megabytes or (round(4 * self.parameters) if self.parameters else None)

    def find(self, tag: str) -> PublishedModel | None:
        """Find weights by their tag; as in open_clip, case does not matter, and a hyphen is an underscore."""
        return self.models.get(tag.lower().replace("-", "_"))

    def describe(self, model: PublishedModel | None = None) -> dict[str, Any]:
        """Return what ``open_clip_config.json`` would hold beside published weights, or beside the user's own."""
        normalisation, interpolation, resize_mode = model.preprocess if model else self.preprocess
        quick_gelu = self.model_cfg.get("quick_gelu", False) or (model is not None and model.quick_gelu)
        return {
            "model_cfg": {**self.model_cfg, "quick_gelu": quick_gelu},
            "preprocess_cfg": {
                **_table()["normalisations"][normalisation],
                "interpolation": interpolation,
                "resize_mode": resize_mode,
            },
        }


_NONE = Architecture("", {}, None, {})


def architectures() -> list[str]:
    """Return the names of all architectures, without the aliases that end in ``-quickgelu``."""
    return list(_table()["architectures"])


def architecture(name: str) -> Architecture | None:
    """Find an architecture by its name; as in open_clip, a slash is a hyphen."""
    name = name.replace("/", "-")
    facts = _table()["architectures"].get(name.removesuffix(_QUICK_GELU))
    quick_gelu = name.endswith(_QUICK_GELU)
    if facts is None or (quick_gelu and not facts.get("quickgelu")):
        return None
    speed = _speeds().get(name.removesuffix(_QUICK_GELU))
    models = [
        PublishedModel(tag=tag, **{**row, "preprocess": tuple(row.get("preprocess", OPENAI_PREPROCESS))})
        for tag, row in facts["tags"].items()
    ]
    parameters: float | None = facts.get("parameters") or (speed.parameters if speed else None)
    return Architecture(
        name,
        {**facts["model_cfg"], "quick_gelu": True} if quick_gelu else facts["model_cfg"],
        parameters,
        {model.tag: model for model in models if model.quick_gelu or not quick_gelu},
        facts.get("multilingual", False),
        speed,
    )


def published_as(name: str, tag: str | None = None) -> tuple[str, str] | None:
    """Return OpenCLIP's architecture and tag of the weights that a name stands for; None if they are not in the table.

    The name is one of OpenAI's, of an architecture, with a tag, or of a repository on the hub that has a copy.
    """
    if tag is not None:
        model = (architecture(name) or _NONE).find(tag)
        return (name.replace("/", "-").removesuffix(_QUICK_GELU), model.tag) if model else None
    repository = repository_of(name)
    copies = {copy.repository: model.name for model in DOWNLOADABLE.values() for copy in model.copies}
    original = copies.get(repository or "", name)
    for known, facts in _table()["architectures"].items():
        for found, row in facts["tags"].items():
            if row["hub"] == repository or row.get("openai") == original:
                return known, found
    return None


def published_at(repository: str) -> Iterator[tuple[Architecture, PublishedModel]]:
    """Find the published weights that are in a repository of the hub, by its name."""
    for name, facts in _table()["architectures"].items():
        if any(row["hub"] == repository for row in facts["tags"].values()):
            known = architecture(name)
            assert known is not None
            yield from ((known, model) for model in known.models.values() if model.hub == repository)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_bytes())
    return table


@cache
def _speeds() -> dict[str, Speed]:
    found: dict[str, dict[str, Any]] = json.loads(_SPEEDS.read_bytes())
    return {name: Speed(**facts) for name, facts in found.items()}
