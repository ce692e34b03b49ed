"""Fingerprints of models, which are stored beside embeddings: those of different models do not compare."""

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

# Options by the names, and with the values, that they had before they were put in groups: indexes hold fingerprints.
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
_ELSEWHERE = ("family", "preprocess")  # of a model's configuration; the first changes no number


@dataclass(frozen=True)
class Fingerprint:
    """What a model's embeddings depend on. Equal fingerprints, comparable embeddings.

    Options of a call are not in it, though they change embeddings: `truncate`, and for images `orient` and `draft`.

    Attributes
    ----------
    weights : str
        SHA-256 of the weights as float32, by the names that the model has for them: a `.pt` file and a `.safetensors`
        file of the same weights have the same one, in whatever precision they hold them without loss. In the layout of
        another library they are other tensors, and have another.
    architecture : str
        Sizes and options, the activation among them; where one is not named it is the usual one.
    preprocess : str
        Of images: size, profile, and whatever is not as in OpenAI's.
    tokenizer : str
        Its name; ``"none"`` where a model takes no texts, or its own tokenizer is not there.
    precision : str
        ``"float32"``, or ``"int8"`` where weights are rounded to eight bits. `low_memory` changes no number.
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
        """Write it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If it is something else.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            values = json.loads(text)
        except (ValueError, RecursionError, TypeError):
            values = None
        if isinstance(values, dict) and set(values) == set(names) and all(isinstance(v, str) for v in values.values()):
            return cls(**values)
        raise InputError(f"{text!r:.60} is no fingerprint; expected a JSON object with the texts {', '.join(names)}.")

    def differences(self, other: Fingerprint) -> str:
        """Say what is different, this one's value first; an empty text if nothing is."""
        return "; ".join(
            f"{field.name}: {mine:.300}, not {yours:.300}"
            for field in dataclasses.fields(self)
            if (mine := getattr(self, field.name)) != (yours := getattr(other, field.name))
        )


def take_fingerprint(checkpoint: Checkpoint, config: CLIPConfig, tokenizer: Callable[[], Tokenizer]) -> Fingerprint:
    """Take the fingerprint of a model that is made of the tensors of a checkpoint."""
    is_quantized = any(isinstance(array, ScaledInt8) for array in checkpoint.arrays.values())
    name = "none"
    if config.text is not None:
        with suppress(CheckpointError):  # it is not there, or damaged: images need none
            name = tokenizer().name
    return Fingerprint(
        weights=digest(checkpoint),
        architecture=_describe(config),
        preprocess=_describe(config.preprocess),
        tokenizer=name,
        precision="int8" if is_quantized else "float32",
    )


def _describe(config: object) -> str:
    """Name the options that are not the default: one that a later version adds changes no fingerprint."""
    named = []
    for name, value, default in list_options(config):
        if name in _ELSEWHERE or value == default:
            continue
        if name == "projection":
            name, value = ("projection_mlp", True) if value == "mlp" else (name, False)
        text = f"({_describe(value)})" if dataclasses.is_dataclass(value) else str(value).replace(" ", "")
        named.append(f"{_RECORDED_AS.get(name, name)}={text}")
    return " ".join(sorted(named, key=lambda option: option.startswith("queries=")))
