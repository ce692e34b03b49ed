"""Sizes and options of timm's vision transformers, by their names.

Plain ones (timm/models/vision_transformer.py) are in a table that tools/make_timm_table.py makes of timm's registry.
The others are those of timm/models/{vision_transformer_hybrid,eva,vitamin,naflexvit}.py. Here `pool.norm_after` says
whether the last norm would come after a mean.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from numpyclip.families.config_file import MAX_LAYERS, MAX_PATCHES, MAX_SIDE, MAX_SIZE, Section
from numpyclip.images.preprocess import Size, sides_of, size_of
from numpyclip.model.transformer_config import RopeConfig
from numpyclip.model.vision.vision_config import PoolConfig, StemConfig, VisionPool, VisionTransformerConfig
from numpyclip.weights.checkpoint import Activation

_TABLE = Path(__file__).resolve().parents[1] / "data" / "timm.json"

_BASE = VisionTransformerConfig(
    image_size=224,
    patch_size=16,
    width=768,
    layers=12,
    heads=12,
    mlp_width=3072,
    activation="gelu",
    eps=1e-6,
    stem=StemConfig(patch_bias=True),
    norm_before=False,
    pool=PoolConfig(norm_after=True),
)
_MAP, _MEAN = replace(_BASE.pool, kind="map"), replace(_BASE.pool, kind="avg")

_EVA_GIANT = replace(_BASE, patch_size=14, width=1408, layers=40, heads=16, mlp_width=6144, biased="qv", pool=_MEAN)
_EVA02_BASE = replace(
    _BASE, mlp_width=2048, biased="qv", rope=RopeConfig(side=14, reference=16), gated=True, sub_norm=True
)
_EVA02_LARGE = replace(_EVA02_BASE, patch_size=14, width=1024, layers=24, heads=16, mlp_width=2730)

_PE_BASE = replace(
    _BASE,
    eps=1e-5,
    stem=StemConfig(),
    norm_before=True,
    rope=RopeConfig(side=14, reference=14, offset=1, columns_first=True),
    pool=replace(_MAP, heads=8),
)
_PE_SMALL = replace(
    _PE_BASE,
    image_size=384,
    width=384,
    heads=6,
    mlp_width=1536,
    rope=RopeConfig(side=24, reference=24, offset=1, columns_first=True),
)


def _vitamin(stem_width: int, width: int, layers: int, heads: int) -> VisionTransformerConfig:
    return replace(
        _BASE,
        width=width,
        layers=layers,
        heads=heads,
        mlp_width=2 * width,
        gated=True,
        gate="gelu",
        mlp_norm=True,
        stem=StemConfig(width=stem_width, widths=(stem_width, 2 * stem_width), layers=(2, 4)),
        class_token=False,
        pool=_MEAN,
    )


_NAFLEX_SIGLIP = replace(
    _BASE, activation="gelu_tanh", class_token=False, class_position=False, position_grid=16, pool=_MAP
)
_NAFLEX_BASE = replace(
    _NAFLEX_SIGLIP,
    activation="gelu",
    layer_scale=True,
    registers=1,
    position_kind="bicubic",
    pool=replace(_MAP, patches_only=True),
)
_NAFLEX_SO150M = replace(_NAFLEX_BASE, width=832, layers=21, heads=13, mlp_width=2176, biased="")

_VITAMIN_LARGE = _vitamin(160, 1024, 31, 16)
_VITAMIN_XLARGE = replace(_vitamin(192, 1152, 32, 16), positions=False)

_SPECIAL: dict[str, VisionTransformerConfig] = {
    "vitamin_small_224": _vitamin(64, 384, 14, 6),
    "vitamin_base_224": _vitamin(128, 768, 14, 12),
    **{
        f"vitamin_{kind}_{side}": replace(_VITAMIN_LARGE, image_size=side)
        for kind in ("large", "large2")
        for side in (224, 256, 336, 384)
    },
    **{f"vitamin_xlarge_{side}": replace(_VITAMIN_XLARGE, image_size=side) for side in (256, 336, 384)},
    "vit_pe_core_tiny_patch16_384": replace(_PE_SMALL, width=192, heads=3, mlp_width=768),
    "vit_pe_core_small_patch16_384": _PE_SMALL,
    "vit_pe_core_base_patch16_224": _PE_BASE,
    "vit_pe_core_large_patch14_336": replace(
        _PE_SMALL, image_size=336, patch_size=14, width=1024, layers=24, heads=16, mlp_width=4096
    ),
    "vit_pe_core_gigantic_patch14_448": replace(
        _PE_BASE,
        image_size=448,
        patch_size=14,
        width=1536,
        layers=50,
        heads=16,
        mlp_width=8960,
        class_token=False,
        rope=RopeConfig(side=32, reference=32, columns_first=True),
    ),
    "eva_giant_patch14_224": _EVA_GIANT,
    "eva_giant_patch14_336": replace(_EVA_GIANT, image_size=336),
    "eva_giant_patch14_560": replace(_EVA_GIANT, image_size=560),
    "eva_giant_patch14_clip_224": replace(_EVA_GIANT, pool=_BASE.pool),
    "eva02_base_patch16_clip_224": _EVA02_BASE,
    "eva02_large_patch14_clip_224": replace(_EVA02_LARGE, rope=RopeConfig(side=16, reference=16)),
    "eva02_large_patch14_clip_336": replace(_EVA02_LARGE, image_size=336, rope=RopeConfig(side=24, reference=16)),
    "eva02_enormous_patch14_clip_224": replace(
        _EVA_GIANT, width=1792, layers=64, mlp_width=15360, post_norm=True, pool=_BASE.pool
    ),
    "naflexvit_base_patch16_siglip": _NAFLEX_SIGLIP,
    "naflexvit_so400m_patch16_siglip": replace(_NAFLEX_SIGLIP, width=1152, layers=27, heads=16, mlp_width=4304),
    "naflexvit_base_patch16_map": _NAFLEX_BASE,
    "naflexvit_base_patch16_gap": replace(_NAFLEX_BASE, registers=4, pool=_MEAN),
    "naflexvit_so150m2_patch16_reg1_map": _NAFLEX_SO150M,
    "naflexvit_so150m2_patch16_reg1_gap": replace(_NAFLEX_SO150M, pool=_MEAN),
    "vit_base_mci_224": replace(
        _BASE,
        stem=StemConfig(width=192, patch_bias=True),
        class_position=False,
        pool=replace(_BASE.pool, patches_only=True),
    ),
}

# Ratios of an MLP's width to the tower's that were rounded down, for other widths.
_RATIOS = {
    "eva02_large_patch14_clip_224": 8 / 3,
    "eva02_large_patch14_clip_336": 8 / 3,
    "naflexvit_so400m_patch16_siglip": 3.7362,
}

SUPPORTED = (
    "a plain vision transformer (of timm's names that begin with vit_ or deit, not all), eva_giant_*, eva02_*_clip_*, "
    "vit_pe_core_*, vitamin_*, naflexvit_*, vit_base_mci_224, fastvit_mci*, or a ConvNeXt: convnext_tiny, _small, "
    "_base, _large, _large_mlp, _xlarge or _xxlarge"
)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    models: Mapping[str, Mapping[str, Any]] = json.loads(_TABLE.read_text("utf-8"))["models"]
    return models


def names() -> list[str]:
    """List all names, without tags."""
    return [*_table(), *_SPECIAL]


def most_pixels(name: str) -> int:
    """Return the longest side that images may have; where no tensor shows their size, memory is the limit."""
    special = _SPECIAL.get(name)
    is_shown = special is None or (special.positions and not special.position_grid)
    return MAX_SIZE if is_shown else MAX_SIDE


def describe(name: str, changes: Section, image_size: Size) -> VisionTransformerConfig:
    """Describe the model of a name, with the changes of `timm_model_kwargs`."""
    sides = changes.sides("img_size", image_size)
    if sides != image_size:
        raise changes.unsupported("img_size", f"expected vision_cfg.image_size, which is {image_size}")
    if name in _table():
        trunk = _plain(Section(changes.path, changes.name, {**_table()[name], **changes.json}), image_size)
    else:
        trunk = _sized(changes, name, image_size)
    if min(trunk.grid) < 1:
        raise changes.unsupported("patch_size", f"expected at most vision_cfg.image_size, which is {image_size}")
    if trunk.position_grid and math.prod(trunk.grid) > MAX_PATCHES:
        raise changes.unsupported("patch_size", f"expected at most {MAX_PATCHES} patches of images of {image_size}")
    return trunk


def _plain(options: Section, image_size: Size) -> VisionTransformerConfig:
    """Read the arguments of timm's `VisionTransformer`, with the defaults that it has."""
    options.ignore("img_size")
    options.expect(fc_norm=False)
    width = options.size("embed_dim", _BASE.width)
    has_norm_before = options.get("pre_norm", bool, False)
    pools: dict[str, VisionPool] = {"token": "tok", "avg": "avg", "map": "map"}
    activations: dict[str, Activation] = {"gelu": "gelu", "gelu_tanh": "gelu_tanh", "quick_gelu": "quick_gelu"}
    trunk = replace(
        _BASE,
        image_size=image_size,
        patch_size=options.side("patch_size", _BASE.patch_size),
        width=width,
        layers=options.size("depth", _BASE.layers, MAX_LAYERS),
        heads=options.divisor("num_heads", width, _BASE.heads),
        mlp_width=int(width * options.factor("mlp_ratio", 4.0)),
        activation=options.one_of("act_layer", activations, "gelu"),
        eps=options.eps("eps", _BASE.eps),
        biased="qkv" if options.get("qkv_bias", bool, True) else "",
        layer_scale=options.get("init_values", float, 0.0) != 0,
        stem=StemConfig(patch_bias=not has_norm_before),
        class_token=options.get("class_token", bool, True),
        registers=options.size("reg_tokens", 1) if "reg_tokens" in options else 0,
        class_position=not options.get("no_embed_class", bool, False),
        norm_before=has_norm_before,
        pool=PoolConfig(
            kind=options.one_of("global_pool", pools, "token"),
            norm_after="fc_norm" not in options,
            patches_only=True,
        ),
    )
    options.finish()
    return trunk


