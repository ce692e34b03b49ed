"""The config files of transformers, to the last key."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.images.preprocess import MEAN, STD, Preprocess
from numpyclip.saving.save import save
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from tests.model.golden import load_golden

GOLDEN = Path(__file__).parents[1] / "golden"
SPECIAL = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
}


def written(folder: Path, name: str, preprocess: Preprocess | None = None) -> dict[str, Any]:
    """Save a model that no config file describes, and return the contents of those that are written."""
    model, _ = load_golden(GOLDEN / name.split("/")[0], name.split("/")[1])
    assert model.checkpoint is not None
    config = replace(model.config, preprocess=preprocess or model.preprocess)
    undescribed = model.checkpoint.read_as(None, "")
    saved = save(CLIP.read(undescribed, config, default_tokenizer), folder / "saved", "transformers")
    return {path.name: json.loads(path.read_text("utf-8")) for path in saved.glob("*.json")}


def test_a_clip_is_described_by_all_that_transformers_asks_for(tmp_path: Path) -> None:
    files = written(tmp_path, "checkpoints/vit-torchscript.pt")
    assert files["config.json"] == {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": 48,
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-05,
            "image_size": 32,
            "patch_size": 8,
            "projection_dim": 48,
        },
        "text_config": {
            "model_type": "clip_text_model",
            "hidden_size": 64,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 1,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-05,
            "max_position_embeddings": 12,
            "vocab_size": 96,
            "projection_dim": 48,
            "eos_token_id": 2,
        },
        "dtype": "float32",
    }
    assert files["preprocessor_config.json"] == {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": "CLIPProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": 32},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 32, "width": 32},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    assert files["special_tokens_map.json"] == SPECIAL
    assert files["tokenizer_config.json"] == {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 12,
        **SPECIAL,
    }


def test_a_siglip_is_described_by_all_that_transformers_asks_for(tmp_path: Path) -> None:
    squash = Preprocess(32, "transformers", (0.5, 0.4, 0.3), (0.1, 0.2, 0.3), "bilinear", "squash")
    files = written(tmp_path, "families/transformers-siglip", squash)
    config = files["config.json"]
    vision, text = config.pop("vision_config"), config.pop("text_config")
    assert config == {"model_type": "siglip", "architectures": ["SiglipModel"], "dtype": "float32"}
    assert list(vision) == [
        *("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("hidden_act", "layer_norm_eps", "image_size", "patch_size"),
    ]
    assert vision["model_type"] == "siglip_vision_model"
    assert list(text) == [
        *("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("hidden_act", "layer_norm_eps", "max_position_embeddings", "vocab_size", "projection_size"),
    ]
    assert text["model_type"] == "siglip_text_model"
    assert files["preprocessor_config.json"] == {
        "image_processor_type": "SiglipImageProcessor",
        "processor_class": "SiglipProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": 32, "width": 32},
        "resample": 2,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.1, 0.2, 0.3],
    }


@pytest.mark.parametrize("mode", ["longest", "crop", "none"])
def test_images_that_are_padded_or_not_resized_are_refused(tmp_path: Path, mode: Any) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=f"mode of images is '{mode}'; expected shortest or squash"):
        written(tmp_path, "checkpoints/vit-torchscript.pt", Preprocess(32, "transformers", resize_mode=mode))


def test_images_that_are_not_square_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedCheckpointError, match=r"its images are 44 x 24 px; expected squares\. The format 'int8'"
    ):
        written(tmp_path, "families/open_clip-wide")
