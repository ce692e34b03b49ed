"""OpenCLIP's models with a convolutional tower of timm: ConvNeXt, and FastViT as in MobileCLIP."""

import copy
import functools
from pathlib import Path
from unittest import mock

import timm
import torch
from timm.utils.model import reparameterize_model
from torch import nn

from golden import open_clip_vit
from golden.common import randomize

_SMALL = {"vocab_size": 64, "width": 16}
_TEXT = {"context_length": 12, "vocab_size": 96, "width": 32, "heads": 2, "layers": 1}
_CONVNEXT = {"depths": [1, 1, 2, 1], "dims": [8, 16, 24, 40]}
_MCI0 = {"layers": [2, 1, 1, 1], "embed_dims": [8, 16, 16, 64]}
_MCI3 = {"layers": [1, 1, 1, 1, 1], "embed_dims": [8, 8, 16, 32, 32]}


def _config(name: str, size: int | list[int], sizes: dict, text: dict | None = None, **vision) -> dict:
    return {
        "embed_dim": 24,
        "vision_cfg": {"timm_model_name": name, "image_size": size, "timm_model_kwargs": sizes, **vision},
        "text_cfg": {**_TEXT, **(text or {})},
    }


# name of the folder → model_cfg; the sizes of maps are odd on their way
CONFIGS = {
    "open_clip-convnext": _config(
        "convnext_base",
        75,
        _CONVNEXT,
        timm_model_pretrained=False,
        timm_pool="",
        timm_proj="linear",
        timm_drop_path=0.1,
    ),
    "open_clip-convnext-mlp": _config("convnext_xxlarge", 47, _CONVNEXT, timm_pool="", timm_proj="mlp"),
    # MobileCLIP: the tower's own last layer is the projection
    "open_clip-fastvit": {
        **_config("fastvit_mci0", 56, _MCI0, {"no_causal_mask": True}, timm_pool="avg", timm_proj=None),
        "custom_text": True,
    },
    "open_clip-fastvit-five-stages": {
        **_config("fastvit_mci3", 54, _MCI3, {"no_causal_mask": True}, timm_pool="avg", timm_proj=None),
        "custom_text": True,
    },
    # branches added up before saving
    "open_clip-fastvit-fused": _config("fastvit_mci2", 44, _MCI0, timm_proj="linear", timm_proj_bias=True),
    "open_clip-convnext-tall": _config(
        "convnext_tiny", [77, 38], _CONVNEXT, _SMALL, timm_pool="avg", timm_proj="linear"
    ),
    # attention pooling; its positions are those of 7 by 7 pixels, and there are 2 by 1
    "open_clip-convnext-abs_attn": _config(
        "convnext_base",
        [64, 33],
        {"depths": [1, 1, 1, 1], "dims": [6, 6, 6, 64]},
        _SMALL,
        timm_pool="abs_attn",
        timm_proj=None,
    ),
    "open_clip-fastvit-rot_attn": _config(
        "fastvit_mci0.apple_mclip",
        44,
        {"layers": [1, 1, 1, 1], "embed_dims": [8, 16, 16, 32]},
        _SMALL,
        timm_pool="rot_attn",
    ),
    # a layer before the head
    "open_clip-convnext-large_mlp": _config(
        "convnext_large_mlp.clip_laion2b_augreg", 47, {**_CONVNEXT, "head_hidden_size": 40}, _SMALL, timm_pool=""
    ),
}


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    for seed, (name, config) in enumerate(CONFIGS.items(), start=200):
        model = build(config)
        randomize(model, seed)
        temper(model)
        if name.endswith("-fused"):
            model.visual.trunk = reparameterize_model(model.visual.trunk)
        open_clip_vit.save_built(golden / name, model, config, torch.float16, pictures=2)


def build(config: dict) -> nn.Module:
    """Build the model of a `model_cfg`; open_clip 3.3.0 does not know `timm_model_kwargs` yet."""
    config = copy.deepcopy(config)
    create = functools.partial(timm.create_model, **config["vision_cfg"].pop("timm_model_kwargs"))
    with mock.patch("timm.create_model", create):
        return open_clip_vit.build(config)


@torch.no_grad()
def temper(model: nn.Module) -> None:
    """Scale random weights so that biases, and what norms add to variances, matter to the last."""
    for name, tensor in model.visual.named_parameters():
        if name.endswith("gamma"):
            tensor *= 0.6
        elif name.endswith("conv_dw.weight"):
            tensor *= 0.1
        elif tensor.dim() == 4:
            tensor *= 0.7
