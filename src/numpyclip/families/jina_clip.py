"""jina-clip v1 and v2, by their `config.json`: an EVA-02 for images, and a BERT of Jina's for texts.

Source: configuration_clip.py, modeling_clip.py, eva_model.py, transform.py and processing_clip.py of
jinaai/jina-clip-implementation.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import MAX_LAYERS, Section, read_config_file
from numpyclip.families.description import ModelDescription
from numpyclip.families.image_processor import read_transform
from numpyclip.families.jina_clip_text import (
    ADAPTER,
    CODE,
    LORA,
    describe_text,
    split_gates,
    take_adapters,
    text_model,
)
from numpyclip.families.jina_clip_text import NAMES as TEXT_NAMES
from numpyclip.families.tensor_names import LEADING_AXES, Names, of_blocks, rename, squeeze, translator, used
from numpyclip.families.transformers_options import unknown_options
from numpyclip.images.preprocess import Preprocess, Size
from numpyclip.model.config import CLIPConfig
from numpyclip.model.transformer_config import Projection, RopeConfig
from numpyclip.model.vision.vision_config import StemConfig, VisionTransformerConfig
from numpyclip.tokenizer.hugging_face import hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.low_rank import adapt

_BLOCK: Names = (
    ("norm1", "ln_1"),
    ("attn.qkv.weight", "attn.in_proj_weight"),
    ("attn.q_proj", "attn.q_proj"),
    ("attn.k_proj", "attn.k_proj"),
    ("attn.v_proj", "attn.v_proj"),
    ("attn.q_bias", "attn.q_proj.bias"),
    ("attn.v_bias", "attn.v_proj.bias"),
    ("attn.inner_attn_ln", "attn.ln_inner"),
    ("attn.proj", "attn.out_proj"),
    ("norm2", "ln_2"),
    ("mlp.w1", "mlp.c_gate"),
    ("mlp.w2", "mlp.c_fc"),
    ("mlp.w3", "mlp.c_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
    ("mlp.ffn_ln", "mlp.ln_inner"),
    ("gamma_1", "ls_1.gamma"),
    ("gamma_2", "ls_2.gamma"),
)
NAMES: Names = (
    ("vision_model.patch_embed.proj", "visual.conv1"),
    ("vision_model.cls_token", "visual.class_embedding"),
    ("vision_model.pos_embed", "visual.positional_embedding"),
    *of_blocks("vision_model.blocks", "visual.transformer", _BLOCK),
    ("vision_model.norm", "visual.ln_post"),
    ("vision_model.head", "visual.proj"),
    ("visual_projection", "visual.proj"),
    *TEXT_NAMES,
)
_ORIGINAL = ".parametrizations.weight.original"


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a model by its config file, and those of the image processor and the tokenizer beside it."""
    folder = options.path.parent
    options.ignore("use_text_flash_attn", "use_vision_xformers")
    text_options = options.section("text_config")
    known = text_model(text_options)
    kwargs = text_options.section("hf_model_config_kwargs")
    checkpoint = _translate(checkpoint, text_options, kwargs)
    has_projections = options.get("add_projections", bool, False)
    vision, vision_dim = _vision(options.section("vision_config"), has_projections)
    text, text_dim = describe_text(text_options, kwargs, known, checkpoint, has_projections)
    projection_dim = options.size("projection_dim", 768)
    if not has_projections and vision_dim != text_dim:
        raise text_options.unsupported("embed_dim", f"expected vision_config.embed_dim, which is {vision_dim}")
    config = CLIPConfig(
        family="jina_clip",
        embed_dim=projection_dim if has_projections else vision_dim,
        vision=vision,
        text=text,
        preprocess=_preprocess(folder, vision.image_size),
        matryoshka=options.is_list("matryoshka_dimensions"),
    )
    options.ignore("matryoshka_dimensions")
    config = config.truncate(options.size("truncate_dim", config.embed_dim, most=config.embed_dim))
    unknown_options(options, "jina_clip", CODE)
    return ModelDescription(checkpoint, config, partial(hugging_face_tokenizer, folder, known.tokenizer))


