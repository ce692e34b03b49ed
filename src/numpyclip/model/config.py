"""Sizes and options of a whole model, as `numpyclip.families` finds them in tensor shapes and config files."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.vision.vision_config import VisionConfig
from numpyclip.weights.checkpoint import Activation


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(TransformerConfig):
    """Sizes and options of a decoder of captions, padded with `pad_id`."""

    context_length: int
    pad_id: int = 0


@dataclass(frozen=True, kw_only=True)
class CLIPConfig:
    """Sizes and options of a whole model; `vision` or `text` is None if it has the other tower only.

    `family` names the layout of the checkpoint; `sigmoid`: pairs are scored independently (SigLIP), not by a softmax;
    `matryoshka`: embeddings were trained to be truncated; `full_dim` is their dimension before, if they are;
    `usual_logit_scale`: that of an image tower which is paired with a text tower, if none was published with it.
    """

    family: str
    embed_dim: int
    vision: VisionConfig | None
    text: TextConfig | None
    preprocess: Preprocess
    sigmoid: bool = False
    decoder: DecoderConfig | None = None
    matryoshka: bool = False
    full_dim: int | None = None
    usual_logit_scale: float | None = None

    @property
    def tower_dim(self) -> int:
        """Dimension of what the towers compute."""
        return self.full_dim or self.embed_dim

    def truncate(self, dim: int) -> "CLIPConfig":
        """Return it with embeddings of the first dimensions only, not more than there are."""
        if dim == self.embed_dim:
            return self
        return replace(self.standardize(), embed_dim=dim, full_dim=self.tower_dim)

    def standardize(self) -> "CLIPConfig":
        """Return it with standardized embeddings of texts, if its texts are to be."""
        return replace(self, text=self.text and self.text.standardize())

    @property
    def activation(self) -> Activation | None:
        """That of the text tower, else of the image tower; None for a ResNet."""
        tower = self.text or self.vision
        if not isinstance(tower, TransformerConfig) or tower.activation == "relu":
            return None
        return tower.activation


def list_options(config: Any, group: str = "") -> Iterator[tuple[str, Any, Any]]:
    """List name, value and default of all options, with nested names such as "pool.kind"."""
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(field.default):
            yield from list_options(value, f"{group}{field.name}.")
        else:
            yield f"{group}{field.name}", value, field.default
