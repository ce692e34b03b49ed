"""Aliases of model names: Immich's, and those of text towers that were trained for another model's images."""

import os
from typing import NamedTuple

from numpyclip.weights import hub
from numpyclip.weights.local import Folder, exists
from numpyclip.weights.published import architecture, architectures

# Repositories of text towers → the model whose images they search.
_IMAGES: dict[str, tuple[str, str | None]] = {
    "M-CLIP/LABSE-Vit-L-14": ("ViT-L/14", None),
    "M-CLIP/XLM-Roberta-Large-Vit-B-16Plus": ("ViT-B-16-plus-240", "laion400m_e32"),
    "M-CLIP/XLM-Roberta-Large-Vit-B-32": ("ViT-B/32", None),
    "M-CLIP/XLM-Roberta-Large-Vit-L-14": ("ViT-L/14", None),
    "sentence-transformers/clip-ViT-B-32-multilingual-v1": ("ViT-B/32", None),
}
# Repositories of image towers → the text tower that they were trained to match.
_TEXTS = {
    f"nomic-ai/nomic-embed-vision-{version}": f"nomic-ai/nomic-embed-text-{version}" for version in ("v1", "v1.5")
}
# Immich's names that are not those of an architecture and a tag, with two underscores between them.
_IMMICHS = {
    **{name.partition("/")[2]: name for name in _IMAGES if name.startswith("M-CLIP/")},
    "fg-clip2-base": "qihoo360/fg-clip2-base",
}
_IMMICH = "immich-app/"


class Named(NamedTuple):
    """What `load` is asked for."""

    name: str
    pretrained: Folder | None
    text_model: Folder | None


def resolve(name: str, pretrained: Folder | None = None, text_model: Folder | None = None) -> Named:
    """Return what a name stands for; itself if it is no such name."""
    if pretrained is not None or exists(name):
        return Named(name, pretrained, text_model)
    short = name.removeprefix(hub.PREFIX).removeprefix(_IMMICH)  # whose repositories have ONNX files alone
    if short in _IMMICHS:
        name = f"{hub.PREFIX}{_IMMICHS[short]}"
    repository = hub.repository_of(name)
    if repository in _IMAGES and text_model is None:
        return Named(*_IMAGES[repository], name)
    if repository in _TEXTS and text_model is None:
        return Named(name, None, f"{hub.PREFIX}{_TEXTS[repository]}")
    model, _, tag = short.partition("__")
    if tag and (known := architecture(_spelled(model))) and (published := known.find(tag)):
        return Named(known.name, published.tag, text_model)
    return Named(name, pretrained, text_model)


def images_of(name: str, pretrained: Folder | None = None) -> tuple[str, str | None]:
    """Return name and tag of the model that embeds the images."""
    named = resolve(name, pretrained)
    return named.name, None if named.pretrained is None else os.fspath(named.pretrained)


def _spelled(name: str) -> str:
    """Return the name of an architecture as OpenCLIP writes it, in upper and lower case."""
    return next((known for known in architectures() if known.lower() == name.lower()), name)
