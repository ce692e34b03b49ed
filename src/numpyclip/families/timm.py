"""Vision transformers of timm inside OpenCLIP's models, as `TimmModel` in open_clip/timm_model.py.

The config file names a model of timm, whose sizes and options are those of timm's registry:
timm/models/{vision_transformer,vision_transformer_hybrid,eva}.py.
"""

from collections.abc import Mapping
from dataclasses import replace

from numpyclip.families import timm_convolutional
from numpyclip.families.config_file import MAX_LAYERS, Section
from numpyclip.families.tensor_names import Names, rename, squeeze, translator
from numpyclip.images.preprocess import Size, sides_of
from numpyclip.model.config import (
    PoolConfig,
    Projection,
    RopeConfig,
    StemConfig,
    VisionConfig,
    VisionPool,
    VisionTransformerConfig,
)
from numpyclip.weights.checkpoint import Activation, Checkpoint

_BLOCK, _OURS = "visual.trunk.blocks.*", "visual.transformer.resblocks.*"

NAMES: Names = (
    ("visual.trunk.patch_embed.backbone.0", "visual.stem.0"),
    ("visual.trunk.patch_embed.backbone.1", "visual.stem.1"),
    ("visual.trunk.patch_embed.proj", "visual.conv1"),
    ("visual.trunk.patch_embed.backbone.2.conv", "visual.conv1"),
    ("visual.trunk.cls_token", "visual.class_embedding"),
    ("visual.trunk.pos_embed", "visual.positional_embedding"),
    ("visual.trunk.norm_pre", "visual.ln_pre"),
    (f"{_BLOCK}.norm1", f"{_OURS}.ln_1"),
    (f"{_BLOCK}.attn.qkv.weight", f"{_OURS}.attn.in_proj_weight"),
    (f"{_BLOCK}.attn.qkv.bias", f"{_OURS}.attn.in_proj_bias"),
    (f"{_BLOCK}.attn.q_bias", f"{_OURS}.attn.q_proj.bias"),  # beside qkv, in EVA
    (f"{_BLOCK}.attn.v_bias", f"{_OURS}.attn.v_proj.bias"),
    (f"{_BLOCK}.attn.q_proj", f"{_OURS}.attn.q_proj"),
    (f"{_BLOCK}.attn.k_proj", f"{_OURS}.attn.k_proj"),
    (f"{_BLOCK}.attn.v_proj", f"{_OURS}.attn.v_proj"),
    (f"{_BLOCK}.attn.norm", f"{_OURS}.attn.ln_inner"),
    (f"{_BLOCK}.attn.proj", f"{_OURS}.attn.out_proj"),
    (f"{_BLOCK}.ls1", f"{_OURS}.ls_1"),
    (f"{_BLOCK}.norm2", f"{_OURS}.ln_2"),
    (f"{_BLOCK}.mlp.fc1", f"{_OURS}.mlp.c_fc"),
    (f"{_BLOCK}.mlp.fc1_x", f"{_OURS}.mlp.c_fc"),
    (f"{_BLOCK}.mlp.fc1_g", f"{_OURS}.mlp.c_gate"),
    (f"{_BLOCK}.mlp.norm", f"{_OURS}.mlp.ln_inner"),
    (f"{_BLOCK}.mlp.fc2", f"{_OURS}.mlp.c_proj"),
    (f"{_BLOCK}.ls2", f"{_OURS}.ls_2"),
    ("visual.trunk.norm", "visual.ln_post"),
    ("visual.trunk.fc_norm", "visual.ln_post"),
    ("visual.trunk.attn_pool.latent", "visual.attn_pool.probe"),
    ("visual.trunk.attn_pool.q", "visual.attn_pool.attn.q_proj"),
    ("visual.trunk.attn_pool.kv", "visual.attn_pool.attn.kv_proj"),
    ("visual.trunk.attn_pool.proj", "visual.attn_pool.attn.out_proj"),
    ("visual.trunk.attn_pool.norm", "visual.attn_pool.ln_2"),
    ("visual.trunk.attn_pool.mlp.fc1", "visual.attn_pool.mlp.c_fc"),
    ("visual.trunk.attn_pool.mlp.fc2", "visual.attn_pool.mlp.c_proj"),
    ("visual.trunk.head", "visual.proj"),  # where timm_proj is null
    ("visual.head.proj", "visual.proj"),  # where it is "linear"
    ("visual.head.mlp.fc1", "visual.proj.c_fc"),
    ("visual.head.mlp.fc2", "visual.proj.c_proj"),
)
"""timm's names, and ours."""


