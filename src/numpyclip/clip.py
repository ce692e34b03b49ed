"""The module ``clip.clip`` of openai/CLIP, for scripts that say ``from clip import clip`` or ``clip.clip.load``."""

from numpyclip.images.preprocess import Preprocess as _transform
from numpyclip.loader import load
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer, tokenize
from numpyclip.weights.catalogue import DOWNLOADABLE, available_models

__all__ = ["_MODELS", "_tokenizer", "_transform", "available_models", "load", "tokenize"]

_MODELS = {name: model.urls[0] for name, model in DOWNLOADABLE.items()}
_tokenizer = default_tokenizer()
