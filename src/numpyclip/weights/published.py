"""OpenCLIP's published models: their names, where their weights are, and what their architectures look like.

The table is open_clip 3.3.0's own (tools/make_catalogue.py made it). A model has two names, that of its architecture
and the tag of what it was trained on. Which activation it was trained with is a fact of the tag: open_clip warns where
the architecture's name says otherwise and computes with the wrong one; here the tag decides, and names that end in
``-quickgelu`` are others for the same models.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).resolve().parents[1] / "data" / "open_clip.json"
_QUICK_GELU = "-quickgelu"
OPENAI_PREPROCESS = ("openai", "bicubic", "shortest")


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """Published weights of an architecture.

    Attributes
    ----------
    tag : str
    hub : str
        The repository on the Hugging Face hub.
    openai : str or None
        What openai/CLIP calls it, if it is one of OpenAI's.
    quick_gelu : bool
        Whether it was trained with QuickGELU, though its architecture does not say so.
    preprocess : tuple of str
        Names of the normalisation, the interpolation and the way of resizing.
    top1 : float or None
        Zero-shot accuracy on ImageNet in percent, where OpenCLIP has published one.
    licence : str or None
        Where OpenCLIP has named one.
    """

    tag: str
    hub: str
    openai: str | None = None
    quick_gelu: bool = False
    preprocess: tuple[str, ...] = OPENAI_PREPROCESS
    top1: float | None = None
    licence: str | None = None


@dataclass(frozen=True, eq=False)
class Architecture:
    """What models of one name have in common.

    Attributes
    ----------
    name : str
    model_cfg : mapping
        OpenCLIP's config of it.
    parameters : float or None
        Millions of them, where OpenCLIP has published the number.
    models : mapping of str to PublishedModel
        By their tags.
    """

    name: str
    model_cfg: Mapping[str, Any]
    parameters: float | None
    models: Mapping[str, PublishedModel]

    @property
    def image_size(self) -> int:
        """Side of the square picture it takes, in pixels."""
        size: int = self.model_cfg["vision_cfg"]["image_size"]
        return size

    @property
    def preprocess(self) -> tuple[str, ...]:
        """What weights of one's own are preprocessed like: as the published ones, if all agree, else as OpenAI's."""
        ways = {model.preprocess for model in self.models.values()}
        return ways.pop() if len(ways) == 1 else OPENAI_PREPROCESS

    def find(self, tag: str) -> PublishedModel | None:
        """Find weights by their tag; as in open_clip, neither capitals nor hyphens matter."""
        return self.models.get(tag.lower().replace("-", "_"))

    def describe(self, model: PublishedModel | None = None) -> dict[str, Any]:
        """Return what would stand in ``open_clip_config.json`` beside published weights, or beside one's own."""
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


def architectures() -> list[str]:
    """Return the names of all architectures, but for the second ones that end in ``-quickgelu``."""
    return list(_table()["architectures"])


def architecture(name: str) -> Architecture | None:
    """Find an architecture by its name, in which, as in open_clip, a slash stands for a hyphen."""
    name = name.replace("/", "-")
    facts = _table()["architectures"].get(name.removesuffix(_QUICK_GELU))
    quick_gelu = name.endswith(_QUICK_GELU)
    if facts is None or (quick_gelu and not facts.get("quickgelu")):
        return None
    models = [PublishedModel(tag=tag, **_arguments(row)) for tag, row in facts["tags"].items()]
    return Architecture(
        name,
        {**facts["model_cfg"], "quick_gelu": True} if quick_gelu else facts["model_cfg"],
        facts.get("parameters"),
        {model.tag: model for model in models if model.quick_gelu or not quick_gelu},
    )


def _arguments(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "preprocess": tuple(row.get("preprocess", OPENAI_PREPROCESS))}


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_bytes())
    return table
