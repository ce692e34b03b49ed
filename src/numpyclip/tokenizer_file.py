"""Tokenizers from the files that transformers writes."""

from pathlib import Path

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.tokenizer import Tokenizer


def hugging_face_tokenizer(folder: Path, model_type: str) -> Tokenizer:
    """Read the tokenizer in a folder of a model of some type."""
    raise UnsupportedCheckpointError(f"{folder}: the tokenizer of {model_type!r:.40} is not supported.")
