"""Fingerprints of models, which are stored with embeddings: those of different models are not comparable.

Two files of one model may differ: OpenAI's has half precision, the copies that OpenCLIP and transformers have written
single precision, each in a layout of its own. Their embeddings are comparable if the weights, in openai/CLIP's layout
and each rounded to float16, are the same, and all else that embeddings depend on is the same but for details of a
library. Rounding hides what is small: two numbers that differ by less than 2**-10 of their size may become the same,
and those below 2**-25 become zero. Training that changes a model changes some of its numbers by more.

An engine that computes in float32 changes no fingerprint. One that computes in less changes `precision`: its embeddings
of the same weights are comparable with those of float32, but not equal.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from numpyclip.errors import CheckpointError, InputError
from numpyclip.model.config import CLIPConfig, list_options
from numpyclip.runtime.digest import digests
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.dtypes import BFloat16
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
# These change no embedding, or are a field of its own, or concern only texts with a token of padding within.
_ELSEWHERE = ("family", "matryoshka", "preprocess", "masks_padding", "usual_logit_scale")

# Details in which libraries differ about one model. Profiles: which way half a pixel of the crop is rounded, and what
# is behind transparent pixels. Tokenizers of CLIP's vocabulary: how damaged text and HTML entities are repaired. The
# first end-of-text token is the first of the highest id, if that is its id.
_PROFILE = re.compile(r" profile=\w+")
_CLIP_TOKENIZER = re.compile(r"openai|open_clip|transformers \{.*", re.DOTALL)
# The least cosines to embeddings of float32 that were measured, of models with random weights: float16 on a CPU, in
# tests/graph; bfloat16 of 16 images by RN50 (other models: 0.996); int8 of 40 images by a small FastViT.
_LEAST_COSINES = {"float16": 0.9999, "bfloat16": 0.994, "int8": 0.997}
_AND = " and "  # between precisions of embeddings that are mixed
_END_OF_TEXT = re.compile(r"vocab_size=(?P<size>[0-9]+)(?P<between>[^()]*) pool=eos end_id=(?P<end>[0-9]+)")


@dataclass(frozen=True)
class Fingerprint:
    """What a model's embeddings depend on.

    Equal fingerprints: the same embeddings of images, but for rounding, and of texts if `text_model` is equal, too. No
    `differences`: the same model, in copies of different precision or layout, whose embeddings are comparable. The last
    three attributes are not compared by ``==``.

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
        ``"float32"``, or ``"int8"`` if weights are quantized; or the precision that an engine computes in, such as
        ``"bfloat16"``, or ``"int8+bfloat16"`` for both. `low_memory` changes no embedding.
    weights_float16 : str
        SHA-256 of the weights in openai/CLIP's layout, each rounded to float16: equal for copies of a model. Empty if
        float16 cannot hold them, for int8 weights, and in fingerprints that were recorded before there was one.
    file_dtype : str
        Of most numbers in the file: ``"float16"`` for OpenAI's. Empty if it was not recorded.
    text_model : str
        SHA-256 of the fingerprint of the model that embeds texts, if it is another than that of images, which all else
        is about. Embeddings of images do not depend on it, and those of texts are in the same space.
    """

    weights: str
    architecture: str
    preprocess: str
    tokenizer: str
    precision: str
    weights_float16: str = field(default="", compare=False)
    file_dtype: str = field(default="", compare=False)
    text_model: str = field(default="", compare=False)

    def __str__(self) -> str:
        source = f" (file: {self.file_dtype})" if self.file_dtype else ""
        source += f", texts by {self.text_model[:12]}" if self.text_model else ""
        return (
            f"weights {self.weights[:12]}, preprocess {self.preprocess}, tokenizer {self.tokenizer}, "
            f"{self.precision}{source}"
        )

    def to_json(self) -> str:
        """Encode it as one line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """Decode what `to_json` returned; raise InputError if it is anything else."""
        needed = {each.name for each in dataclasses.fields(cls) if each.compare}
        known = {each.name for each in dataclasses.fields(cls)}
        try:
            values = json.loads(text)
        except (ValueError, RecursionError, TypeError):
            values = None
        if (
            isinstance(values, dict)
            and needed <= set(values) <= known
            and all(isinstance(value, str) for value in values.values())
        ):
            return cls(**values)
        raise InputError(
            f"{text!r:.60} is no fingerprint; expected a JSON object with the strings {', '.join(sorted(needed))}."
        )

    def differences(self, other: Fingerprint) -> str:
        """List what makes embeddings incomparable, this one's value first; an empty string if nothing does.

        Of `architecture` and `preprocess` these are the options that differ. Where one of the two has no
        `weights_float16`, all fields are compared. The precision alone is no difference: see `precision_note`.

        Raises
        ------
        InputError
            If the other one is no fingerprint.
        """
        return "; ".join(
            f"{name}: {mine:.300}, not {yours:.300}" for name, (mine, yours) in self._differing(other).items()
        )

    def computed_in(self, precision: str) -> Fingerprint:
        """Return that of the same model, computed in another precision than float32."""
        return dataclasses.replace(self, precision=_joined(self.precision, precision))

    def of_weights(self, computed_in: str) -> Fingerprint:
        """Return that of the weights, given the precision that they are computed in: the inverse of `computed_in`."""
        precision = self.precision.removesuffix(computed_in).removesuffix("+")
        return dataclasses.replace(self, precision=precision or "float32")

    def precision_note(self, other: Fingerprint) -> str:
        """Say in which precisions the embeddings of two comparable models are computed; empty if it is the same."""
        if self.precision == other.precision:
            return ""
        least = (
            math.floor(1e4 * math.cos(_largest_angle(self.precision) + _largest_angle(other.precision)) + 1e-6) / 1e4
        )
        return (
            f"computed in {self.precision}, not in {other.precision}: comparable, with a cosine of {least} or more in "
            "all models measured"
        )

    def warn_of_precision(self, name: object, other: Fingerprint, stacklevel: int = 3) -> None:
        """Warn that what has a name, and this fingerprint, has embeddings of another precision than a model's."""
        if self.mixed_with(other) and (note := self.precision_note(other)):
            warnings.warn(f"{name}: embeddings are {note}.", stacklevel=stacklevel)

    def mixed_with(self, other: Fingerprint) -> Fingerprint | None:
        """Return it with the precisions of a comparable model, too; None if it has these already."""
        mine, its = (set(each.precision.split(_AND)) for each in (self, other))
        return None if its <= mine else dataclasses.replace(self, precision=_AND.join(sorted(mine | its)))

    def differing_dims(self, other: Fingerprint) -> tuple[int, int] | None:
        """Return both numbers of dimensions if these are all that differs: embeddings are truncated, or were."""
        found = self._differing(other)
        names = {option.partition("=")[0] for value in found.get("architecture", ()) for option in value.split()}
        if set(found) != {"architecture"} or not names <= {"embed_dim", "full_dim"}:
            return None
        mine, yours = (_options(each.architecture).get("embed_dim", "") for each in (self, other))
        return (int(mine), int(yours)) if mine.isdecimal() and yours.isdecimal() else None

    def _differing(self, other: Fingerprint) -> dict[str, tuple[str, str]]:
        """Return the fields that make embeddings incomparable, of each the parts that differ."""
        if not isinstance(other, Fingerprint):
            raise InputError(f"got {type(other).__name__}; expected a Fingerprint, as model.fingerprint is one.")
        names = [each.name for each in dataclasses.fields(self) if each.compare]
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        if self.weights_float16 and other.weights_float16:
            mine, yours = self._without_details(), other._without_details()
            pairs = {name: pair for name, pair in pairs.items() if getattr(mine, name) != getattr(yours, name)}
        if "weights" not in pairs or pairs["weights"][0] == pairs["weights"][1]:
            pairs.pop("precision", None)
        lists = ("architecture", "preprocess")
        return {
            name: _differing_options(*pair) if name in lists else pair
            for name, pair in pairs.items()
            if pair[0] != pair[1]
        }

    def is_comparable(self, other: Fingerprint) -> bool:
        """Tell whether embeddings of two models may be compared: they are those of one model."""
        return not self.differences(other)

    def _without_details(self) -> Fingerprint:
        """Return it with weights as float16, and without the details in which libraries differ."""
        return dataclasses.replace(
            self,
            weights=self.weights_float16,
            architecture=_END_OF_TEXT.sub(_as_highest_id, self.architecture),
            preprocess=_PROFILE.sub("", self.preprocess),
            tokenizer="CLIP" if _CLIP_TOKENIZER.fullmatch(self.tokenizer) else self.tokenizer,
        )


