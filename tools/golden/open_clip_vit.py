"""OpenCLIP's own vision and text transformers, with the options that published models use."""

import json
import shutil
from pathlib import Path

import open_clip
import safetensors.torch
import torch
from torch import nn

from golden.common import ids, images, randomize, record

_TEXT = {"context_length": 12, "vocab_size": 96, "width": 64, "heads": 2, "layers": 2}
_VISION = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}

# name of the folder → model_cfg
CONFIGS = {
    # CLIPA: no first norm, the mean of the patches, normed afterwards; texts see all tokens, the last one speaks
    "open_clip-clipa": {
        "embed_dim": 48,
        "vision_cfg": {
            **_VISION,
            "mlp_ratio": 3.2,
            "no_ln_pre": True,
            "pool_type": "avg",
            "final_ln_after_pool": True,
            "pos_embed_type": "sin_cos_2d",
        },
        "text_cfg": {**_TEXT, "pool_type": "last", "no_causal_mask": True},
    },
}


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    for seed, (name, config) in enumerate(CONFIGS.items(), start=100):
        save_model(golden / name, config, seed)


def save_model(folder: Path, config: dict, seed: int, dtype: torch.dtype = torch.float16, **preprocess) -> None:
    """Save a folder as `push_to_hf_hub` does, and what the model computes in float64."""
    model = build(config)
    randomize(model, seed)
    save_built(folder, model, config, dtype, **preprocess)


def build(config: dict) -> nn.Module:
    """Build the model of a `model_cfg`."""
    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    return kind(**{key: value for key, value in config.items() if key != "custom_text"}).eval()


def save_built(
    folder: Path, model: nn.Module, config: dict, dtype: torch.dtype, pictures: int = 3, **preprocess
) -> None:
    """Save a model that is built, and what it computes in float64."""
    write_folder(folder, model, config, dtype, **preprocess)
    to_float64(model)
    image = images(config["vision_cfg"]["image_size"], pictures)
    text = ids(config["text_cfg"]["context_length"], config["text_cfg"]["vocab_size"])
    with torch.no_grad():
        record(
            folder,
            ("torch", "open_clip_torch"),
            image=image,
            text=text,
            encode_image=model.encode_image(image.double()),
            encode_text=model.encode_text(text),
        )


def write_folder(folder: Path, model: nn.Module, config: dict, dtype: torch.dtype, **preprocess) -> None:
    """Save a folder as `push_to_hf_hub` does, and round the model's weights as they are there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    state = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    description = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(description, indent=2) + "\n")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})


def to_float64(model: nn.Module) -> None:
    """Let a model compute in float64."""
    model.double()
    for part in model.modules():
        if hasattr(part, "get_cast_dtype"):
            part.get_cast_dtype = lambda: torch.float64
