"""The config files of jina-clip, with the options that published ones have."""

import json
from pathlib import Path

from torch import nn

_CODE = "jinaai/jina-clip-implementation--"


def write(folder: Path, size: int, text: nn.Module, tasks: list[str] | None) -> None:
    """Write both files; `tasks` are those that the text tower has adapters for."""
    config = {
        "add_projections": False,
        "architectures": ["JinaCLIPModel"],
        "auto_map": {"AutoConfig": f"{_CODE}configuration_clip.JinaCLIPConfig"},
        "initializer_factor": 1.0,
        "logit_scale_init_value": 2.6592,
        "matryoshka_dimensions": [8, 16, 32] if tasks else None,
        "model_type": "jina_clip",
        "projection_dim": text.embed_dim,
        "text_config": _text(text, tasks),
        "torch_dtype": "bfloat16",
        "transformers.js_config": {"use_external_data_format": {"model.onnx": True}},
        "truncate_dim": None,
        "use_text_flash_attn": None,
        "use_vision_xformers": None,
        "vision_config": _vision(size, text, tasks),
    }
    processor = {
        "auto_map": {"AutoImageProcessor": f"{_CODE}processing_clip.JinaCLIPImageProcessor"},
        "fill_color": 0,
        "image_processor_type": "JinaCLIPImageProcessor",
        "interpolation": "bicubic",
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "processor_class": "JinaCLIPProcessor",
        "resize_mode": "shortest",
        "size": size,
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")


def _is_plain(text: nn.Module) -> bool:
    """Say whether a model has the options of published ones."""
    return text.embed_dim == text.config.hidden_size


def _text(text: nn.Module, tasks: list[str] | None) -> dict:
    return {
        "default_instruction_task": None,
        "default_lora_task": tasks[0] if tasks else None,
        "embed_dim": text.embed_dim,
        "hf_model_config_kwargs": text.kwargs,
        "hf_model_name_or_path": text.name,
        "model_type": "jina_clip_text",
        "pooler_type": "mean_pooler" if _is_plain(text) else None,
        "proj_bias": not _is_plain(text),
        "proj_type": None,
    }


def _vision(size: int, text: nn.Module, tasks: list[str] | None) -> dict:
    plain, width = _is_plain(text), text.config.hidden_size
    return {
        "embed_dim": text.embed_dim,
        "fused_layer_norm": False,
        "head_width": width // 4,
        "image_size": size,
        "intp_freq": True,
        "layers": 1,
        "ls_init_value": None if plain else 0.5,
        "mlp_ratio": 2.6667,
        "model_type": "jina_clip_vision",
        "naive_swiglu": plain,
        "patch_dropout": 0.1,
        "patch_size": 8,
        "post_norm": False,
        "proj_type": None if plain else "linear",
        "pt_hw_seq_len": 2,
        "qkv_bias": True,
        "rope_embeddings": plain,
        "subln": plain,
        "width": width,
        "x_attention": bool(tasks),
    }
