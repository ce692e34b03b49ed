"""A model in the layout of transformers, as `CLIPModel.save_pretrained` and `SiglipModel.save_pretrained` write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.families.image_processor import RESAMPLE
from numpyclip.families.repository_files import TOKENIZER_FILES
from numpyclip.families.tensor_names import translator
from numpyclip.families.transformers_types import ACTIVATIONS, CLIP_NAMES, SIGLIP_NAMES
from numpyclip.images.preprocess import Preprocess, in_pixels
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.transformer_config import MLPActivation, TransformerConfig
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.saving.original_layout import TRANSFORMERS, existing
from numpyclip.saving.plan import INT8, USUAL_TOKENIZERS, Change, DType, Layout, Plan, Weight, as_json, in_proj_sources
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.clip_names import SCALARS

WEIGHTS = "model.safetensors"

_TRANSFORMER = ("width", "layers", "heads", "mlp_width", "activation", "eps")
_CLIP = Layout(
    "transformers",
    {VisionTransformerConfig: (*_TRANSFORMER, "image_size", "patch_size")},
    {TextConfig: (*_TRANSFORMER, "context_length", "vocab_size", "pool", "end_id")},
)
_SIGLIP = replace(
    _CLIP,
    vision_fixed={
        "stem.patch_bias": True,
        "class_token": False,
        "norm_before": False,
        "pool.kind": "map",
        "projection": None,
    },
    text_fixed={"causal": False},
)

_ACTIVATIONS: dict[MLPActivation, str] = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
_RESAMPLE = {ours: number for number, ours in RESAMPLE.items()}

_IN_PROJ = re.compile(r"(.*\.attn)\.in_proj_(weight|bias)")
_POOL_IN_PROJ = re.compile(r"(visual\.attn_pool\.attn)\.(q|k|v|kv)_proj\.(weight|bias)")


def plan(model: CLIP, checkpoint: Checkpoint, dtype: DType) -> Plan:
    """Plan the folder.

    Raises
    ------
    UnsupportedCheckpointError
        If neither CLIPModel nor SiglipModel can express an option of the model.
    """
    vision = model.config.vision
    is_siglip = isinstance(vision, VisionTransformerConfig) and vision.pool.kind == "map"
    _check(model, checkpoint, is_siglip)
    return Plan(
        WEIGHTS,
        [weight.in_floats(dtype) for weight in _weights(checkpoint, is_siglip)],
        {"format": "pt"},  # without it transformers refuses the file
        {
            TRANSFORMERS: as_json({**_options(model, is_siglip), "dtype": dtype}),
            "preprocessor_config.json": as_json(describe_preprocess(model.preprocess, is_siglip)),
            **_tokenizer(model, checkpoint),
        },
    )


def _check(model: CLIP, checkpoint: Checkpoint, is_siglip: bool) -> None:
    config = model.config
    (_SIGLIP if is_siglip else _CLIP).check(config, checkpoint)
    assert config.text is not None
    kind, pools = ("SiglipModel", ["last"]) if is_siglip else ("CLIPModel", ["argmax", "eos"])
    if config.text.pool not in pools:
        expected = f"expected {' or '.join(pools)} in a {kind}"
        raise _CLIP.cannot(checkpoint, f": its texts are pooled by {config.text.pool!r}; {expected}.")
    if config.sigmoid != is_siglip:
        raise _CLIP.cannot(checkpoint, f": a {kind} has {'a' if is_siglip else 'no'} bias of its logits.")
    if len({*config.preprocess.sides}) > 1:
        raise _CLIP.cannot(
            checkpoint, f": its images are {in_pixels(config.preprocess.size)}; expected squares. {INT8}"
        )
    if config.preprocess.resize_mode not in ("shortest", "squash"):
        mode = config.preprocess.resize_mode
        raise _CLIP.cannot(checkpoint, f": the resize mode of images is '{mode}'; expected shortest or squash. {INT8}")
    for name in ("visual.proj.bias",) if is_siglip else ("visual.proj.bias", "text_projection.bias"):
        if name in checkpoint:
            raise _CLIP.cannot(checkpoint, f": a {kind} has no tensor '{name}'.")
    if is_siglip and "text_projection.bias" not in checkpoint:
        raise _CLIP.cannot(checkpoint, f": tensor 'text_projection.bias' is missing; a {kind} has it.")


def _options(model: CLIP, is_siglip: bool) -> dict[str, object]:
    config = model.config
    assert isinstance(config.vision, VisionTransformerConfig) and config.text is not None
    kind = "siglip" if is_siglip else "clip"
    vision = {
        "model_type": f"{kind}_vision_model",
        **_transformer(config.vision),
        "image_size": config.vision.image_size,
        "patch_size": config.vision.patch_size,
    }
    text = {
        "model_type": f"{kind}_text_model",
        **_transformer(config.text),
        "max_position_embeddings": config.text.context_length,
        "vocab_size": config.text.vocab_size,
    }
    if is_siglip:
        text["projection_size"] = config.embed_dim
        return {"model_type": kind, "architectures": ["SiglipModel"], "vision_config": vision, "text_config": text}
    vision["projection_dim"] = text["projection_dim"] = config.embed_dim
    # 2 stands for the highest id of a text, as in the folders that OpenAI published
    text["eos_token_id"] = 2 if config.text.pool == "argmax" else config.text.end_id
    return {
        "model_type": kind,
        "architectures": ["CLIPModel"],
        "projection_dim": config.embed_dim,
        "vision_config": vision,
        "text_config": text,
    }


def _transformer(config: TransformerConfig) -> dict[str, object]:
    return {
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "hidden_act": _ACTIVATIONS[config.activation],
        "layer_norm_eps": config.eps,
    }


def describe_preprocess(preprocess: Preprocess, is_siglip: bool) -> dict[str, object]:
    """Write `preprocessor_config.json`."""
    kind, side = "Siglip" if is_siglip else "CLIP", preprocess.sides[0]
    square = {"height": side, "width": side}
    is_cut = preprocess.resize_mode == "shortest"
    return {
        "image_processor_type": f"{kind}ImageProcessor",
        "processor_class": f"{kind}Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side} if is_cut else square,
        "resample": _RESAMPLE[preprocess.interpolation],
        "do_center_crop": is_cut,
        **({"crop_size": square} if is_cut else {}),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
    }


def _tokenizer(model: CLIP, checkpoint: Checkpoint) -> dict[str, bytes | Path]:
    """Write OpenAI's vocabulary; copy the files of any other."""
    if not (isinstance(model.tokenizer, CLIPTokenizer) and model.tokenizer.name in USUAL_TOKENIZERS):
        if files := existing(checkpoint.path.parent, TOKENIZER_FILES):
            return {**files}
        missing = f"the files of its tokenizer, {model.tokenizer.name!r:.60}, are missing"
        raise _CLIP.cannot(checkpoint, f": {missing}; expected some of {', '.join(TOKENIZER_FILES)}.")
    ids = dict(enumerate(model.tokenizer.vocabulary))
    marks = {len(ids) - 2: START_OF_TEXT, len(ids) - 1: END_OF_TEXT}  # OpenCLIP spells them otherwise
    special = {"bos_token": START_OF_TEXT, **dict.fromkeys(("eos_token", "pad_token", "unk_token"), END_OF_TEXT)}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": model.context_length, **special}
    return {
        "vocab.json": as_json({symbol: i for i, symbol in {**ids, **marks}.items()}),
        "merges.txt": "\n".join(["#version: 0.2", *model.tokenizer.merges, ""]).encode(),
        "tokenizer_config.json": as_json(settings),
        "special_tokens_map.json": as_json(special),
    }


