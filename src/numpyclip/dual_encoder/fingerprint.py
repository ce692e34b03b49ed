"""Fingerprints of models, which are stored with embeddings: those of different models are not comparable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpyclip.errors import CheckpointError, InputError
from numpyclip.model.config import CLIPConfig, list_options
from numpyclip.runtime.digest import digest
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.int8 import ScaledInt8

if TYPE_CHECKING:
    from numpyclip.tokenizer.base import Tokenizer

# The names of options in fingerprints, which existing indexes hold, where the code has others.
_RECORDED_AS = {
    "stem.width": "stem_width",
    "stem.zero_padding": "stem_border",
    "stem.patch_bias": "patch_bias",
    "pool.kind": "pool",
    "pool.heads": "pool_heads",
    "pool.mlp_width": "pool_mlp_width",
    "pool.norm_after": "norm_after_pool",
    "pool.queries": "queries",
}
_ELSEWHERE = ("family", "matryoshka", "preprocess")  # these change no embedding, or are a field of its own


@dataclass(frozen=True)
class Fingerprint:
    """What a model's embeddings depend on: embeddings of equal fingerprints are comparable.

    Options of a call are not included, though they change embeddings: `truncate`, `orient` and `draft`.

    Attributes
    ----------
    weights : str
        SHA-256 of the weights as float32, with the model's names: independent of file format and dtype, but not of
        the library whose layout they have.
    architecture : str
        Sizes and options, such as the activation, that are not the defaults.
    preprocess : str
        Image preprocessing: size, profile, and options that are not OpenAI's.
    tokenizer : str
        Its name; ``"none"`` if the model takes no texts, or its tokenizer is missing.
    precision : str
        ``"float32"``, or ``"int8"`` if weights are quantized. `low_memory` changes no embedding.
    """

    weights: str
    architecture: str
    preprocess: str
    tokenizer: str
    precision: str

    def __str__(self) -> str:
        return (
            f"weights {self.weights[:12]}, preprocess {self.preprocess}, tokenizer {self.tokenizer}, {self.precision}"
        )

    def to_json(self) -> str:
        """Encode it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """Decode what `to_json` returned; raise InputError if it is anything else."""
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            values = json.loads(text)
        except (ValueError, RecursionError, TypeError):
            values = None
        if isinstance(values, dict) and set(values) == set(names) and all(isinstance(v, str) for v in values.values()):
            return cls(**values)
        raise InputError(f"{text!r:.60} is no fingerprint; expected a JSON object with the strings {', '.join(names)}.")

    def differences(self, other: Fingerprint) -> str:
        """List the fields that differ, this one's value first; an empty string if none do."""
        return "; ".join(
            f"{field.name}: {mine:.300}, not {yours:.300}"
            for field in dataclasses.fields(self)
            if (mine := getattr(self, field.name)) != (yours := getattr(other, field.name))
        )


def take_fingerprint(checkpoint: Checkpoint, config: CLIPConfig, tokenizer: Callable[[], Tokenizer]) -> Fingerprint:
    """Take the fingerprint of a model."""
    is_quantized = any(isinstance(array, ScaledInt8) for array in checkpoint.arrays.values())
    name = "none"
    if config.text is not None:
        with suppress(CheckpointError):  # missing or damaged: images need none
            name = tokenizer().name
    return Fingerprint(
        weights=digest(checkpoint),
        architecture=_describe(config),
        preprocess=_describe(config.preprocess),
        tokenizer=name,
        precision="int8" if is_quantized else "float32",
    )


def _describe(config: object) -> str:
    """List the options that are not the default, so that one which a later version adds changes no fingerprint."""
    named = []
    for name, value, default in list_options(config):
        if name in _ELSEWHERE or value == default:
            continue
        if name == "projection":
            name, value = ("projection_mlp", True) if value == "mlp" else (name, False)
        text = f"({_describe(value)})" if dataclasses.is_dataclass(value) else str(value).replace(" ", "")
        named.append(f"{_RECORDED_AS.get(name, name)}={text}")
    return " ".join(sorted(named, key=lambda option: option.startswith("queries=")))
