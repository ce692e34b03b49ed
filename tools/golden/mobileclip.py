"""Apple's own MobileCLIP: the classes of apple/ml-mobileclip (see tools/README.md), whose towers are made small."""

import shutil
from pathlib import Path
from unittest import mock

import mobileclip
import numpy as np
import torch
from mobileclip.models.mci import FastViT, RepCPE
from mobileclip.models.vit import VisionTransformer
from mobileclip.modules.common.mobileone import reparameterize_model
from mobileclip.modules.common.transformer import LayerNormFP32, PositionalEmbedding
from timm.models import register_model
from torch import nn

from golden.common import SEED, ids, randomize, record


def _mci(layers: list[int], widths: list[int], options: dict) -> nn.Module:
    """Build what `mci0` builds, smaller."""
    return FastViT(
        layers,
        token_mixers=("repmixer", "repmixer", "repmixer", "attention"),
        embed_dims=widths,
        pos_embs=[None, None, None, RepCPE],
        mlp_ratios=[3, 3, 3, 3],
        downsamples=[True, True, True, True],
        se_downsamples=[False, False, True, True],
        **options,
    )


@register_model
def mci_small0(pretrained: bool = False, **options) -> nn.Module:
    """Build a tower for S0."""
    return _mci([1, 2, 1, 1], [8, 8, 16, 32], options)


@register_model
def mci_small1(pretrained: bool = False, **options) -> nn.Module:
    """Build a tower for S1, whose attention has two heads."""
    return _mci([1, 1, 1, 1], [8, 8, 16, 64], options)


@register_model
def vit_small_b16(pretrained: bool = False, **options) -> nn.Module:
    """Build what `vit_b16` builds, smaller, for pictures of 64 by 64."""
    sizes = {"embed_dim": 48, "n_transformer_layers": 2, "n_attn_heads": 12}
    model = VisionTransformer(cfg={"norm_layer": "layer_norm_fp32", "act_layer": "gelu", **sizes}, **options)
    model.pos_embed = PositionalEmbedding(num_embeddings=16, embedding_dim=48)
    return model


def _config(vision: str, size: int, text: str, causal: bool) -> dict:
    return {
        "embed_dim": 24,
        "image_cfg": {"image_size": size, "model_name": vision},
        "text_cfg": {
            "context_length": 20,
            "vocab_size": 96,
            "dim": 32,
            "ffn_multiplier_per_layer": 4.0,
            "n_heads_per_layer": 8,
            "n_transformer_layers": 2,
            "norm_layer": "layer_norm_fp32",
            "causal_masking": causal,
            "model_name": text,
        },
    }


_S0 = _config("mci_small0", 256, "mct", causal=False)

# name of the folder → what lies in mobileclip/configs
CONFIGS = {
    "apple-mobileclip_s0": _S0,
    "apple-mobileclip_s0-fused": _S0,  # branches added up before saving
    "apple-mobileclip_s1": _config("mci_small1", 256, "base", causal=False),
    "apple-mobileclip_b": _config("vit_small_b16", 64, "base", causal=True),
}


def save(golden: Path) -> None:
    """Save every model as Apple's are published, and what Apple's code computes in float64."""
    for seed, (name, config) in enumerate(CONFIGS.items(), start=800):
        model = mobileclip.CLIP(cfg=config).eval()
        randomize(model, seed)
        temper(model)
        if name.endswith("-fused"):
            model = reparameterize_model(model)
        save_model(golden / name, model, config)


def save_model(folder: Path, model: nn.Module, config: dict) -> None:
    """Save one model, and what it computes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    state = {name: t.half() if t.is_floating_point() else t for name, t in model.state_dict().items()}
    torch.save(state, folder / f"{folder.name.removeprefix('apple-')}.pt")
    model.load_state_dict(state)
    image, text = pictures(config["image_cfg"]["image_size"]), ids(config["text_cfg"]["context_length"], 96)
    images, texts, logits = compute(model, image, text)
    record(
        folder,
        ("torch", "apple/ml-mobileclip 4144bb1", "timm"),
        image=image,
        text=text,
        encode_image=images,
        encode_text=texts,
        logits_per_image=logits,
    )


@torch.no_grad()
def compute(model: nn.Module, image: np.ndarray, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute in float64, also where Apple's code goes back to float32: norms, and the softmax of attention."""
    model.double()
    for part in model.modules():
        if isinstance(part, LayerNormFP32):
            part.__class__ = nn.LayerNorm
    pixels = torch.from_numpy(image).permute(0, 3, 1, 2).double() / 255  # `ToTensor`
    with mock.patch("torch.Tensor.float", torch.Tensor.double):
        images, texts, scale = model(pixels, text)
        return model.encode_image(pixels), model.encode_text(text), scale * images @ texts.T


def pictures(size: int) -> np.ndarray:
    """Draw random squares, which take little room in a file: (2, size, size, 3), uint8."""
    squares = np.random.default_rng(SEED).integers(0, 256, (2, size // 4, size // 4, 3), np.uint8)
    return squares.repeat(4, axis=1).repeat(4, axis=2)


@torch.no_grad()
def temper(model: nn.Module) -> None:
    """Scale random weights so that positions, biases, and what norms add to variances, matter."""
    for name, tensor in model.named_parameters():
        if name.endswith("pos_embed"):
            tensor.copy_(0.5 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(len(name))))
        elif "layer_scale" in name:
            tensor *= 0.6
        elif tensor.dim() == 4:
            tensor *= 0.7
    model.logit_scale.fill_(4.7)  # more than the 100 that Apple's model makes of it at most
