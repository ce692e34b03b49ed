"""Apple's own files of MobileCLIP (Vasu et al., 2024), as `CLIP` in mobileclip/clip.py of apple/ml-mobileclip has them.

Each is a bare state dict, and Apple's library takes the name of the model beside it. Here everything is inferred from
the tensors: S0 alone has convolutions over its tokens, B alone a vision transformer, and layers are counted. What
tensors cannot tell is the same in all of mobileclip/configs.
"""

import math
import re
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.description import ModelDescription
from numpyclip.families.openai import block_sizes, count_blocks, square_side, text_sizes
from numpyclip.families.tensor_names import Names, rename, squeeze, translator
from numpyclip.families.timm_convolutional import without_single_pixels
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.text_config import MCTConfig, TextConfig
from numpyclip.model.vision.vision_config import FASTVIT_HEAD_WIDTH, FastViTConfig, StemConfig, VisionTransformerConfig
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

_IMAGE, _TEXT = "image_encoder.model", "text_encoder"

_FASTVIT_SIZE = 256  # a FastViT would take images of any size
_PATCH_SIZE = 16
_VISION_HEADS, _TEXT_HEADS = 12, 8
_MLP_RATIO = 3  # of a FastViT
_MAX_LOGIT_SCALE = np.float32(math.log(100))  # Apple's model clips it

_NAMES: Names = (
    # FastViT
    (f"{_IMAGE}.patch_embed", "visual.trunk.stem"),
    (f"{_IMAGE}.network.0", "visual.trunk.stages.0.blocks"),
    (f"{_IMAGE}.network.1", "visual.trunk.stages.1.downsample"),
    (f"{_IMAGE}.network.2", "visual.trunk.stages.1.blocks"),
    (f"{_IMAGE}.network.3", "visual.trunk.stages.2.downsample"),
    (f"{_IMAGE}.network.4", "visual.trunk.stages.2.blocks"),
    (f"{_IMAGE}.network.5", "visual.trunk.stages.3.downsample"),
    (f"{_IMAGE}.network.6", "visual.trunk.stages.3.pos_emb"),
    (f"{_IMAGE}.network.7", "visual.trunk.stages.3.blocks"),
    (f"{_IMAGE}.conv_exp", "visual.trunk.final_conv"),
    (f"{_IMAGE}.head.proj", "visual.trunk.head.fc"),
    # vision transformer
    (f"{_IMAGE}.patch_emb.*.block.conv", "visual.stem.*.conv"),
    (f"{_IMAGE}.patch_emb.*.block.norm", "visual.stem.*.bn"),
    (f"{_IMAGE}.patch_emb.2.block.conv", "visual.conv1"),
    (f"{_IMAGE}.cls_token", "visual.class_embedding"),
    (f"{_IMAGE}.pos_embed.pos_embed.pos_embed", "visual.positional_embedding"),
    (f"{_IMAGE}.transformer", "visual.transformer.resblocks"),
    (f"{_IMAGE}.post_transformer_norm", "visual.ln_post"),
    (f"{_IMAGE}.classifier.proj", "visual.proj"),
    # text tower
    (f"{_TEXT}.embedding_layer", "token_embedding"),
    (f"{_TEXT}.positional_embedding.pos_embed.pos_embed", "positional_embedding"),
    (f"{_TEXT}.transformer", "transformer.resblocks"),
    (f"{_TEXT}.final_layer_norm", "ln_final"),
    (f"{_TEXT}.projection_layer", "text_projection"),
)
"""Prefixes of Apple's names, and ours."""

_WITHIN = {  # any block
    "pre_norm_mha.0": "ln_1",
    "pre_norm_mha.1.qkv_proj.weight": "attn.in_proj_weight",
    "pre_norm_mha.1.qkv_proj.bias": "attn.in_proj_bias",
    "pre_norm_mha.1.out_proj": "attn.out_proj",
    "pre_norm_ffn.0": "ln_2",
    "pre_norm_ffn.1": "mlp.c_fc",
    "pre_norm_ffn.4": "mlp.c_proj",
    "convffn": "mlp",
    "layer_scale": "layer_scale.gamma",
    "layer_scale_1": "layer_scale_1.gamma",
    "layer_scale_2": "layer_scale_2.gamma",
    "rbr_conv": "conv_kxk",
    "rbr_scale": "conv_scale",
    "rbr_skip": "identity",
    "lkb_origin": "large_conv",
    "lkb_reparam": "reparam_conv",
    "pe": "pos_enc",
    "se.reduce": "se.fc1",
    "se.expand": "se.fc2",
}
_PART = re.compile(rf"(?<=\.)({'|'.join(map(re.escape, _WITHIN))})(?=\.|$)")


