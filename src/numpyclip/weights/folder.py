"""A folder with a checkpoint in it, and OpenCLIP's description of the model where there is one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.weights.checkpoint import Activation, Checkpoint
from numpyclip.weights.read import read

# The order in which OpenCLIP looks for weights.
_PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")

# What a description may say of a model that has OpenAI's architecture: option → the values that it may have
# (None: any, since the shapes of the tensors tell).
_OPTIONS: dict[str, dict[str, tuple[object, ...] | None]] = {
    "model_cfg": {"embed_dim": None, "vision_cfg": None, "text_cfg": None, "quick_gelu": (True, False)},
    "vision_cfg": {"image_size": None, "layers": None, "width": None, "patch_size": None, "head_width": (64,)},
    "text_cfg": {"context_length": None, "vocab_size": None, "width": None, "heads": None, "layers": None},
    "preprocess_cfg": {
        "size": None,
        "mode": ("RGB",),
        "mean": ([0.48145466, 0.4578275, 0.40821073],),
        "std": ([0.26862954, 0.26130258, 0.27577711],),
        "interpolation": ("bicubic",),
        "resize_mode": ("shortest",),
        "fill_color": None,  # only where the picture is padded, which "shortest" never does
    },
}


def read_folder(folder: Path) -> Checkpoint:
    """Read the checkpoint in a folder.

    Raises
    ------
    CheckpointError
        If there is none, or more than one and nothing tells which is meant.
    UnsupportedCheckpointError
        If OpenCLIP's description has an option that is not supported; it is named.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error.strerror or error}).") from error
    preferred = [folder / name for name in _PREFERRED if (folder / name) in files]
    if not preferred and len(files) != 1:
        raise CheckpointError(
            f"{folder}: found {len(files)} files of weights ({', '.join(file.name for file in files) or 'none'}); "
            "expected one. Pass the file itself."
        )
    file = preferred[0] if preferred else files[0]
    description = folder / "open_clip_config.json"
    if not description.exists():
        return read(file)
    activation, described = _read_description(description)
    return replace(read(file, activation), described=described)


def _read_description(description: Path) -> tuple[Activation, dict[str, object]]:
    """Check that OpenCLIP's description asks for nothing but OpenAI's architecture.

    Returns
    -------
    activation : {"quick_gelu", "gelu"}
    described : dict
        All options by their dotted names, to be compared with the tensors.
    """
    try:
        config = json.loads(description.read_text("utf-8"))
        model = config["model_cfg"]
        sections = {
            "model_cfg": model,
            "vision_cfg": model["vision_cfg"],
            "text_cfg": model["text_cfg"],
            "preprocess_cfg": config.get("preprocess_cfg", {}),
        }
        for name, section in sections.items():
            for option, value in section.items():
                _check_option(description, f"{name}.{option}", value, _OPTIONS[name].get(option, ()))
        described = {f"{name}.{option}": value for name in sections for option, value in sections[name].items()}
        heads, expected = model["text_cfg"].get("heads", 8), model["text_cfg"].get("width", 512) // 64
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{description}: not a description of a model by OpenCLIP ({error!r}).") from error
    if heads != expected:
        raise UnsupportedCheckpointError(f"{description}: text_cfg.heads is {heads!r:.60}; expected {expected!r:.60}.")
    return "quick_gelu" if model.get("quick_gelu", False) else "gelu", described


def _check_option(description: Path, name: str, value: Any, allowed: tuple[object, ...] | None) -> None:
    if allowed is None or value in allowed:
        return
    expected = f"expected {' or '.join(map(repr, allowed))}" if allowed else "this option is not supported"
    raise UnsupportedCheckpointError(f"{description}: {name} is {value!r:.60}; {expected}.")
