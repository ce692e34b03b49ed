"""nomic-embed-vision and nomic-embed-text, by their `config.json`: one tower each, which embed into one space.

Source: configuration_hf_nomic_bert.py and modeling_hf_nomic_bert.py of nomic-ai/contrastors, the code of these models
on the hub; `NomicBertModel` in transformers, whose config files name the same options otherwise.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.families import image_processor
from numpyclip.families.config_file import MAX_LAYERS, MAX_SIZE, MAX_TOKENS, Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.tensor_names import (
    LEADING_AXES,
    Names,
    of_blocks,
    of_flash_attention,
    rename,
    squeeze,
    translator,
    used,
    with_convolution,
)
from numpyclip.families.transformers_options import unknown_options
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.transformer_config import RopeConfig, TextRopeConfig
from numpyclip.model.vision.vision_config import PoolConfig, StemConfig, VisionTransformerConfig
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

_BLOCK: Names = (
    *of_flash_attention("attn"),
    ("mlp.fc11", "mlp.c_fc"),
    ("mlp.fc12", "mlp.c_gate"),
    ("mlp.norm", "mlp.ln_inner"),
)
VISION_NAMES: Names = (
    ("embeddings.proj", "visual.conv1"),
    ("embeddings.cls_token", "visual.class_embedding"),
    ("embeddings.pos_embed", "visual.positional_embedding"),
    *of_blocks("layers", "visual.transformer", _BLOCK),
    ("selector.attn.latent", "visual.attn_pool.probe"),
    ("selector.attn.Wq", "visual.attn_pool.attn.q_proj"),
    ("selector.attn.Wkv", "visual.attn_pool.attn.kv_proj"),
    ("selector.attn.out_proj", "visual.attn_pool.attn.out_proj"),
    ("selector.norm1", "visual.attn_pool.ln_2"),
    ("selector.mlp.fc1", "visual.attn_pool.mlp.c_fc"),
    ("selector.mlp.fc11", "visual.attn_pool.mlp.c_fc"),
    ("selector.mlp.fc12", "visual.attn_pool.mlp.c_gate"),
    ("selector.mlp.fc2", "visual.attn_pool.mlp.c_proj"),
)
TEXT_NAMES: Names = (
    ("embeddings.word_embeddings", "token_embedding"),
    ("embeddings.token_type_embeddings.weight", "token_type_embedding"),
    ("emb_ln", "ln_pre"),
    *of_blocks("encoder.layers", "transformer", _BLOCK),
)

# Options without effect on embeddings: how a model was trained, and how attention is computed.
_IGNORED = (
    *("attn_pdrop", "embd_pdrop", "resid_pdrop", "drop_path_rate", "patch_dropout", "fused_bias_fc", "head_dim"),
    *("fused_dropout_add_ln", "use_flash_attn", "use_xentropy", "dense_seq_output", "vocab_size", "add_pooling_layer"),
    *("pad_vocab_size_multiple", "reorder_and_upcast_attn", "scale_attn_weights", "scale_attn_by_inverse_layer_idx"),
    *("summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"),
    *("hidden_features_scaling_factor", "safe_serialization", "depth_scaled_init"),
)
# Of texts, in config files of images, and the other way round.
_IGNORED_IN_VISION = (
    *("type_vocab_size", "n_positions", "rotary_emb_base", "rotary_emb_interleaved", "max_trained_positions"),
    *("max_position_embeddings", "rope_parameters", "layer_scale_init", "pad_token_id"),
)
_LOGIT_SCALE = math.log(100)  # was not published; MTEB's code for nomic-embed takes CLIP's
_VERSION = re.compile(r"nomic-embed-(?:text|vision)-v(1(?:\.5)?)(?![0-9.])")
_GATES = {"swiglu": True, "silu": True, "gelu": False}  # whether MLPs have one, of SiLU


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a tower by its config file, and that of the image processor or the tokenizer beside it."""
    options.ignore(*_IGNORED)
    options.expect(parallel_block=False, parallel_block_tied_norm=False, causal=False, use_rms_norm=False)
    is_vision = "img_size" in options
    found = _translate(checkpoint, VISION_NAMES if is_vision else TEXT_NAMES)
    described = (_describe_vision if is_vision else _describe_text)(found, options)
    unknown_options(options, "nomic_bert", "modeling_hf_nomic_bert")
    return described