def _largest_angle(precision: str) -> float:
    """Return the largest angle between an embedding and that of float32."""
    computed = (each.split("+") for each in precision.split(_AND))
    return max(sum(math.acos(_LEAST_COSINES.get(name, 1.0)) for name in names) for names in computed)


def _options(listed: str) -> dict[str, str]:
    """Split what `_describe` lists: "a=1 b=(c=2)" into {"a": "1", "b.c": "2"}."""
    options: dict[str, str] = {}
    groups: list[str] = []
    for word in listed.split():
        name, _, value = word.partition("=")
        while value.startswith("(") and "=" in value:
            groups.append(name)
            name, _, value = value[1:].partition("=")
        closed = max(0, value.count(")") - value.count("("))
        options[".".join([*groups, name])] = value[: len(value) - closed]
        del groups[max(0, len(groups) - closed) :]
    return options


def _differing_options(mine: str, yours: str) -> tuple[str, str]:
    both = _options(mine), _options(yours)
    names = [name for name in {**both[0], **both[1]} if both[0].get(name) != both[1].get(name)]
    ours, theirs = (" ".join(f"{name}={each.get(name, 'default')}" for name in names) for each in both)
    return (ours, theirs) if names else (mine, yours)


def _as_highest_id(found: re.Match[str]) -> str:
    is_highest = int(found["end"]) == int(found["size"]) - 1
    return f"vocab_size={found['size']}{found['between']}" if is_highest else found[0]


def take_fingerprint(
    checkpoint: Checkpoint, config: CLIPConfig, tokenizer: Callable[[], Tokenizer], precision: str = "float32"
) -> Fingerprint:
    """Take the fingerprint of a model that is computed in a precision."""
    dtypes: Counter[str] = Counter()
    for array in checkpoint.arrays.values():
        kind = {ScaledInt8: "int8", BFloat16: "bfloat16"}.get(type(array), array.dtype.newbyteorder("=").name)
        dtypes[kind] += array.size
    name = "none"
    if config.text is not None:
        with suppress(CheckpointError):  # missing or damaged: images need none
            name = tokenizer().name
    exact, rounded = digests(checkpoint)
    return Fingerprint(
        weights=exact,
        architecture=_describe(config),
        preprocess=_describe(config.preprocess),
        tokenizer=name,
        precision=_joined("int8" if "int8" in dtypes else "float32", precision),
        weights_float16=rounded,
        file_dtype=dtypes.most_common(1)[0][0],
    )


def _joined(weights: str, computation: str) -> str:
    """Name both, if both are less precise than float32."""
    return "+".join(name for name in (weights, computation) if name != "float32") or "float32"


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
