"""The decoder of OpenCLIP's CoCa, which `multimodal_cfg` describes, as `CoCa` in open_clip/coca_model.py."""

from numpyclip.families.config_file import MOST_LAYERS, Section
from numpyclip.model.config import DecoderConfig, TextConfig, VisionConfig, VisionTransformerConfig
from numpyclip.weights.checkpoint import Activation

# What open_clip reads, and makes no use of: MLPs are 4 times as wide as the decoder, its words are those of texts, and
# the queries are described with the tower of pictures.
_UNUSED = ("mlp_ratio", "dim_head", "n_queries", "attn_pooler_heads", "vocab_size")
_MLP_RATIO = 4


def read_decoder(model: Section, vision: VisionConfig, text: TextConfig, activation: Activation) -> DecoderConfig:
    """Read the config of a decoder, and see that it fits the two towers.

    Raises
    ------
    UnsupportedCheckpointError
        If it has an option that is not supported, or one that does not fit a tower; it is named.
    """
    section = model.section("multimodal_cfg")
    section.ignore(*_UNUSED)
    width = section.size("width", 512)
    heads = section.divisor("heads", width, 8)
    if width != text.width:
        raise section.unsupported("width", f"expected that of texts, {text.width}")
    if width != (described := _described_width(model, vision)):
        raise section.unsupported("width", f"expected that of what describes pictures, {described}")
    if not text.has_class_token:
        raise model.section("text_cfg").unsupported("embed_cls", "expected true in a model with a decoder")
    config = DecoderConfig(
        width=width,
        layers=section.size("layers", 12, MOST_LAYERS),
        heads=heads,
        mlp_width=_MLP_RATIO * width,
        activation=activation,
        layer_scale="ls_init_value" in section,
        context_length=section.size("context_length", 77),
        pad_id=token_id(model, "pad_id", text.vocab_size),
    )
    section.ignore("ls_init_value")
    section.finish()
    return config


def token_id(section: Section, option: str, vocab_size: int) -> int:
    """Return the id of a token, by default 0."""
    value = section.get(option, int, 0)
    if not 0 <= value < vocab_size:
        raise section.unsupported(option, f"expected 0 to {vocab_size - 1}")
    return value


def _described_width(model: Section, vision: VisionConfig) -> int:
    section = model.section("vision_cfg")
    if not isinstance(vision, VisionTransformerConfig) or vision.pool.kind == "map" or not vision.class_token:
        raise model.unsupported("vision_cfg", "expected a vision transformer of open_clip's own, for the decoder")
    if vision.pool.norm_after:
        raise section.unsupported("final_ln_after_pool", "expected false in a model with a decoder")
    if vision.described < 1:
        raise section.unsupported("attn_pooler_queries", "expected 2 or more in a model with a decoder")
    return model.size("embed_dim") if vision.pool.kind == "attn" else vision.width