def is_apples(checkpoint: Checkpoint) -> bool:
    """Tell by the names of its tensors whether a checkpoint is Apple's."""
    return any(name.startswith(f"{_IMAGE}.") for name in checkpoint.arrays)


def describe(checkpoint: Checkpoint) -> ModelDescription:
    """Describe one of Apple's models by its tensors alone, which `translate` has renamed."""
    has_transformer = "visual.conv1.weight" in checkpoint
    vision = _measure_transformer(checkpoint) if has_transformer else _measure_fastvit(checkpoint)
    config = CLIPConfig(
        family="apple",
        embed_dim=checkpoint.shape("text_projection", 2)[1],
        vision=vision,
        text=_measure_text(checkpoint, causal=has_transformer),
        preprocess=Preprocess(
            vision.image_size, "open_clip", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), interpolation="bilinear"
        ),
    )
    return ModelDescription(checkpoint, config, partial(open_clip_tokenizer, "lower"))


def translate(checkpoint: Checkpoint) -> Checkpoint:
    """Give Apple's tensors the names and shapes used here."""
    begin = translator((*_NAMES, *_mixer_names(checkpoint)))
    renamed = rename(checkpoint, lambda name: _PART.sub(lambda match: _WITHIN[match[1]], begin(name)))
    arrays = squeeze(
        without_single_pixels(renamed).arrays,
        {"positional_embedding": 2, "visual.positional_embedding": 2, "visual.class_embedding": 2},
    )
    scale = arrays.get("logit_scale")
    if scale is not None and scale.size == 1 and scale.dtype.kind == "f":
        arrays["logit_scale"] = np.asarray(np.minimum(scale.astype(np.float32), _MAX_LOGIT_SCALE))
    return replace(renamed, arrays=arrays)


def _mixer_names(checkpoint: Checkpoint) -> Names:
    """Name the blocks of a text tower whose first and last are mixers, which are not counted here."""
    blocks = f"{_TEXT}.transformer"
    if not any(name.startswith(f"{blocks}.0.token_mixer.") for name in checkpoint.arrays):
        return ()
    last = count_blocks(checkpoint, blocks) - 1
    between = ((f"{blocks}.{index}", f"transformer.resblocks.{index - 1}") for index in range(1, last))
    return ((f"{blocks}.0", "mixers.0"), *between, (f"{blocks}.{last}", "mixers.1"))


def _measure_fastvit(checkpoint: Checkpoint) -> FastViTConfig:
    stages = [f"visual.trunk.stages.{stage}.blocks" for stage in range(4)]
    layers = tuple(count_blocks(checkpoint, stage) for stage in stages)
    widths = tuple(checkpoint.shape(f"{stage}.0.mlp.fc1.weight", 2)[1] for stage in stages)
    if widths[-1] % FASTVIT_HEAD_WIDTH or any(after % before for before, after in pairwise(widths)):
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: the stages of its FastViT are {', '.join(map(str, widths))} wide; expected each to be "
            f"a multiple of the one before, and the last a multiple of {FASTVIT_HEAD_WIDTH}."
        )
    return FastViTConfig(
        image_size=_FASTVIT_SIZE,
        layers=layers,
        widths=widths,
        mlp_ratio=_MLP_RATIO,
        stem_scale=True,
        squeeze=True,
        layer_norm=False,
        mlp_head=False,
    )


def _measure_transformer(checkpoint: Checkpoint) -> VisionTransformerConfig:
    width, stem_width, _, _ = checkpoint.shape("visual.conv1.weight", 4)
    return VisionTransformerConfig(
        image_size=_PATCH_SIZE * square_side(checkpoint, "visual.positional_embedding", class_row=False),
        patch_size=_PATCH_SIZE,
        width=width,
        heads=_heads(checkpoint, width, _VISION_HEADS),
        activation="gelu",
        stem=StemConfig(width=stem_width, zero_padding=True, patch_bias=True),
        class_position=False,
        norm_before=False,
        **block_sizes(checkpoint, "visual.transformer.resblocks"),
    )


def _measure_text(checkpoint: Checkpoint, causal: bool) -> TextConfig:
    sizes = text_sizes(checkpoint)
    has_mixers = any(name.startswith("mixers.") for name in checkpoint.arrays)
    return (MCTConfig if has_mixers else TextConfig)(
        **sizes,
        heads=_heads(checkpoint, sizes["width"], _TEXT_HEADS),
        activation="gelu",
        causal=causal and not has_mixers,
    )


def _heads(checkpoint: Checkpoint, width: int, heads: int) -> int:
    if width % heads:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: a width of {width} cannot be cut into {heads} heads, as many as Apple's models have."
        )
    return heads
