"""OpenCLIP's own vision and text transformers, with the options that published models use."""

import json
import shutil
from pathlib import Path

import open_clip
import safetensors.torch
import torch
from open_clip.model import convert_to_custom_text_state_dict
from torch import nn

from golden.common import ids, images, randomize, record

_TEXT = {"context_length": 12, "vocab_size": 96, "width": 48, "heads": 2, "layers": 2}
_VISION = {"image_size": 32, "layers": 2, "width": 48, "head_width": 24, "patch_size": 8}
_END = 7  # an end mark that is not the highest id

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
    # -quickgelu, with layer scale in both towers, narrow heads, and the mean of normed patches; a rest at the edge
    "open_clip-quickgelu": {
        "embed_dim": 40,
        "quick_gelu": True,
        "vision_cfg": {
            **_VISION,
            "image_size": 38,
            "head_width": 8,
            "mlp_ratio": 4.3637,
            "ls_init_value": 1e-5,
            "pool_type": "avg",
        },
        "text_cfg": {**_TEXT, "context_length": 32, "heads": 8, "mlp_ratio": 2.7, "ls_init_value": 1e-5},
    },
    # texts as SigLIP 2 has them: tanh, another eps, all tokens seen, the last one speaks, a bias behind the projection
    "open_clip-siglip_text": {
        "embed_dim": 40,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {**_VISION, "act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 0.02}},
        "text_cfg": {
            **_TEXT,
            "context_length": 64,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 0.01},
            "act_kwargs": {"approximate": "tanh"},
        },
    },
    # texts as MobileCLIP has them: all tokens seen, the end mark speaks; nothing behind the last norm, as in SO400M
    "open_clip-mobileclip_text": {
        "embed_dim": 48,
        "custom_text": True,
        "vision_cfg": {**_VISION, "layers": 1},
        "text_cfg": {**_TEXT, "no_causal_mask": True, "proj_type": "none"},
    },
    # an end mark that is searched for, as in the "worldwide" models; a ResNet
    "open_clip-worldwide_text": {
        "embed_dim": 32,
        "custom_text": True,
        "vision_cfg": {"image_size": 70, "layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        "text_cfg": {**_TEXT, "layers": 1, "pool_type": "eos", "eos_id": _END},
    },
    "open_clip-first_token": {
        "embed_dim": 32,
        "vision_cfg": {**_VISION, "layers": 1, "head_width": 12, "no_ln_pre": True},
        "text_cfg": {**_TEXT, "layers": 1, "pool_type": "first", "no_causal_mask": True},
    },
    # pictures that are not square, with a rest at the edge
    "open_clip-wide": {
        "embed_dim": 32,
        "vision_cfg": {**_VISION, "image_size": [24, 44], "layers": 1},
        "text_cfg": {**_TEXT, "width": 24, "layers": 1},
    },
}
_FLAT = "open_clip-worldwide_text"  # tensors without the prefix that its description asks for


def save(golden: Path) -> None:
    """Save every model, and what open_clip computes."""
    for seed, (name, config) in enumerate(CONFIGS.items(), start=100):
        save_model(golden / name, config, seed)
    drop_prefix(golden / _FLAT / "open_clip_model.safetensors")


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
    if config["text_cfg"].get("pool_type") == "eos":
        end_twice(text)
    with torch.no_grad():
        features = model(image.double(), text)
        logits = model.logit_scale.exp() * features[0] @ features[1].T
        record(
            folder,
            ("torch", "open_clip_torch", "timm"),
            image=image,
            text=text,
            encode_image=model.encode_image(image.double()),
            encode_text=model.encode_text(text),
            logits_per_image=logits + (model.logit_bias if model.logit_bias is not None else 0),
        )


def end_twice(text: torch.Tensor) -> None:
    """Let texts end with an id that is not the highest, and stand in the padding, too: the first one counts."""
    ends = text.argmax(dim=1)
    text[text == _END] = _END + 1
    text[range(len(text)), ends] = _END
    text[:-1, -1] = _END


def drop_prefix(file: Path) -> None:
    """Save a model of two towers as older files have it, which open_clip takes, too: texts have no prefix."""
    state = safetensors.torch.load_file(file)
    flat = {name.removeprefix("text."): tensor for name, tensor in state.items()}
    assert convert_to_custom_text_state_dict(flat).keys() == state.keys()
    safetensors.torch.save_file(flat, file)


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