def _sized(options: Section, name: str, image_size: Size) -> VisionTransformerConfig:
    """Apply the changed sizes."""
    trunk = _SPECIAL[name]
    stem = trunk.stem
    if stem.width:
        options.expect(patch_size=trunk.patch_size)
    width, patch_size = options.size("embed_dim", trunk.width), options.size("patch_size", trunk.patch_size)
    if stem.width:  # in proportion
        first, *widths = (channels * width // trunk.width for channels in (stem.width, *stem.widths))
        stem = replace(stem, width=first, widths=tuple(widths))
    sized = replace(
        trunk,
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        layers=options.size("depth", trunk.layers, MAX_LAYERS),
        heads=options.divisor("num_heads", width, trunk.heads),
        mlp_width=int(width * options.factor("mlp_ratio", _RATIOS.get(name, trunk.mlp_width / trunk.width))),
        stem=stem,
        rope=replace(trunk.rope, side=_grid(image_size, patch_size)) if trunk.rope else None,
        pool=replace(trunk.pool, mlp_width=4 * width if trunk.pool.kind == "map" and trunk.rope else None),
    )
    if width % (sized.pool.heads or 1) or (trunk.rope and width // sized.heads % 4) or stem.width == 0:
        raise options.unsupported("embed_dim", "expected one that can be cut into the heads of this model")
    if (stem.widths or trunk.position_grid) and any(side % patch_size for side in sides_of(image_size)):
        raise options.unsupported("img_size", f"expected multiples of {patch_size} in vision_cfg.image_size")
    options.finish()
    return sized


def _grid(image_size: Size, patch_size: int) -> Size:
    return size_of(*(side // patch_size for side in sides_of(image_size)))