# Models of timm's registry. Here `pool.norm_after` says whether the last norm would come after a mean.
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
_LARGE = replace(_BASE, width=1024, layers=24, heads=16, mlp_width=4096)
_SIZES = {
    "base": _BASE,
    "large": _LARGE,
    "so400m": replace(_BASE, width=1152, layers=27, heads=16, mlp_width=4304),
    "giantopt": replace(_BASE, width=1536, layers=40, heads=16, mlp_width=6144),
}


def _siglip(
    size: str, patch_size: int, sides: tuple[int, ...], activation: Activation = "gelu"
) -> dict[str, VisionTransformerConfig]:
    trunk = replace(_SIZES[size], patch_size=patch_size, activation=activation, class_token=False, pool=_MAP)
    return {f"vit_{size}_patch{patch_size}_siglip_{side}": replace(trunk, image_size=side) for side in sides}


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

TRUNKS: dict[str, VisionTransformerConfig] = {
    **_siglip("base", 16, (224, 256, 384, 512)),
    **_siglip("base", 32, (256,), "gelu_tanh"),
    **_siglip("large", 16, (256, 384)),
    **_siglip("large", 16, (512,), "gelu_tanh"),
    **_siglip("so400m", 14, (224, 378, 384)),
    **_siglip("so400m", 16, (256, 384, 512), "gelu_tanh"),
    **_siglip("giantopt", 16, (256, 384), "gelu_tanh"),
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
    "eva02_base_patch16_clip_224": _EVA02_BASE,
    "eva02_large_patch14_clip_224": replace(_EVA02_LARGE, rope=RopeConfig(side=16, reference=16)),
    "eva02_large_patch14_clip_336": replace(_EVA02_LARGE, image_size=336, rope=RopeConfig(side=24, reference=16)),
    "eva02_enormous_patch14_clip_224": replace(
        _EVA_GIANT, width=1792, layers=64, mlp_width=15360, post_norm=True, pool=_BASE.pool
    ),
    "vit_large_patch14_clip_224": replace(_LARGE, patch_size=14, eps=1e-5, stem=StemConfig(), norm_before=True),
    "vit_base_mci_224": replace(_BASE, stem=StemConfig(width=192, patch_bias=True), class_position=False),
    "vit_medium_patch16_gap_256": replace(
        _BASE,
        image_size=256,
        width=512,
        heads=8,
        mlp_width=2048,
        biased="",
        layer_scale=True,
        class_token=False,
        pool=PoolConfig(kind="avg"),
    ),
}

# `timm_proj`, "" for null → the projection
_PROJECTIONS: dict[str, Projection | None] = {"linear": "linear", "": "linear", "mlp": "mlp", "none": None}

SUPPORTED = (
    "vit_{base,large,so400m,giantopt}_patch*_siglip_*, vit_pe_core_*, eva_giant_patch14_224, eva02_*_patch*_clip_*, "
    "vit_large_patch14_clip_224, vit_base_mci_224, vit_medium_patch16_gap_256, convnext_* or fastvit_mci*"
)


