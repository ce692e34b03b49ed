"""Convolutional image towers of timm inside OpenCLIP's models: ConvNeXt, and FastViT as in MobileCLIP.

The config file names a model of timm, whose sizes are those of timm/models/convnext.py and fastvit.py. Tensors keep
timm's names.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from numpyclip.families.config_file import MAX_LAYERS, MAX_SIDE, MAX_SIZE, Section
from numpyclip.families.tensor_names import Names, rename, translator
from numpyclip.images.preprocess import sides_of
from numpyclip.model.vision.vision_config import (
    FASTVIT_HEAD_WIDTH,
    POOL_HEAD_WIDTH,
    ConvNeXtConfig,
    FastViTConfig,
    MapPooling,
)
from numpyclip.weights.checkpoint import Checkpoint

_CONVNEXT_STRIDE = 32  # pixels of the image per pixel of the last stage; a remainder at the edge is dropped

_POOL_NAMES: Names = (
    ("visual.head.pool.pos_embed", "visual.head.pool.positional_embedding"),
    ("visual.head.pool.qkv.weight", "visual.head.pool.in_proj_weight"),
    ("visual.head.pool.qkv.bias", "visual.head.pool.in_proj_bias"),
    ("visual.head.pool.proj", "visual.head.pool.c_proj"),
)

# name of the model → layers, widths, eps
_CONVNEXT: dict[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 1e-6),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768), 1e-6),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024), 1e-6),
    "convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536), 1e-6),
    "convnext_large_mlp": ((3, 3, 27, 3), (192, 384, 768, 1536), 1e-6),
    "convnext_xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048), 1e-6),
    "convnext_xxlarge": ((3, 4, 30, 3), (384, 768, 1536, 3072), 1e-5),
}

_WITH_HIDDEN = "convnext_large_mlp"

# name of the model → layers, widths
FASTVIT: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "fastvit_mci0": ((2, 6, 10, 2), (64, 128, 256, 512)),
    "fastvit_mci1": ((4, 12, 20, 4), (64, 128, 256, 512)),
    "fastvit_mci2": ((4, 12, 24, 4), (80, 160, 320, 640)),
    "fastvit_mci3": ((2, 12, 24, 4, 2), (96, 192, 384, 768, 1536)),
    "fastvit_mci4": ((2, 12, 24, 4, 4), (128, 256, 512, 1024, 2048)),
}


NAMES = (*_CONVNEXT, *FASTVIT)


def describe(section: Section, name: str, pool: MapPooling, projection: str) -> ConvNeXtConfig | FastViTConfig:
    """Read the `vision_cfg` of a tower with one of `NAMES`, given its pool and `timm_proj`, "" for null.

    Attention pooling ends with a projection, so that none follows unless it is asked for.
    """
    changes = section.section("timm_model_kwargs")
    shared = {
        "image_size": section.sides("image_size", 224, MAX_SIDE),
        "pool": pool,
        "has_head": projection in (("linear", "mlp", "") if pool == "avg" else ("linear", "mlp")),
        "mlp_head": projection == "mlp",
    }
    config = _convnext(changes, name, shared) if name in _CONVNEXT else _fastvit(changes, name, shared)
    changes.finish()
    if name in _CONVNEXT and min(sides_of(config.image_size)) < _CONVNEXT_STRIDE:
        raise section.unsupported("image_size", f"expected {_CONVNEXT_STRIDE} or more")
    if pool != "avg" and config.features % POOL_HEAD_WIDTH:
        reason = f"expected 'avg': {config.features} channels are no multiple of {POOL_HEAD_WIDTH}, the width of heads"
        raise section.unsupported("timm_pool", reason)
    return config


def _convnext(changes: Section, name: str, shared: Mapping[str, Any]) -> ConvNeXtConfig:
    layers, widths, eps = _CONVNEXT[name]
    widths = _changed(changes, "dims", widths)
    changes.expect(head_hidden_size=widths[-1])  # with another one, open_clip's head would not fit
    return ConvNeXtConfig(
        layers=_changed(changes, "depths", layers, MAX_LAYERS),
        widths=widths,
        eps=changes.eps("norm_eps", eps),
        hidden="head_hidden_size" in changes or name == _WITH_HIDDEN,
        **shared,
    )


def _fastvit(changes: Section, name: str, shared: Mapping[str, Any]) -> FastViTConfig:
    layers, widths = FASTVIT[name]
    has_four_stages = len(layers) == 4
    changes.ignore("inference_mode")  # says that branches are fused, as the names of tensors do
    config = FastViTConfig(
        layers=_changed(changes, "layers", layers, MAX_LAYERS),
        widths=_changed(changes, "embed_dims", widths),
        mlp_ratio=3 if has_four_stages else 4,
        stem_scale=has_four_stages,
        squeeze=has_four_stages,
        layer_norm=not has_four_stages,
        **shared,
    )
    if any(width % FASTVIT_HEAD_WIDTH for i, width in enumerate(config.widths) if config.has_attention(i)):
        raise changes.unsupported("embed_dims", f"expected multiples of {FASTVIT_HEAD_WIDTH} from the fourth on")
    if any(after % before for before, after in pairwise(config.widths)):  # each channel becomes several
        raise changes.unsupported("embed_dims", "expected multiples of the one before")
    return config


def _changed(changes: Section, option: str, default: tuple[int, ...], most: int = MAX_SIZE) -> tuple[int, ...]:
    return changes.sizes(option, len(default), most) if option in changes else default


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Give the tensors the shapes used here, and those of attention pooling openai/CLIP's names."""
    return rename(without_single_pixels(checkpoint), translator(_POOL_NAMES))


def without_single_pixels(checkpoint: Checkpoint) -> Checkpoint:
    """View the weights of 1x1 convolutions, (e, c, 1, 1), and scales, (c, 1, 1), as matrices and vectors."""
    single = {name: a for name, a in checkpoint.arrays.items() if a.ndim > 2 and a.shape[-2:] == (1, 1)}
    flat = {name: array.reshape(array.shape[:-2]) for name, array in single.items()}
    return replace(checkpoint, arrays={**checkpoint.arrays, **flat})