def _vision(section: Section, has_projections: bool) -> tuple[VisionTransformerConfig, int]:
    section.ignore("patch_dropout", "drop_path_rate", "fused_layer_norm", "x_attention")
    width, head_width = section.size("width", 768), section.size("head_width", 64)
    if width % head_width:
        raise section.unsupported("head_width", f"expected a divisor of the width, {width}")
    embed_dim = section.size("embed_dim", 768)
    patch_size, image_size = section.side("patch_size", 16), section.side("image_size", 224)
    post_norm, layer_scale = section.get("post_norm", bool, False), section.get("ls_init_value", float, 0.0) > 0
    if post_norm and layer_scale:
        raise section.unsupported("ls_init_value", "expected null with post_norm")
    has_bias = section.get("qkv_bias", bool, True)
    projection: Projection | None = section.one_of("proj_type", {"": None, "linear": "linear"}, "")
    if projection is None and embed_dim != width:
        raise section.unsupported("embed_dim", f"expected {width}, the width of a tower without a projection")
    if projection and has_projections:
        raise section.unsupported("proj_type", "expected null beside add_projections")
    vision = VisionTransformerConfig(
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        layers=section.size("layers", 12, MAX_LAYERS),
        heads=width // head_width,
        mlp_width=int(width * section.factor("mlp_ratio", 4.0)),
        activation="gelu",
        eps=1e-6,
        layer_scale=layer_scale,
        biased="qv" if has_bias else "",
        rope=_rope(section, image_size // patch_size, head_width),
        gated=section.get("naive_swiglu", bool, False),
        sub_norm=section.get("subln", bool, False),
        post_norm=post_norm,
        stem=StemConfig(patch_bias=True),
        norm_before=False,
        projection="linear" if has_projections else projection,
    )
    unknown_options(section, "jina_clip", CODE)
    return vision, embed_dim


def _rope(section: Section, side: int, head_width: int) -> RopeConfig | None:
    """Read the positions of patches; they are scaled to those of pretraining, or as many."""
    reference, is_scaled = section.size("pt_hw_seq_len", 16), section.get("intp_freq", bool, False)
    if not section.get("rope_embeddings", bool, False):
        return None
    if head_width % 4:
        raise section.unsupported("head_width", "expected a multiple of 4")
    if not is_scaled and side != reference:
        raise section.unsupported("pt_hw_seq_len", f"expected {side}, the patches of a side, without intp_freq")
    return RopeConfig(side=side, reference=reference)


def _preprocess(folder: Path, image_size: Size) -> Preprocess:
    default = Preprocess(image_size, profile="jina_clip")
    if not (folder / "preprocessor_config.json").exists():
        return default
    section = read_config_file(folder / "preprocessor_config.json")
    section.ignore("auto_map", "processor_class", "image_processor_type", "_valid_processor_keys")
    preprocess = read_transform(section, replace(default, size=section.side("size", 224)))
    section.finish()
    if preprocess.size != image_size:
        raise section.unsupported("size", f"expected {image_size}, which config.json says the model takes")
    return preprocess


def _translate(checkpoint: Checkpoint, text_options: Section, kwargs: Section) -> Checkpoint:
    """Give tensors our names, and take the adapters of a task out of them."""
    checkpoint = used(checkpoint)
    arrays = {name.replace(LORA, "text_model.transformer."): array for name, array in checkpoint.arrays.items()}
    if len(arrays) != len(checkpoint.arrays):
        raise CheckpointError(f"{checkpoint.path}: has two text towers, one of them at {LORA!r}.")
    translate = translator(NAMES)
    kept = {name.replace(_ORIGINAL, ".weight"): array for name, array in arrays.items() if ADAPTER not in name}
    found = rename(replace(checkpoint, arrays=split_gates(kept)), translate)
    found = replace(found, arrays=squeeze(found.arrays, LEADING_AXES))
    adapters = take_adapters(checkpoint, arrays, text_options, kwargs)
    named = f"{text_options.json.get('default_lora_task')} {kwargs.json.get('lora_alpha')}"
    return adapt(found, {translate(name): pair for name, pair in adapters.items()}, named)