def _weights(checkpoint: Checkpoint, is_siglip: bool) -> Iterator[Weight]:
    """Convert tensors to the names and shapes of transformers."""
    names = SIGLIP_NAMES if is_siglip else CLIP_NAMES
    renamed = translator(tuple((ours, theirs) for theirs, ours in names))
    for name in checkpoint.arrays:
        if match := _POOL_IN_PROJ.fullmatch(name):  # one matrix there
            attention, part, field = match.groups()
            if part == "q":
                sources = in_proj_sources(checkpoint, attention, field)
                yield Weight.of(renamed(f"{attention}.in_proj_{field}"), checkpoint, *sources)
        elif (match := _IN_PROJ.fullmatch(name)) and not name.startswith("visual.attn_pool."):  # three matrices there
            for index, part in enumerate("qkv"):
                theirs = renamed(f"{match[1]}.{part}_proj.{match[2]}")
                yield Weight.of(theirs, checkpoint, name, change=_third(index))
        elif name in ("visual.proj", "text_projection"):
            yield Weight.of(renamed(f"{name}.weight"), checkpoint, name, change=lambda matrix: matrix.T)
        elif name in SCALARS:
            yield Weight.of(name, checkpoint, name, change=lambda number: number.reshape((1,) if is_siglip else ()))
        else:
            yield Weight.of(renamed(name), checkpoint, name)


def _third(index: int) -> Change:
    """Cut the rows of queries, keys or values out of all three: (3 d, ...) -> (d, ...)."""
    return lambda joined: joined.reshape(3, -1, *joined.shape[1:])[index]
