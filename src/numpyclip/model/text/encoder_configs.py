"""Sizes and options of the encoders of translators, which are text towers in OpenCLIP's layout."""

from dataclasses import dataclass

from numpyclip.model.config import EncoderConfig, TextPool


@dataclass(frozen=True, kw_only=True)
class M2M100Config(EncoderConfig):
    """Sizes and options of the encoder of an M2M100. `scaled`: tokens are multiplied by the root of the width."""

    scaled: bool = True


@dataclass(frozen=True, kw_only=True)
class T5Config(EncoderConfig):
    """Sizes and options of the encoder of a T5 with a gated GELU.

    `head_width` does not depend on the width; relative positions fall into so many `buckets`, the last of which is for
    `max_distance` and beyond.
    """

    pool: TextPool = "mean"
    head_width: int = 64
    buckets: int = 32
    max_distance: int = 128
