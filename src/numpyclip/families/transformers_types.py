"""The types of models that transformers knows, and what counts where their config files say nothing.

Source: configuration_*.py of clip, metaclip_2, siglip, siglip2, chinese_clip and altclip in transformers 5.
"""

from dataclasses import dataclass, replace
from typing import Any

from numpyclip.families import image_processor, transformers_names
from numpyclip.families.tensor_names import Names
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import BertConfig, PoolConfig, StemConfig, TextConfig, VisionTransformerConfig
from numpyclip.tokenizer.hugging_face import TokenizerRules


@dataclass(frozen=True)
class Family:
    """What models of one type have in common, and what counts where their config files say nothing."""

    text: TextConfig
    vision: VisionTransformerConfig
    preprocess: Preprocess
    names: Names
    tokenizer: TokenizerRules
    embed_dim: int = 512
    mistaken_end: int | None = None  # the end-of-text id in config files that are wrong about it: the highest is meant
    sigmoid: bool = False


_BASE: dict[str, Any] = {"width": 768, "layers": 12, "heads": 12, "mlp_width": 3072}
_CLIP = Family(
    TextConfig(
        context_length=77,
        vocab_size=49408,
        width=512,
        layers=12,
        heads=8,
        mlp_width=2048,
        activation="quick_gelu",
        pool="eos",
        end_id=49407,
    ),
    VisionTransformerConfig(image_size=224, patch_size=32, activation="quick_gelu", **_BASE),
    image_processor.CLIP,
    transformers_names.CLIP,
    TokenizerRules("CLIPTokenizer"),
    mistaken_end=2,
)
_XLM_ROBERTA = TokenizerRules("XLMRobertaTokenizer")
_METACLIP_2 = replace(_CLIP, tokenizer=_XLM_ROBERTA, mistaken_end=None)  # where 2 is the end of text
_SIGLIP = Family(
    TextConfig(
        context_length=64, vocab_size=32000, activation="gelu_tanh", eps=1e-6, causal=False, pool="last", **_BASE
    ),
    VisionTransformerConfig(
        image_size=224,
        patch_size=16,
        activation="gelu_tanh",
        eps=1e-6,
        stem=StemConfig(patch_bias=True),
        class_token=False,
        norm_before=False,
        pool=PoolConfig(kind="map"),
        projection=None,
        **_BASE,
    ),
    image_processor.SIGLIP,
    transformers_names.SIGLIP,
    TokenizerRules("SiglipTokenizer", lower=True),
    sigmoid=True,
)

_SIGLIP_2 = replace(
    _SIGLIP,
    vision=replace(_SIGLIP.vision, image_size=256, flexible=True),
    preprocess=image_processor.SIGLIP2,
    tokenizer=TokenizerRules("Siglip2Tokenizer", lower=True),
)
_CHINESE_CLIP = replace(
    _CLIP,
    text=BertConfig(context_length=512, vocab_size=30522, activation="gelu", eps=1e-12, token_types=2, **_BASE),
    names=transformers_names.CHINESE_CLIP,
    tokenizer=TokenizerRules("BertTokenizer"),
)
_ALTCLIP = replace(
    _CLIP,
    text=BertConfig(
        context_length=512,
        vocab_size=250002,
        width=1024,
        layers=24,
        heads=16,
        mlp_width=4096,
        activation="gelu",
        pad_id=1,
        first_place=2,
        end_width=768,
    ),
    names=transformers_names.ALTCLIP,
    tokenizer=_XLM_ROBERTA,
    embed_dim=768,
)

# model_type → family, and the towers that such a model has
TYPES = {
    f"{name}{suffix}": (family, towers)
    for name, family in {
        "clip": _CLIP,
        "metaclip_2": _METACLIP_2,
        "siglip": _SIGLIP,
        "siglip2": _SIGLIP_2,
        "chinese_clip": _CHINESE_CLIP,
        "altclip": _ALTCLIP,
    }.items()
    for suffix, towers in (("", ("text", "vision")), ("_text_model", ("text",)), ("_vision_model", ("vision",)))
    if not (isinstance(family.text, BertConfig) and towers == ("text",))  # their texts come with a projection
}
