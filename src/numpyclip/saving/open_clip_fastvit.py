"""A FastViT in OpenCLIP's layout: the inverse of `numpyclip.families.timm_convolutional`."""

import re
from collections.abc import Iterator

import numpy as np

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.timm_convolutional import FASTVIT
from numpyclip.model.vision.vision_config import FastViTConfig
from numpyclip.saving.plan import Weight
from numpyclip.weights.checkpoint import Checkpoint

_FC = "visual.trunk.head.fc"

# All other weights (e, c) are 1 x 1 convolutions.
_MATRIX = re.compile(r"visual\.(trunk\.)?head\.|.*\.token_mixer\.(qkv|proj)\.")


def describe(config: FastViTConfig, checkpoint: Checkpoint) -> dict[str, object]:
    """Make a `vision_cfg`.

    Raises
    ------
    UnsupportedCheckpointError
        If the branches are fused: OpenCLIP builds them all.
    """
    if fused := next((name for name in checkpoint.arrays if ".reparam_conv." in name), None):
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: cannot be saved in the layout of OpenCLIP: its branches are fused, as in "
            f"'{fused:.100}'; expected the branches."
        )
    sizes = config.layers, config.widths
    name = next((name for name, published in FASTVIT.items() if published == sizes), None)
    changes = {"layers": list(config.layers), "embed_dims": list(config.widths)}
    projection = "mlp" if config.mlp_head else "linear" if "visual.head.proj.weight" in checkpoint else None
    return {
        "timm_model_name": name or ("fastvit_mci0" if len(config.layers) == 4 else "fastvit_mci3"),
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": projection,
        "timm_proj_bias": f"visual.head.{'mlp.fc2' if config.mlp_head else 'proj'}.bias" in checkpoint,
        "image_size": config.image_size,
        **({} if name else {"timm_model_kwargs": changes}),
    }


def weights(checkpoint: Checkpoint, name: str) -> Iterator[Weight]:
    """Convert a tensor of the tower to timm's name and shape."""
    shape = checkpoint.arrays[name].shape
    if name == _FC:  # Apple's matrix (d, e); timm has a layer
        yield Weight.of(f"{_FC}.weight", checkpoint, name, change=lambda matrix: matrix.T)
        yield Weight(f"{_FC}.bias", shape[1:], lambda: np.zeros(shape[1:], np.float32))
    elif name.endswith(".gamma") or (len(shape) == 2 and not _MATRIX.match(name)):
        yield Weight.of(name, checkpoint, name, change=lambda array: array[..., np.newaxis, np.newaxis])
    else:
        yield Weight.of(name, checkpoint, name)
