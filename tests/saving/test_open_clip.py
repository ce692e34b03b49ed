"""The config file of OpenCLIP, to the last key."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.images.preprocess import MEAN, STD
from numpyclip.saving.save import save
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from tests.clip_folders import of_openai_without_json
from tests.model.golden import load_golden

GOLDEN = Path(__file__).parents[1] / "golden"


def written(folder: Path, name: str, **preprocess: Any) -> dict[str, Any]:
    """Save a model that no config file describes, and return the content of the one that is written."""
    model, _ = load_golden(GOLDEN / name.split("/")[0], name.split("/")[1])
    assert model.checkpoint is not None
    config = replace(model.config, preprocess=replace(model.preprocess, **preprocess))
    undescribed = model.checkpoint.read_as(None, "")
    saved = save(CLIP.read(undescribed, config, default_tokenizer), folder / "saved", "open_clip")
    options: dict[str, Any] = json.loads((saved / "open_clip_config.json").read_text("utf-8"))
    return options


def test_a_vision_transformer_is_described_by_all_that_open_clip_asks_for(tmp_path: Path) -> None:
    options = written(tmp_path, "families/open_clip-clipa")
    assert options == {
        "model_cfg": {
            "embed_dim": 48,
            "quick_gelu": False,
            "vision_cfg": {
                "layers": 2,
                "width": 48,
                "mlp_ratio": 3.1875,
                "norm_kwargs": {"eps": 1e-05},
                "head_width": 24,
                "image_size": 32,
                "patch_size": 8,
                "no_ln_pre": True,
                "pool_type": "avg",
                "final_ln_after_pool": True,
            },
            "text_cfg": {
                "layers": 2,
                "width": 48,
                "mlp_ratio": 4.0,
                "norm_kwargs": {"eps": 1e-05},
                "heads": 2,
                "context_length": 12,
                "vocab_size": 96,
                "no_causal_mask": True,
                "pool_type": "last",
                "proj_type": "linear",
                "proj_bias": False,
            },
        },
        "preprocess_cfg": {
            "size": [32, 32],
            "mode": "RGB",
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "shortest",
            "fill_color": 0,
        },
    }


def test_what_a_siglip_has_besides_is_written(tmp_path: Path) -> None:
    options = written(tmp_path, "families/open_clip-siglip_text")["model_cfg"]
    assert options["init_logit_bias"] == -9.6015625
    assert options["vision_cfg"]["act_kwargs"] == options["text_cfg"]["act_kwargs"] == {"approximate": "tanh"}
    assert options["vision_cfg"]["norm_kwargs"] == {"eps": 0.02}
    assert options["text_cfg"]["norm_kwargs"] == {"eps": 0.01}
    assert options["text_cfg"]["proj_bias"] is True


def test_a_resnet_is_described_by_its_sizes(tmp_path: Path) -> None:
    options = written(tmp_path, "checkpoints/resnet-torchscript.pt")["model_cfg"]
    assert options["vision_cfg"] == {"image_size": 64, "layers": [2, 1, 1, 1], "width": 8, "head_width": 64}
    assert options["quick_gelu"] is True


@pytest.mark.parametrize(
    ("name", "timm", "changes"),
    [
        ("open_clip-fastvit", "fastvit_mci0", {"layers": [2, 1, 1, 1], "embed_dims": [8, 16, 16, 64]}),
        ("open_clip-fastvit-five-stages", "fastvit_mci3", {"layers": [1] * 5, "embed_dims": [8, 8, 16, 32, 32]}),
    ],
)
def test_a_fastvit_is_described_by_timms_name_and_what_differs(
    tmp_path: Path, name: str, timm: str, changes: dict[str, Any]
) -> None:
    vision = written(tmp_path, f"families/{name}")["model_cfg"]["vision_cfg"]
    del vision["image_size"]
    assert vision == {
        "timm_model_name": timm,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": None,
        "timm_proj_bias": False,
        "timm_model_kwargs": changes,
    }


def test_a_fastvit_with_attention_pooling_keeps_its_own_layout(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=r"pool is 'rot_attn'; expected 'avg'\. The format 'int8'"):
        written(tmp_path, "families/open_clip-fastvit-rot_attn")


def test_images_are_prepared_as_they_were(tmp_path: Path) -> None:
    how: dict[str, Any] = {
        "mean": (0.5, 0.4, 0.3),
        "std": (0.1, 0.2, 0.3),
        "interpolation": "bilinear",
        "resize_mode": "longest",
        "fill": 9,
    }
    assert written(tmp_path, "families/open_clip-clipa", **how)["preprocess_cfg"] == {
        "size": [32, 32],
        "mode": "RGB",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.1, 0.2, 0.3],
        "interpolation": "bilinear",
        "resize_mode": "longest",
        "fill_color": 9,
    }


@pytest.mark.parametrize(("option", "value"), [("interpolation", "lanczos"), ("resize_mode", "crop"), ("scale", 1.0)])
def test_what_open_clip_cannot_do_with_images_is_refused(tmp_path: Path, option: str, value: object) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=f"{option}.* expected .* The format 'int8' takes every model"):
        written(tmp_path, "families/open_clip-clipa", **{option: value})


def test_an_activation_that_open_clip_has_not_is_refused(tmp_path: Path) -> None:
    model, _ = load_golden(GOLDEN / "families", "open_clip-clipa")
    assert model.checkpoint is not None
    assert model.config.text is not None
    config = replace(model.config, text=replace(model.config.text, activation="relu"))
    with pytest.raises(UnsupportedCheckpointError, match=r"its activation is 'relu'; expected a GELU"):
        save(CLIP.read(model.checkpoint.read_as(None, ""), config, default_tokenizer), tmp_path / "saved", "open_clip")


def test_images_that_are_not_square_stay_so(tmp_path: Path) -> None:
    config = written(tmp_path, "families/open_clip-wide")
    assert config["preprocess_cfg"]["size"] == config["model_cfg"]["vision_cfg"]["image_size"] == [24, 44]
    assert numpyclip.load(tmp_path / "saved")[1].size == (24, 44)


def test_numbers_stay_the_very_same(tmp_path: Path) -> None:
    model, golden = load_golden(GOLDEN / "families", "open_clip-siglip_text")
    assert model.checkpoint is not None
    plain = CLIP.read(model.checkpoint.read_as(None, ""), model.config, default_tokenizer)
    again, _ = numpyclip.load(save(plain, tmp_path / "saved", "open_clip"))
    np.testing.assert_array_equal(again.encode_text(golden["text"]), model.encode_text(golden["text"]))
    assert again.config == model.config


def test_the_scale_of_layers_is_written_where_there_is_one(tmp_path: Path) -> None:
    options = written(tmp_path, "families/open_clip-quickgelu")["model_cfg"]
    assert options["vision_cfg"]["ls_init_value"] == options["text_cfg"]["ls_init_value"] == 1.0


def test_the_tokenizer_of_transformers_becomes_open_clips_with_a_warning(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GOLDEN / "families" / "transformers-clip", tmp_path / "model"))
    of_openai_without_json(tmp_path)
    for file in tmp_path.glob("*.*"):
        if file.name != "config.json":
            file.replace(folder / file.name)
    model = numpyclip.load(folder)[0]
    with pytest.warns(UserWarning, match="get other ids there: the tokenizers of OpenCLIP and transformers differ"):
        save(model, tmp_path / "saved", "open_clip")
    assert (
        model.tokenize("a cat").tolist()[0][:3]
        == numpyclip.load(tmp_path / "saved")[0].tokenize("a cat")[0][:3].tolist()
    )
