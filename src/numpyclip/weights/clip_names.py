"""Tensor names by which a CLIP is recognized, here and in other libraries."""

import re
from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

Tower: TypeAlias = Literal["image", "text"]

# The first part of names in a tower.
IMAGE_ROOTS = ("visual", "vision_model", "visual_projection", "image_encoder")
TEXT_ROOTS = (
    *("transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection"),
    *("text", "text_model", "text_encoder", "text_decoder", "cls_emb", "positional_embedding_res"),
)

# Numbers of a whole model.
SCALARS = ("logit_scale", "logit_bias")

# A name of any CLIP begins so, after a dot.
MARK = re.compile(
    r"\.(?:(?P<image>visual\.|vision_model\.|visual_projection\.|image_encoder\.model\.)"
    r"|(?P<text>text_model\.|text_encoder\.|text_projection(?:$|\.)|(?<!embeddings\.)token_embedding\.weight$))"
)

# Of a tower by itself, whose names have no more: OpenAI's image tower, and those of transformers 5.
BARE_IMAGE = ("class_embedding", "attnpool.positional_embedding")  # one of them is in OpenAI's
BARE = (
    *("conv1.weight", *BARE_IMAGE),
    *("embeddings.patch_embedding.weight", "embeddings.token_embedding.weight", "embeddings.position_embedding.weight"),
)


def bare_prefix(names: Collection[str]) -> str | None:
    """Return what is before the names of a tower that was saved by itself; None if there is no such tower."""
    for name in names:
        for anchor in BARE[0], BARE[-1]:
            prefix = name.removesuffix(anchor)
            if name.endswith(anchor) and any(prefix + other in names for other in BARE if other != anchor):
                return prefix
    return None


def towers(names: Iterable[str]) -> dict[Tower, str]:
    """Return which towers some names are of, each with the first such name."""
    found: dict[Tower, str] = {}
    for name in names:
        if match := MARK.search(f".{name}"):
            found.setdefault("image" if match["image"] else "text", name)
        elif name.endswith(BARE_IMAGE):
            found.setdefault("image", name)
    return found
