"""OpenCLIP with vision transformers of timm, made small by `timm_model_kwargs`, which open_clip 3.3.0 does not take."""

from pathlib import Path
from unittest import mock

import timm
import torch
from timm.models.vision_transformer_hybrid import ConvStem
from timm.models.vitamin import VitCfg

from golden import open_clip_vit
from golden.common import randomize

_TEXT = {"context_length": 12, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}
_SMALL = {"embed_dim": 48, "depth": 2, "num_heads": 4, "img_size": 32, "patch_size": 8}
_SMALLER = {"embed_dim": 24, "depth": 1}


def _config(name: str, pool: str, proj: str | None, embed_dim: int = 40, **changes) -> dict:
    vision = {"timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool, "timm_proj": proj}
    sizes = {**_SMALL, **changes.pop("sizes", {})}
    return {
        "embed_dim": embed_dim,
        "custom_text": True,
        "vision_cfg": {"image_size": sizes["img_size"], **vision, "timm_model_kwargs": sizes, **changes},
        "text_cfg": _TEXT,
    }


# name of the folder → model_cfg
CONFIGS = {
    # a rest at the edge, as in SO400M-14-384; a ratio that is rounded down
    "timm-siglip": _config(
        "vit_so400m_patch14_siglip_384", "map", "none", 48, sizes={"img_size": 38, "mlp_ratio": 3.7362}
    ),
    "timm-siglip_tanh": _config("vit_giantopt_patch16_siglip_256", "map", "none", 48, sizes={"num_heads": 6}),
    "timm-pe": _config("vit_pe_core_base_patch16_224", "map", None, sizes={"img_size": 40, "num_heads": 3}),
    "timm-pe_gigantic": _config("vit_pe_core_gigantic_patch14_448", "map", None, sizes={"mlp_ratio": 5.84}),
    "timm-eva02": _config("eva02_base_patch16_clip_224", "token", None),
    "timm-eva02_enormous": _config("eva02_enormous_patch14_clip_224", "token", None, sizes={"mlp_ratio": 3.5}),
    "timm-eva01": _config("eva_giant_patch14_224", "token", None, sizes={"num_heads": 3}),
    "timm-eva01_mean": _config("eva_giant_patch14_224", "", "mlp", sizes={"depth": 1}),
    "timm-clip": _config("vit_large_patch14_clip_224.openai", "token", None),
    "timm-clip_mean": _config("vit_large_patch14_clip_224", "avg", "linear", timm_proj_bias=True, sizes={"depth": 1}),
    "timm-mci": _config("vit_base_mci_224", "token", None, sizes={"img_size": 64, "patch_size": 16}),
    "timm-gap": _config("vit_medium_patch16_gap_256", "", "linear"),
    "timm-eva02_wide": _config("eva02_base_patch16_clip_224", "token", None, sizes={"img_size": [24, 40], "depth": 1}),
    "timm-vitamin": _config("vitamin_base_224", "", "linear", sizes={**_SMALLER, "img_size": 48, "patch_size": 16}),
    # no positions, so that images may have another size than the name says
    "timm-vitamin_xlarge": _config("vitamin_xlarge_384", "", "linear", sizes={**_SMALLER, "patch_size": 16}),
    "timm-clip_quickgelu": _config("vit_base_patch32_clip_quickgelu_224.openai", "token", "linear", sizes=_SMALLER),
    "timm-siglip_gap": _config("vit_base_patch16_siglip_gap_224", "avg", "linear", sizes=_SMALLER),
    # a class token, registers, and layer scale; positions of patches alone
    "timm-registers": _config("vit_base_patch14_reg4_dinov2.lvd142m", "token", None, sizes=_SMALLER),
    # a query that attends to the patches alone; positions of registers too
    "timm-registers_map": _config("vit_so150m_patch16_reg4_map_256", "map", "none", 24, sizes=_SMALLER),
    "timm-plain_map": _config("vit_tiny_patch16_224", "map", None, sizes=_SMALLER),
    # a square of 16 by 16 positions, interpolated
    "timm-naflex": _config(
        "naflexvit_base_patch16_siglip", "map", "none", 24, sizes={**_SMALLER, "img_size": [16, 72]}
    ),
    "timm-naflex_gap": _config("naflexvit_base_patch16_gap", "avg", "linear", sizes=_SMALLER),
    "timm-naflex_map": _config("naflexvit_base_patch16_map", "map", None, sizes={**_SMALLER, "img_size": [136, 16]}),
}


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    for seed, (name, config) in enumerate(CONFIGS.items(), start=400):
        model = build(config)
        randomize(model, seed)
        if name.startswith("timm-naflex"):  # a square of positions was taken for a convolution, and made small
            with torch.no_grad():
                model.visual.trunk.embeds.pos_embed *= 25
        open_clip_vit.save_built(golden / name, model, config, torch.float16)


def build(config: dict) -> torch.nn.Module:
    """Build the model of a description whose tower of timm is smaller than its name says."""
    vision = dict(config["vision_cfg"])
    sizes = vision.pop("timm_model_kwargs")
    create = timm.create_model

    def create_small(name: str, **options) -> torch.nn.Module:
        if name == "vit_base_mci_224":  # its stem is made for one width
            options.update({key: size for key, size in sizes.items() if key != "patch_size"})
        elif name.startswith("naflexvit"):
            options.update({key: size for key, size in sizes.items() if key != "img_size"})
        elif name.startswith("vitamin"):
            width = sizes["embed_dim"]
            stem = VitCfg(embed_dim=(width // 6, width // 3, width), depths=(2, 4, 1), stem_width=width // 6)
            options.update({key: size for key, size in sizes.items() if key != "patch_size"}, embed_cfg=stem)
        else:
            options.update(sizes)
        return create(name, **options)

    def small_stem(channels: tuple[int, ...], **options) -> torch.nn.Module:
        width = sizes["embed_dim"]
        return ConvStem(channels=(width // 4, width // 4, width), **options)

    with (
        mock.patch("timm.create_model", create_small),
        mock.patch("timm.models.vision_transformer_hybrid.ConvStem", small_stem),
    ):
        return open_clip_vit.build({**config, "vision_cfg": vision})