def describe(section: Section) -> VisionConfig:
    """Read the config of an image tower that is timm's."""
    section.ignore("layers", "width", "head_width", "patch_size", "mlp_ratio")  # the name decides
    section.ignore("timm_model_pretrained", "timm_drop", "timm_drop_path", "timm_proj_bias")
    name = section.get("timm_model_name", str).partition(".")[0]  # a tag behind it says how it was trained
    is_convolutional = name in timm_convolutional.TOWERS
    projection = _projection(section, ("linear", "mlp", "") if is_convolutional else ("linear", "mlp", "none", ""))
    is_apart = projection in ("linear", "mlp")  # then timm builds its model first, and its pool is replaced
    if is_convolutional:
        _pool(section, {"avg": "avg"}, "avg", is_apart)
        return timm_convolutional.TOWERS[name](section, projection == "mlp")
    if name not in TRUNKS:
        raise section.unsupported("timm_model_name", f"expected {SUPPORTED}")
    trunk = _sized(section.section("timm_model_kwargs"), TRUNKS[name], section.sides("image_size", 224))
    pools: dict[str, VisionPool] = {"avg": "avg"}
    if trunk.class_token:
        pools["token"] = "tok"
    if trunk.pool.kind == "map":
        pools["map"] = "map"
    kind = _pool(section, pools, trunk.pool.kind, is_apart)
    norm_after = trunk.pool.norm_after and (trunk.pool.kind if is_apart else kind) == "avg"
    pool = replace(trunk.pool, kind=kind, norm_after=norm_after)
    return replace(trunk, pool=pool, projection=_PROJECTIONS[projection])


def _sized(options: Section, trunk: VisionTransformerConfig, image_size: Size) -> VisionTransformerConfig:
    """Apply the sizes of `timm_model_kwargs`."""
    if options.sides("img_size", image_size) != image_size:
        raise options.unsupported("img_size", f"expected vision_cfg.image_size, which is {image_size}")
    if trunk.stem.width:
        options.expect(patch_size=trunk.patch_size)
    width, patch_size = options.size("embed_dim", trunk.width), options.size("patch_size", trunk.patch_size)
    sized = replace(
        trunk,
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        layers=options.size("depth", trunk.layers, MAX_LAYERS),
        heads=options.divisor("num_heads", width, trunk.heads),
        mlp_width=int(width * options.factor("mlp_ratio", trunk.mlp_width / trunk.width)),
        stem=replace(trunk.stem, width=width // 4 if trunk.stem.width else None),
        rope=replace(trunk.rope, side=_grid(image_size, patch_size)) if trunk.rope else None,
        pool=replace(trunk.pool, mlp_width=4 * width if trunk.pool.kind == "map" and trunk.rope else None),
    )
    if width % (sized.pool.heads or 1) or (trunk.rope and width // sized.heads % 4):
        raise options.unsupported("embed_dim", "expected one that can be cut into the heads of this model")
    options.finish()
    return sized


def _grid(image_size: Size, patch_size: int) -> Size:
    rows, columns = (side // patch_size for side in sides_of(image_size))
    return rows if rows == columns else (rows, columns)


def _projection(section: Section, known: tuple[str, ...]) -> str:
    """Return `timm_proj`, "" for null: open_clip then adds no projection, which is not its default."""
    projection = "" if section.is_null("timm_proj") else section.get("timm_proj", str, "linear")
    if projection not in known:
        *some, last = (repr(name) if name else "null" for name in known)
        raise section.unsupported("timm_proj", f"expected {', '.join(some)} or {last}")
    return projection


def _pool(section: Section, pools: Mapping[str, VisionPool], usual: VisionPool, is_apart: bool) -> VisionPool:
    """Return how tokens are pooled. With null, timm takes the model's own pool; so does open_clip for "" if it can."""
    if section.is_null("timm_pool"):
        return usual
    return section.one_of("timm_pool", {**pools, **({"": usual} if is_apart else {})}, "avg")


def translate(checkpoint: Checkpoint, config: VisionConfig | None) -> Checkpoint:
    """Give the tensors of a vision transformer openai/CLIP's names, and those of all towers the shapes used here.

    Tables of rotary embeddings are dropped: they follow from the sizes.
    """
    if not isinstance(config, VisionTransformerConfig):
        return timm_convolutional.without_single_pixels(checkpoint)
    arrays = {name: a for name, a in checkpoint.arrays.items() if not name.startswith("visual.trunk.rope.")}
    renamed = rename(replace(checkpoint, arrays=arrays), translator(NAMES))
    axes = {"visual.positional_embedding": 1, "visual.class_embedding": 2}  # (1, n, d) and (1, 1, d) in timm
    return replace(renamed, arrays=squeeze(renamed.arrays, axes))
