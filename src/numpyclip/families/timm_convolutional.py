"""Convolutional image towers of timm inside OpenCLIP's models: ConvNeXt, and FastViT as in MobileCLIP.

The config file names a model of timm, whose sizes are those of timm/models/convnext.py and fastvit.py. Tensors keep
timm's names.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from numpyclip.families.config_file import MAX_LAYERS, MAX_SIDE, MAX_SIZE, Section
from numpyclip.images.preprocess import sides_of
from numpyclip.model.config import FASTVIT_HEAD_WIDTH, ConvNeXtConfig, FastViTConfig
from numpyclip.weights.checkpoint import Checkpoint

_CONVNEXT_STRIDE = 32  # pixels of the image per pixel of the last stage; a remainder at the edge is dropped

# name of the model → layers, widths, eps
_CONVNEXT: dict[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 1e-6),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768), 1e-6),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024), 1e-6),
    "convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536), 1e-6),
    "convnext_xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048), 1e-6),
    "convnext_xxlarge": ((3, 4, 30, 3), (384, 768, 1536, 3072), 1e-5),
}

# name of the model → layers, widths
FASTVIT: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "fastvit_mci0": ((2, 6, 10, 2), (64, 128, 256, 512)),
    "fastvit_mci1": ((4, 12, 20, 4), (64, 128, 256, 512)),
    "fastvit_mci2": ((4, 12, 24, 4), (80, 160, 320, 640)),
    "fastvit_mci3": ((2, 12, 24, 4, 2), (96, 192, 384, 768, 1536)),
    "fastvit_mci4": ((2, 12, 24, 4, 4), (128, 256, 512, 1024, 2048)),
}


def _convnext(section: Section, mlp_head: bool) -> ConvNeXtConfig:
    layers, widths, eps = section.one_of("timm_model_name", _CONVNEXT, "")
    changes = section.section("timm_model_kwargs")
    config = ConvNeXtConfig(
        image_size=section.sides("image_size", 224, MAX_SIDE),
        layers=_changed(changes, "depths", layers, MAX_LAYERS),
        widths=_changed(changes, "dims", widths),
        eps=changes.eps("norm_eps", eps),
        mlp_head=mlp_head,
    )
    changes.finish()
    if min(sides_of(config.image_size)) < _CONVNEXT_STRIDE:
        raise section.unsupported("image_size", f"expected {_CONVNEXT_STRIDE} or more")
    return config


def _fastvit(section: Section, mlp_head: bool) -> FastViTConfig:
    layers, widths = section.one_of("timm_model_name", FASTVIT, "")
    has_four_stages = len(layers) == 4
    changes = section.section("timm_model_kwargs")
    changes.ignore("inference_mode")  # says that branches are fused, as the names of tensors do
    config = FastViTConfig(
        image_size=section.sides("image_size", 224, MAX_SIDE),
        layers=_changed(changes, "layers", layers, MAX_LAYERS),
        widths=_changed(changes, "embed_dims", widths),
        mlp_ratio=3 if has_four_stages else 4,
        stem_scale=has_four_stages,
        squeeze=has_four_stages,
        layer_norm=not has_four_stages,
        mlp_head=mlp_head,
    )
    if any(width % FASTVIT_HEAD_WIDTH for i, width in enumerate(config.widths) if config.has_attention(i)):
        raise changes.unsupported("embed_dims", f"expected multiples of {FASTVIT_HEAD_WIDTH} from the fourth on")
    if any(after % before for before, after in pairwise(config.widths)):  # each channel becomes several
        raise changes.unsupported("embed_dims", "expected multiples of the one before")
    changes.finish()
    return config


# name of the model → what reads its `vision_cfg`, given whether the projection is an MLP
TOWERS: dict[str, Callable[[Section, bool], ConvNeXtConfig | FastViTConfig]] = {
    **dict.fromkeys(_CONVNEXT, _convnext),
    **dict.fromkeys(FASTVIT, _fastvit),
}


def _changed(changes: Section, option: str, default: tuple[int, ...], most: int = MAX_SIZE) -> tuple[int, ...]:
    return changes.sizes(option, len(default), most) if option in changes else default


def without_single_pixels(checkpoint: Checkpoint) -> Checkpoint:
    """View the weights of 1x1 convolutions, (e, c, 1, 1), and scales, (c, 1, 1), as matrices and vectors."""
    single = {name: a for name, a in checkpoint.arrays.items() if a.ndim > 2 and a.shape[-2:] == (1, 1)}
    flat = {name: array.reshape(array.shape[:-2]) for name, array in single.items()}
    return replace(checkpoint, arrays={**checkpoint.arrays, **flat})
