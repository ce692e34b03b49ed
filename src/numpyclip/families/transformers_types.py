"""The types of models that transformers knows: the names of their tensors, and the defaults of their config files.

Source: modeling_*.py and configuration_*.py of clip, metaclip_2, siglip, siglip2, chinese_clip and altclip in
transformers 5.
"""

from dataclasses import dataclass, replace
from typing import Any

from numpyclip.families import image_processor
from numpyclip.families.tensor_names import Names, of_blocks
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.transformer_config import MLPActivation
from numpyclip.model.vision.vision_config import PoolConfig, StemConfig, VisionTransformerConfig
from numpyclip.tokenizer.hugging_face import TokenizerRules

# Their names → ours. Read backwards, too: where several mean the same, the first is the usual one.
ACTIVATIONS: dict[str, MLPActivation] = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}

_BLOCK: Names = (
    ("layer_norm1", "ln_1"),
    ("self_attn", "attn"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)
_BERT_BLOCK: Names = (
    ("attention.self.query", "attn.q_proj"),
    ("attention.self.key", "attn.k_proj"),
    ("attention.self.value", "attn.v_proj"),
    ("attention.output.dense", "attn.out_proj"),
    ("attention.output.LayerNorm", "ln_1"),
    ("intermediate.dense", "mlp.c_fc"),
    ("output.dense", "mlp.c_proj"),
    ("output.LayerNorm", "ln_2"),
)


_VISION: Names = (
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding", "visual.conv1"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm", "visual.ln_pre"),  # as it is spelled there
    *of_blocks("vision_model.encoder.layers", "visual.transformer", _BLOCK),
    ("vision_model.post_layernorm", "visual.ln_post"),
)
_TEXT: Names = (
    ("text_model.embeddings.token_embedding", "token_embedding"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    *of_blocks("text_model.encoder.layers", "transformer", _BLOCK),
    ("text_model.final_layer_norm", "ln_final"),
)


def bert_names(theirs: str) -> Names:
    """Return the names of a BERT's or RoBERTa's tensors under a prefix."""
    return (
        (f"{theirs}.embeddings.word_embeddings", "token_embedding"),
        (f"{theirs}.embeddings.position_embeddings.weight", "positional_embedding"),
        (f"{theirs}.embeddings.token_type_embeddings.weight", "token_type_embedding"),
        (f"{theirs}.embeddings.LayerNorm", "ln_pre"),
        *of_blocks(f"{theirs}.encoder.layer", "transformer", _BERT_BLOCK),
        *of_blocks(f"{theirs}.encoder.layers", "transformer", _BERT_BLOCK),
    )


CLIP_NAMES: Names = (*_TEXT, *_VISION, ("visual_projection", "visual.proj"))
SIGLIP_NAMES: Names = (
    *_TEXT,
    ("text_model.head", "text_projection"),
    *_VISION,
    ("vision_model.head.probe", "visual.attn_pool.probe"),
    ("vision_model.head.attention", "visual.attn_pool.attn"),
    ("vision_model.head.layernorm", "visual.attn_pool.ln_2"),
    ("vision_model.head.mlp.fc1", "visual.attn_pool.mlp.c_fc"),
    ("vision_model.head.mlp.fc2", "visual.attn_pool.mlp.c_proj"),
)
_CHINESE_CLIP_NAMES: Names = (*bert_names("text_model"), *_VISION, ("visual_projection", "visual.proj"))
_ALTCLIP_NAMES: Names = (
    *bert_names("text_model.roberta"),
    ("text_model.pre_LN", "ln_final"),
    ("text_model.transformation", "end"),
    *_VISION,
    *of_blocks("vision_model.encoder.layer", "visual.transformer", _BLOCK),  # as version 5 writes it, for AltCLIP only
    ("visual_projection", "visual.proj"),
)


@dataclass(frozen=True)
class Family:
    """What models of one type have in common, and the defaults of their config files."""

    text: TextConfig
    vision: VisionTransformerConfig
    preprocess: Preprocess
    names: Names
    tokenizer: TokenizerRules
    embed_dim: int = 512
    unused: tuple[str, ...] = ()  # prefixes of tensors of what it does besides
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
    CLIP_NAMES,
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
    SIGLIP_NAMES,
    TokenizerRules("SiglipTokenizer", lower=True),
    sigmoid=True,
)

_SIGLIP_2 = replace(
    _SIGLIP,
    vision=replace(_SIGLIP.vision, image_size=256, flexible=True),
    preprocess=image_processor.SIGLIP2,
    tokenizer=TokenizerRules("Siglip2Tokenizer", lower=True),
)
# FG-CLIP's further positions, of long texts, and heads, of those and of parts of images (360CVGroup/FG-CLIP). The first
# version's models are CLIPs by their config file.
_LONG_POSITIONS = ("text_model.embeddings.position_embedding_res.", "text_model.embeddings.position_embedding_ori.")
FG_CLIP_HEAD = "text_filip_projection.weight"
FG_CLIP_UNUSED = (*_LONG_POSITIONS, FG_CLIP_HEAD, "logit_scale_finegraind", "logit_scale_hardneg")
_FG_CLIP_2 = replace(
    _SIGLIP_2,
    preprocess=image_processor.FG_CLIP_2,
    unused=(*_LONG_POSITIONS, "longtext_head.", "boxtext_head.", "dense_feature_head."),
)
_CHINESE_CLIP = replace(
    _CLIP,
    text=BertConfig(context_length=512, vocab_size=30522, activation="gelu", eps=1e-12, token_types=2, **_BASE),
    names=_CHINESE_CLIP_NAMES,
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
    names=_ALTCLIP_NAMES,
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
        "fgclip2": _FG_CLIP_2,
        "chinese_clip": _CHINESE_CLIP,
        "altclip": _ALTCLIP,
    }.items()
    for suffix, towers in (("", ("text", "vision")), ("_text_model", ("text",)), ("_vision_model", ("vision",)))
    if not (isinstance(family.text, BertConfig) and towers == ("text",))  # their texts come with a projection
}