def _describe_vision(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    vision = _vision(options, checkpoint)
    preprocess = replace(image_processor.CLIP, size=vision.image_size)
    config = CLIPConfig(
        family="nomic",
        embed_dim=vision.width,
        vision=vision,
        text=None,
        preprocess=image_processor.read_preprocess(options.path.parent, preprocess),
        matryoshka=_version(options) == "1.5",
        usual_logit_scale=_LOGIT_SCALE,
    )
    checkpoint = with_convolution(checkpoint, "visual.conv1.weight", vision.width, vision.patch_size, False)
    return ModelDescription(checkpoint, config, default_tokenizer)  # which is not used


def _describe_text(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    text, version = _text(options, checkpoint), _version(options)
    config = CLIPConfig(
        family="nomic",
        embed_dim=text.width,
        vision=None,
        text=text,
        preprocess=image_processor.CLIP,
        matryoshka=version == "1.5",
    )
    rules = TokenizerRules("BertTokenizer", pad_id=text.pad_id)
    unnamed = (
        f"{options.path}: taken for nomic-embed-text-v1, as no folder is named nomic-embed-text-v1.5, and nothing else "
        "tells the versions apart. Their truncated embeddings differ, and those beside images.",
    )
    tokenizer = partial(hugging_face_tokenizer, options.path.parent, rules)
    return ModelDescription(checkpoint, config, tokenizer, () if version else unnamed)


def _vision(section: Section, checkpoint: Checkpoint) -> VisionTransformerConfig:
    section.ignore(*_IGNORED_IN_VISION)
    section.expect(num_channels=3, prenorm=True, patch_embed_bias=True, register_tokens=0, no_embed_class=False)
    section.expect(no_cls_token=False, use_pos_embed=True, learned_pos_embedding=False, mask_token=False)
    section.expect(sinusoidal_pos_embedding=False, layer_scale=False, prepre_layernom=False)
    if section.get("rotary_emb_fraction", float, 0.0) > 0:
        raise section.unsupported("rotary_emb_fraction", "expected 0: patches have positions of two axes")
    blocks = _sizes(section, checkpoint, "visual.transformer.resblocks")
    image_size, patch_size = section.side("img_size", 224), section.side("patch_size", 16)
    rope = None
    if section.get("use_rotary_pos_emb", bool, False):
        side = image_size // patch_size
        rope = RopeConfig(side=side, reference=section.side("ref_feat_shape", side))
    section.ignore("ref_feat_shape")
    selector_width = checkpoint.shape("visual.attn_pool.mlp.c_proj.weight", 2)[1]
    vision = VisionTransformerConfig(
        **blocks,
        image_size=image_size,
        patch_size=patch_size,
        eps=section.eps("layer_norm_epsilon", 1e-5),
        rope=rope,
        mlp_inner_norm=section.get("norm_mlp", bool, False),
        stem=StemConfig(patch_bias=True),
        norm_before=False,
        pool=PoolConfig(kind="tok_map", mlp_width=selector_width),
        projection=None,
    )
    if rope and vision.width // vision.heads % 4:
        raise section.unsupported("n_head", "expected heads whose width is a multiple of 4")
    return vision


def _text(section: Section, checkpoint: Checkpoint) -> BertConfig:
    is_original = _is_original(section)
    section.expect(prenorm=False, rotary_emb_interleaved=False)
    if section.get("rotary_emb_fraction", float, 0.0 if is_original else 1.0) != 1:
        raise section.unsupported("rotary_emb_fraction", "expected 1.0: all channels have rotary positions")
    blocks = _sizes(section, checkpoint, "transformer.resblocks")
    length = section.size("max_position_embeddings", 1024 if is_original else 2048, MAX_TOKENS)
    length = section.size("n_positions", length, MAX_TOKENS)
    if "rotary_scaling_factor" in section:  # longer texts would have other positions
        section.ignore("rotary_scaling_factor")
        length = min(length, section.size("max_trained_positions", 2048))
    section.ignore("max_trained_positions")
    vocab_size = checkpoint.shape("token_embedding.weight", 2)[0]  # which the authors' code rounds up
    eps = section.eps("layer_norm_epsilon", section.eps("layer_norm_eps", 1e-5 if is_original else 1e-12))
    section.expect(layer_norm_eps=eps)
    token_types = checkpoint.shape("token_type_embedding", 2)[0] if "token_type_embedding" in checkpoint else 0
    text = BertConfig(
        **blocks,
        context_length=length,
        vocab_size=vocab_size,
        pad_id=section.token_id("pad_token_id", vocab_size, 0),
        eps=eps,
        pool="mean",
        projection=None,
        token_types=section.size("type_vocab_size", token_types) if token_types else 0,
        standardizable=_version(section) == "1.5",
        rotary=TextRopeConfig(base=_rope_base(section, 10_000.0 if is_original else 1000.0), length=length),
    )
    section.ignore("type_vocab_size")
    if text.width // text.heads % 2:
        raise section.unsupported("n_head", "expected heads of an even width")
    return text


def _version(section: Section) -> str | None:
    """Return the version, if the name of a folder tells it; 1.5 was trained for truncated embeddings."""
    return next((match[1] for match in map(_VERSION.search, section.path.absolute().parts) if match), None)


def _is_original(section: Section) -> bool:
    """Tell whether options have the names, and defaults, of the authors' code."""
    return "n_embd" in section


def _rope_base(section: Section, default: float) -> float:
    parameters = section.section("rope_parameters")
    parameters.expect(rope_type="default")
    theta = parameters.factor("rope_theta", section.factor("rotary_emb_base", default, 1.0), 1.0)
    base = section.factor("rotary_emb_base", theta, 1.0)
    if base != theta:
        raise section.unsupported("rotary_emb_base", f"expected that of rope_parameters.rope_theta, {theta}")
    parameters.finish()
    return base


def _size(section: Section, name: str, other: str, default: int, most: int = MAX_SIZE) -> int:
    """Read a size by the name of either library; if it has both, they must agree."""
    size = section.size(name if name in section else other, default, most)
    section.expect(**{other: size})
    return size


def _sizes(section: Section, checkpoint: Checkpoint, resblocks: str) -> dict[str, Any]:
    """Read sizes by the names of either library; that of MLPs, which the authors' code rounds up, is inferred."""
    is_original = _is_original(section)
    width = _size(section, "n_embd", "hidden_size", 768)
    section.ignore("n_inner", "intermediate_size", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias")  # the tensors show
    heads = _size(section, "n_head", "num_attention_heads", 12)
    if width % heads:
        raise section.unsupported("n_head" if is_original else "num_attention_heads", f"expected a divisor of {width}")
    gated = section.one_of("hidden_act", _GATES, "silu")
    if is_original:
        gated = section.one_of("activation_function", _GATES, "gelu_new")
    return {
        "width": width,
        "layers": _size(section, "n_layer", "num_hidden_layers", 12, MAX_LAYERS),
        "heads": heads,
        "mlp_width": checkpoint.shape(f"{resblocks}.0.mlp.c_proj.weight", 2)[1],
        "activation": "gelu",
        "gated": gated,
    }


# --- tensors --------------------------------------------------------------------------------------


def _translate(checkpoint: Checkpoint, names: Names) -> Checkpoint:
    """Give tensors our names, and layers the biases of 0 that they lack."""
    found = rename(used(checkpoint, ("pooler.",)), translator(names))
    return replace(found, arrays=squeeze(_with_biases(found.arrays), LEADING_AXES))


def _with_biases(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    biases: dict[str, NDArray[np.generic]] = {}
    for name, array in arrays.items():
        is_layer = name.endswith(("proj.weight", "c_fc.weight", "c_gate.weight", "in_proj_weight"))
        if is_layer and array.ndim == 2:
            biases[f"{name.removesuffix('weight')}bias"] = np.zeros(len(array), np.float32)
    return {**biases, **arrays}
