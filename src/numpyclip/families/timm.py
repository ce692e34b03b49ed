"""Vision transformers of timm inside OpenCLIP's models, as `TimmModel` in open_clip/timm_model.py.

The config file names a model of timm, whose sizes and options are in `numpyclip.families.timm_trunks`.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

from numpyclip.families import timm_convolutional, timm_trunks
from numpyclip.families.config_file import Section
from numpyclip.families.tensor_names import LEADING_AXES, Names, rename, squeeze, translator, used, with_convolution
from numpyclip.model.transformer_config import Projection
from numpyclip.model.vision.vision_config import MapPooling, VisionConfig, VisionPool, VisionTransformerConfig
from numpyclip.weights.checkpoint import Checkpoint

_Pool = TypeVar("_Pool", bound=str)

_BLOCK, _OURS = "visual.trunk.blocks.*", "visual.transformer.resblocks.*"

NAMES: Names = (
    ("visual.trunk.patch_embed.backbone.0", "visual.stem.0"),
    ("visual.trunk.patch_embed.backbone.1", "visual.stem.1"),
    ("visual.trunk.patch_embed.proj", "visual.conv1"),
    ("visual.trunk.patch_embed.backbone.2.conv", "visual.conv1"),
    ("visual.trunk.patch_embed.backbone", "visual.stem"),
    ("visual.trunk.cls_token", "visual.class_embedding"),
    ("visual.trunk.reg_token", "visual.register_embedding"),
    ("visual.trunk.pos_embed", "visual.positional_embedding"),
    ("visual.trunk.embeds.proj", "visual.conv1"),
    ("visual.trunk.embeds.reg_token", "visual.register_embedding"),
    ("visual.trunk.embeds.pos_embed", "visual.positional_embedding"),
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
    (f"{_BLOCK}.mlp.w0", f"{_OURS}.mlp.c_gate"),
    (f"{_BLOCK}.mlp.w1", f"{_OURS}.mlp.c_fc"),
    (f"{_BLOCK}.mlp.w2", f"{_OURS}.mlp.c_proj"),
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

_VITAMIN_NAMES: Names = (*NAMES, (f"{_BLOCK}.mlp.norm", f"{_OURS}.mlp.norm"))  # there it comes first in an MLP


# `timm_proj`, "" for null → the projection
_PROJECTIONS: dict[str, Projection | None] = {"linear": "linear", "": "linear", "mlp": "mlp", "none": None}


def describe(section: Section) -> VisionConfig:
    """Read the config of an image tower that is timm's."""
    section.ignore("layers", "width", "head_width", "patch_size", "mlp_ratio")  # the name decides
    section.ignore("timm_model_pretrained", "timm_drop", "timm_drop_path", "timm_proj_bias")
    section.ignore("image_seq_len")  # of images that keep their shape, which open_clip makes only when asked
    name = section.get("timm_model_name", str).partition(".")[0]  # a tag behind it says how it was trained
    projection = _projection(section)
    is_apart = projection in ("linear", "mlp")  # then timm builds its model first, and its pool is replaced
    if name in timm_convolutional.NAMES:
        of_maps: dict[str, MapPooling] = {"avg": "avg", "abs_attn": "abs_attn", "rot_attn": "rot_attn"}
        return timm_convolutional.describe(section, name, _pool(section, of_maps, "avg", is_apart), projection)
    if name not in timm_trunks.names():
        close = get_close_matches(name, (*timm_trunks.names(), *timm_convolutional.NAMES), 3, 0.7)
        near = f". Names near it: {', '.join(close)}" if close else ""
        raise section.unsupported("timm_model_name", f"expected {timm_trunks.SUPPORTED}{near}")
    image_size = section.sides("image_size", 224, timm_trunks.most_pixels(name))
    trunk = timm_trunks.describe(name, section.section("timm_model_kwargs"), image_size)
    pools: dict[str, VisionPool] = {"avg": "avg"}
    if trunk.class_token:
        pools["token"] = "tok"
    if trunk.pool.kind == "map" or not (is_apart or trunk.position_grid):  # a NaFlex's norms depend on its own pool
        pools["map"] = "map"
    kind = _pool(section, pools, trunk.pool.kind, is_apart)
    norm_after = trunk.pool.norm_after and (trunk.pool.kind if is_apart else kind) == "avg"
    patches_only = trunk.pool.patches_only and kind == "map" and trunk.prefix > 0
    pool = replace(trunk.pool, kind=kind, norm_after=norm_after, patches_only=patches_only)
    return replace(trunk, pool=pool, projection=_PROJECTIONS[projection])


def _projection(section: Section) -> str:
    """Return `timm_proj`, "" for null: open_clip then adds no projection, which is not its default."""
    projection = "" if section.is_null("timm_proj") else section.get("timm_proj", str, "linear")
    if projection not in _PROJECTIONS:
        *some, last = (repr(name) if name else "null" for name in ("linear", "mlp", "none", ""))
        raise section.unsupported("timm_proj", f"expected {', '.join(some)} or {last}")
    return projection


def _pool(section: Section, pools: Mapping[str, _Pool], usual: _Pool, is_apart: bool) -> _Pool:
    """Return how tokens are pooled. With null, timm takes the model's own pool; so does open_clip for "" if it can."""
    if section.is_null("timm_pool"):
        return usual
    return section.one_of("timm_pool", {**pools, **({"": usual} if is_apart else {})}, "avg")


def translate(checkpoint: Checkpoint, config: VisionConfig | None) -> Checkpoint:
    """Give the tensors of a vision transformer openai/CLIP's names, and those of all towers the shapes used here."""
    if not isinstance(config, VisionTransformerConfig):
        return timm_convolutional.translate(checkpoint)
    renamed = rename(used(checkpoint), translator(_VITAMIN_NAMES if config.mlp_norm else NAMES))
    if config.stem.widths:
        renamed = timm_convolutional.without_single_pixels(renamed)
    squeezed = replace(renamed, arrays=squeeze(renamed.arrays, LEADING_AXES))
    return _from_naflex(squeezed, config) if config.position_grid else squeezed


def _from_naflex(checkpoint: Checkpoint, config: VisionTransformerConfig) -> Checkpoint:
    """View the square of positions (n, n, d) as a table, and the matrix that multiplies patches as a convolution."""
    name = "visual.positional_embedding"
    table = checkpoint.arrays.get(name)
    if table is not None and table.ndim == 3:
        checkpoint = replace(checkpoint, arrays={**checkpoint.arrays, name: table.reshape(-1, table.shape[-1])})
    return with_convolution(checkpoint, "visual.conv1.weight", config.width, config.patch_size)
