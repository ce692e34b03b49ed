"""A model in OpenCLIP's layout, as `push_to_hf_hub` writes it: the inverse of `numpyclip.families.open_clip`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.vision.vision_config import RESNET_EXPANSION, FastViTConfig, ResNetConfig, VisionTransformerConfig
from numpyclip.saving import open_clip_fastvit
from numpyclip.saving.original_layout import OPEN_CLIP
from numpyclip.saving.plan import (
    INT8,
    OTHER_IDS,
    USUAL_TOKENIZERS,
    DType,
    Layout,
    Plan,
    Weight,
    as_json,
    in_proj_sources,
)
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.clip_names import SCALARS

WEIGHTS = "open_clip_model.safetensors"

_TRANSFORMER = ("width", "layers", "heads", "mlp_width", "activation", "eps", "layer_scale")
_VISION = ("image_size", "patch_size", "norm_before", "pool.norm_after", "pool.kind")
_LAYOUT = Layout(
    "OpenCLIP",
    {
        FastViTConfig: tuple(field.name for field in fields(FastViTConfig) if field.name not in ("pool", "has_head")),
        ResNetConfig: ("image_size", "width", "layers", "heads"),
        VisionTransformerConfig: (*_TRANSFORMER, *_VISION),
    },
    {TextConfig: (*_TRANSFORMER, "context_length", "vocab_size", "causal", "pool", "end_id", "projection")},
)

# Separate matrices of queries, keys and values; those of a ResNet's pool are separate in OpenCLIP, too.
_IN_PROJ = re.compile(r"(.*\.attn)\.(q|k|v|kv)_proj\.(weight|bias)")


def plan(model: CLIP, checkpoint: Checkpoint, dtype: DType) -> Plan:
    """Plan the folder.

    Raises
    ------
    UnsupportedCheckpointError
        If OpenCLIP cannot express an option of the model.
    """
    _check(model, checkpoint)
    config = model.config
    assert config.text is not None
    model_cfg: dict[str, object] = {
        "embed_dim": config.embed_dim,
        "quick_gelu": config.text.activation == "quick_gelu",
        "vision_cfg": _vision(config.vision, checkpoint),
        "text_cfg": _text(config.text, "text_projection.bias" in checkpoint),
    }
    if config.sigmoid:
        model_cfg["init_logit_bias"] = float(model.logit_bias)
    options = {"model_cfg": model_cfg, "preprocess_cfg": describe_preprocess(config.preprocess)}
    tensors = [weight.in_floats(dtype) for weight in _weights(checkpoint)]
    warning = OTHER_IDS if isinstance(model.tokenizer, TransformersCLIPTokenizer) else None
    return Plan(WEIGHTS, tensors, files={OPEN_CLIP: as_json(options)}, warning=warning)


def _check(model: CLIP, checkpoint: Checkpoint) -> None:
    config = model.config
    _LAYOUT.check(config, checkpoint)
    assert config.text is not None
    for name, known in (("interpolation", ("bicubic", "bilinear")), ("resize_mode", ("shortest", "squash", "longest"))):
        if (found := getattr(config.preprocess, name)) not in known:
            raise _LAYOUT.cannot(checkpoint, f": {name} of images is '{found}'; expected {' or '.join(known)}. {INT8}")
    if isinstance(config.vision, VisionTransformerConfig):
        if config.vision.pool.kind in ("map", "none"):
            raise _LAYOUT.cannot(checkpoint, ": its images are pooled by a query, or not at all; expected tok or avg.")
        if (config.vision.activation == "quick_gelu") != (config.text.activation == "quick_gelu"):
            raise _LAYOUT.cannot(checkpoint, ": only one of its towers has QuickGELU; expected both or none.")
    for tower in (config.vision, config.text):
        if isinstance(tower, TransformerConfig) and tower.activation in ("relu", "silu"):
            raise _LAYOUT.cannot(checkpoint, f": its activation is '{tower.activation}'; expected a GELU.")
    if "visual.proj.bias" in checkpoint:
        raise _LAYOUT.cannot(checkpoint, ": the image projection has a bias; expected none.")
    if not (
        isinstance(model.tokenizer, TransformersCLIPTokenizer)
        or (isinstance(model.tokenizer, CLIPTokenizer) and model.tokenizer.name in USUAL_TOKENIZERS)
    ):
        name = f"{model.tokenizer.name!r:.60}"
        raise _LAYOUT.cannot(checkpoint, f": its tokenizer is {name}; expected OpenAI's vocabulary, read as usual.")


def _vision(config: object, checkpoint: Checkpoint) -> dict[str, object]:
    if isinstance(config, FastViTConfig):
        return open_clip_fastvit.describe(config, checkpoint)
    if isinstance(config, ResNetConfig):
        return {
            "image_size": config.image_size,
            "layers": list(config.layers),
            "width": config.width,
            "head_width": config.width * RESNET_EXPANSION // config.heads,
        }
    assert isinstance(config, VisionTransformerConfig)
    return {
        **_transformer(config),
        "head_width": config.width // config.heads,
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "no_ln_pre": not config.norm_before,
        "pool_type": config.pool.kind,
        "final_ln_after_pool": config.pool.norm_after,
    }


def _text(config: TextConfig, has_bias: bool) -> dict[str, object]:
    return {
        **_transformer(config),
        "heads": config.heads,
        "context_length": config.context_length,
        "vocab_size": config.vocab_size,
        "no_causal_mask": not config.causal,
        "pool_type": config.pool,
        "proj_type": "linear" if config.projection else "none",
        "proj_bias": has_bias,
        **({} if config.end_id is None else {"eos_id": config.end_id}),
    }


def _transformer(config: TransformerConfig) -> dict[str, object]:
    ratio = config.mlp_width / config.width
    if int(config.width * ratio) != config.mlp_width:  # by rounding
        ratio = (config.mlp_width + 0.5) / config.width
    return {
        "layers": config.layers,
        "width": config.width,
        "mlp_ratio": ratio,
        "norm_kwargs": {"eps": config.eps},
        **({"ls_init_value": 1.0} if config.layer_scale else {}),
        **({"act_kwargs": {"approximate": "tanh"}} if config.activation == "gelu_tanh" else {}),
    }


def describe_preprocess(preprocess: Preprocess) -> dict[str, object]:
    """Write the section `preprocess_cfg`."""
    return {
        "size": list(preprocess.sides),
        "mode": "RGB",
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "interpolation": preprocess.interpolation,
        "resize_mode": preprocess.resize_mode,
        "fill_color": preprocess.fill,
    }


def _weights(checkpoint: Checkpoint) -> Iterator[Weight]:
    """Convert tensors to the names and shapes of OpenCLIP, which are openai/CLIP's."""
    has_trunk = any(name.startswith("visual.trunk.") for name in checkpoint.arrays)
    for name in checkpoint.arrays:
        if has_trunk and name.startswith("visual."):
            yield from open_clip_fastvit.weights(checkpoint, name)
        elif match := _IN_PROJ.fullmatch(name):
            attention, part, field = match.groups()
            if part == "q":
                sources = in_proj_sources(checkpoint, attention, field)
                yield Weight.of(f"{attention}.in_proj_{field}", checkpoint, *sources)
        elif name in SCALARS:
            yield Weight.of(name, checkpoint, name, change=lambda number: number.reshape(()))
        elif name in ("visual.proj.weight", "text_projection.weight") and f"{name[:-7]}.bias" not in checkpoint:
            yield Weight.of(name.removesuffix(".weight"), checkpoint, name, change=lambda matrix: matrix.T)
        else:
            yield Weight.of(name, checkpoint, name)
