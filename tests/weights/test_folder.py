"""Folders, and OpenCLIP's description of a model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.weights.folder import read_folder
from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN

WEIGHTS = "open_clip_model.safetensors"
DESCRIPTION = "open_clip_config.json"
Config = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "open_clip", tmp_path / "model"))


def _edit(folder: Path, change: Callable[[Config], object]) -> None:
    config = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    change(config)
    (folder / DESCRIPTION).write_text(json.dumps(config), "utf-8")


def test_a_folder_of_open_clip_is_read_with_its_activation(folder: Path) -> None:
    found = read_folder(folder)
    expected = read(folder / WEIGHTS)
    assert expected.activation is None
    assert found.activation == "gelu"
    assert all(np.array_equal(found.arrays[name], array) for name, array in expected.arrays.items())
    _edit(folder, lambda config: config["model_cfg"].update(quick_gelu=True))
    assert read_folder(folder).activation == "quick_gelu"


def test_weights_under_open_clips_name_are_preferred(folder: Path) -> None:
    shutil.copy(GOLDEN / "vit.safetensors", folder / "model.safetensors")
    assert read_folder(folder).path == folder / WEIGHTS


def test_a_folder_without_a_description_may_hold_one_file(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_3.pt")
    (tmp_path / "notes.txt").write_text("more")
    assert read_folder(tmp_path).path.name == "epoch_3.pt"
    shutil.copy(GOLDEN / "vit-state-dict.pt", tmp_path / "epoch_4.pt")
    with pytest.raises(CheckpointError, match=r"2 files of weights \(epoch_3.pt, epoch_4.pt\)"):
        read_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none"):
        read_folder(tmp_path)


def test_a_description_that_contradicts_the_file_is_refused(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    shutil.copy(GOLDEN / "vit-torchscript.pt", folder)
    with pytest.raises(CheckpointError, match="records the activation 'quick_gelu'; expected 'gelu'"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("model_cfg", "custom_text", True),
        ("model_cfg", "init_logit_bias", -10),
        ("model_cfg", "multimodal_cfg", {}),
        ("model_cfg", "quick_gelu", "yes"),
        ("model_cfg", "quick_gelu", None),
        ("vision_cfg", "timm_model_name", "vit_base"),
        ("vision_cfg", "head_width", 80),
        ("vision_cfg", "pool_type", "avg"),
        ("text_cfg", "heads", 2),
        ("text_cfg", "heads", "1"),
        ("text_cfg", "hf_model_name", "roberta"),
        ("preprocess_cfg", "mean", [0.5, 0.5, 0.5]),
        ("preprocess_cfg", "mean", 0.5),
        ("preprocess_cfg", "interpolation", "bilinear"),
        ("preprocess_cfg", "resize_mode", "squash"),
        ("preprocess_cfg", "unknown", [[[]]] * 99),
    ],
)
def test_an_option_that_is_not_supported_is_named(folder: Path, section: str, option: str, value: object) -> None:
    def change(config: Config) -> None:
        parts = {**config["model_cfg"], **config, "model_cfg": config["model_cfg"]}
        parts[section][option] = value

    _edit(folder, change)
    with pytest.raises(UnsupportedCheckpointError, match=f"{section}.{option}") as caught:
        read_folder(folder)
    assert DESCRIPTION in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"model_cfg": null}',
        '{"model_cfg": []}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": "64"}}}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": null}}}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": [64]}}}',
        '{"model_cfg": {"vision_cfg": 5, "text_cfg": {"heads": 1, "width": 64}}}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": 64}}, "preprocess_cfg": 1}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": 1e400}}}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": NaN, "width": 64}}}',
        '{"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1, "width": ' + "9" * 5000 + "}}}",
        "[" * 100_000,
        "\ufeff{}",
    ],
    ids=range(18),
)
def test_a_description_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / DESCRIPTION).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=DESCRIPTION) as caught:
        read_folder(folder)
    assert len(str(caught.value)) < 600


def test_a_description_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / DESCRIPTION).write_bytes(b"\xff\xfe{}")
    with pytest.raises(CheckpointError, match="not a description"):
        read_folder(folder)
    (folder / DESCRIPTION).unlink()
    (folder / DESCRIPTION).mkdir()
    with pytest.raises(CheckpointError, match="not a description"):
        read_folder(folder)
