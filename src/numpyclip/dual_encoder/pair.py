"""One model made of two: the image tower of one, and the text tower of another that was trained to match it."""

from dataclasses import fields, replace
from functools import partial
from hashlib import sha256

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.dual_encoder.torch_methods import LogitScale
from numpyclip.errors import InputError
from numpyclip.runtime.lazy import Lazy


def pair(images: CLIP, texts: CLIP) -> CLIP:
    """Make a model with the image tower and the temperature of one model, and the text tower of another.

    Its fingerprint is that of the first: images have the same embeddings.

    Raises
    ------
    InputError
        If one of them has no such tower, or their embeddings have different dimensions.
    """
    for model, tower, inputs in ((images, images.config.vision, "images"), (texts, texts.config.text, "texts")):
        if tower is None:
            raise InputError(f"{model}: has no tower for {inputs}; expected one for images, and text_model for texts.")
    scale, usual = images.logit_scale, images.config.usual_logit_scale
    if images.config.text is None:
        if usual is None:
            raise InputError(
                f"{images}: is an image tower without a temperature (logit_scale); text_model= (--text-model) needs a "
                "whole CLIP."
            )
        scale = np.array(usual, np.float32).view(LogitScale)
    for dims in ("tower_dim", "embed_dim"):  # before they are truncated, and after
        ours, theirs = getattr(images.config, dims), getattr(texts.config, dims)
        if ours != theirs:
            raise InputError(
                f"text_model: its embeddings have {theirs} dimensions, those of the images {ours}; expected a text "
                "tower that was trained for these images."
            )
    parts = {field.name: getattr(images, field.name) for field in fields(images)}
    return CLIP(
        **{
            **parts,
            "config": replace(images.config, text=texts.config.text, decoder=None),
            "_text": texts._text,
            "_text_engine_tower": texts._text_engine_tower,
            "_decoder": Lazy(_nothing),
            "_tokenizer": texts._tokenizer,
            "logit_scale": scale,
            "checkpoint": None,
            "_fingerprint": Lazy(partial(_fingerprint, images, texts)),
        }
    )


def _nothing() -> None:
    return None


def _fingerprint(images: CLIP, texts: CLIP) -> Fingerprint:
    text_model = texts.fingerprint_of_weights.to_json()
    return replace(images.fingerprint, text_model=sha256(text_model.encode()).hexdigest())
