import os
import shutil
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.cli.options import add_activation_option
from numpyclip.errors import CheckpointError, InputError, ModelNotFoundError, OfflineError
from numpyclip.weights.activations import ACTIVATIONS
from numpyclip.weights.catalogue import EMBEDDED
from numpyclip.weights.read import read


def test_load_takes_what_openais_load_takes(tmp_path: Path) -> None:
    model, preprocess = numpyclip.load("tiny", "cpu", True, str(tmp_path))
    assert preprocess is model.preprocess
    assert preprocess(Image.new("RGB", (100, 80))).shape == (3, 64, 64)


def test_the_ancestors_example_runs_unchanged(checkpoints: Path, bird: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tiny in the place of ViT-B/32, which cannot be shipped."""
    monkeypatch.chdir(bird.parent)
    # the example of 99991/NumPyCLIP's README, but for the two names
    model, preprocess = numpyclip.load("tiny")

    image = preprocess(Image.open("bird.png"))[np.newaxis, :, :, :]

    text = numpyclip.tokenize(["bird", "a dog", "a cat"])

    image_features = model.encode_image(image)
    text_features = model.encode_text(text)

    logits_per_image, _logits_per_text = model(image, text)
    probs = numpyclip.softmax(logits_per_image, axis=-1)

    assert image_features.shape == (1, 128)
    assert text_features.shape == (3, 128)
    assert probs.shape == (1, 3)
    assert probs.argmax() == 0


def test_a_path_may_be_text_or_path(checkpoints: Path) -> None:
    path = checkpoints / "vit-torchscript.pt"
    for name in (path, str(path)):
        model, _ = numpyclip.load(name)
        assert model.config.embed_dim == 48


def test_an_unknown_name_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'ViT-B/32'.*RN50, RN101"):
        numpyclip.load("ViTB/32")
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'ViT-B/32'\?"):
        numpyclip.load("vit-b/32")
    with pytest.raises(RuntimeError, match="not found"):  # what openai/CLIP raises
        numpyclip.load("no/such/file.pt")


@pytest.mark.parametrize("name", ["RN5O", "ViT-B/3", "ViT-L/14@336", "ViT-L-14-33", "tinny"])
def test_no_suggestion_is_made_twice(name: str) -> None:
    """The names of OpenAI's ResNets are those of architectures of OpenCLIP's, and of others, but for a slash."""
    with pytest.raises(ModelNotFoundError) as caught:
        numpyclip.load(name)
    suggested = str(caught.value).partition("Did you mean ")[2].partition("?")[0].split(" or ")
    assert suggested != [""]
    assert len({each.replace("/", "-") for each in suggested}) == len(suggested)


@pytest.mark.parametrize(
    "name",
    [
        "openai/clip-vit-base-patch32",
        "openai/clip-vit-base-patch32@main",
        "https://huggingface.co/openai/clip-vit-base-patch32",
        "huggingface.co/openai/clip-vit-base-patch32/",
    ],
)
def test_a_repository_without_its_prefix_is_understood(name: str) -> None:
    whole = f"hf-hub:{name.removeprefix('https://').removeprefix('huggingface.co/').removesuffix('/')}"
    with pytest.raises(ModelNotFoundError, match=rf"Did you mean '{whole}'\?"):
        numpyclip.load(name)


@pytest.mark.parametrize("name", ["models/epoch_3.pt", "no/such/folder", "../model", "epoch"])
def test_what_is_no_repository_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        numpyclip.load(name)
    assert f"'hf-hub:{name}'" not in str(caught.value)


def test_a_folder_of_such_a_name_is_loaded(checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(checkpoints / "open_clip", tmp_path / "openai" / "clip-vit-base-patch32")
    monkeypatch.chdir(tmp_path)
    assert numpyclip.load("openai/clip-vit-base-patch32")[0].config.family == "open_clip"


def test_a_known_name_is_looked_for_where_downloads_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    with pytest.raises(OfflineError, match=str(tmp_path / "here")):
        numpyclip.load("RN50", download_root=tmp_path / "here")


@pytest.mark.parametrize("device", ["mps", "cpu:1", "tpu"])
def test_a_device_that_no_engine_has_is_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}' in precision 'float32': no engine has both"):
        numpyclip.load("tiny", device)


def test_a_torchscript_archive_records_its_activation(checkpoints: Path) -> None:
    with pytest.raises(CheckpointError, match="records the activation 'quick_gelu', but 'gelu' was passed"):
        numpyclip.load(checkpoints / "vit-torchscript.pt", activation="gelu")


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh"])
def test_a_model_of_the_catalogue_was_trained_with_quickgelu(activation: Any) -> None:
    with pytest.raises(CheckpointError, match="tiny: was trained with the activation 'quick_gelu', but") as caught:
        numpyclip.load("tiny", activation=activation)
    assert "records" not in str(caught.value)
    assert numpyclip.load("tiny", activation="quick_gelu")[0].config == numpyclip.load("tiny")[0].config


def test_an_activation_that_is_not_recorded_is_openais_and_said_aloud(checkpoints: Path) -> None:
    for name in ("vit.safetensors", "vit-state-dict.pt", "vit-legacy.pt"):
        with pytest.warns(UserWarning, match="the activation is not recorded; QuickGELU is used") as caught:
            model, _ = numpyclip.load(checkpoints / name)
        assert model.config.activation == "quick_gelu"
        assert caught[0].filename == __file__  # it points at the caller
    model, _ = numpyclip.load(checkpoints / "vit.safetensors", activation="gelu")
    assert model.config.activation == "gelu"


def test_every_activation_can_be_passed_in_python_and_on_the_command_line(checkpoints: Path) -> None:
    parser = ArgumentParser()
    add_activation_option(parser)
    for activation in ACTIVATIONS:
        model, _ = numpyclip.load(checkpoints / "vit.safetensors", activation=activation)
        assert model.config.activation == activation
        assert parser.parse_args(["--activation", activation]).activation == activation
        assert activation in (numpyclip.load.__doc__ or "")
        assert activation in parser.format_help()


def test_an_activation_of_another_name_is_refused(checkpoints: Path) -> None:
    with pytest.raises(InputError, match="activation is 'relu'; expected 'quick_gelu' or 'gelu' or 'gelu_tanh'"):
        numpyclip.load(checkpoints / "vit.safetensors", activation="relu")  # type: ignore[arg-type]


def test_openclips_folder_records_its_activation(checkpoints: Path, tmp_path: Path) -> None:
    model, _ = numpyclip.load(checkpoints / "open_clip")
    assert model.config.activation == "gelu"
    folder = shutil.copytree(checkpoints / "open_clip", tmp_path / "copy")
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text().replace('"model_cfg": {', '"model_cfg": {"quick_gelu": true,'))
    model, _ = numpyclip.load(folder)
    assert model.config.activation == "quick_gelu"


def test_a_folder_with_one_checkpoint_is_that_checkpoint(checkpoints: Path, tmp_path: Path) -> None:
    shutil.copy(checkpoints / "vit-torchscript.pt", tmp_path / "any name.pt")
    (tmp_path / "README.md").write_text("about")
    model, _ = numpyclip.load(os.fspath(tmp_path))
    assert model.config.embed_dim == 48


def test_a_tensor_without_a_place_is_an_error_that_names_it(checkpoints: Path, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {**np.load(EMBEDDED["tiny"]), "visual.extra": np.zeros(3)}
    np.savez(tmp_path / "more.npz", **arrays)
    with pytest.raises(CheckpointError, match=r"tensor 'visual.extra' has no place in this model; expected"):
        numpyclip.load(tmp_path / "more.npz", activation="quick_gelu")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_of_every_precision_gives_the_same_model(
    checkpoints: Path, tmp_path: Path, dtype: type, save: Callable[..., None]
) -> None:
    arrays = read(checkpoints / "vit-torchscript.pt").arrays
    halves: dict[str, Any] = {
        name: array.astype(np.float16) if array.ndim > 1 else array for name, array in arrays.items()
    }
    np.savez(tmp_path / "halves.npz", **halves)
    save(tmp_path / "copy.npz", **{n: array.astype(dtype) if array.ndim > 1 else array for n, array in halves.items()})
    expected, _ = numpyclip.load(tmp_path / "halves.npz", activation="quick_gelu")
    model, _ = numpyclip.load(tmp_path / "copy.npz", activation="quick_gelu")
    ids = np.array([[94, 7, 1, 95]])
    np.testing.assert_array_equal(model.encode_text(ids), expected.encode_text(ids))


@pytest.mark.parametrize(
    "wrong", [{"name": b"tiny"}, {"pretrained": 3}, {"pretrained": b"openai"}, {"download_root": 3}], ids=str
)
def test_an_argument_that_is_no_name_and_no_path_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"^{next(iter(wrong))} is .*; expected .*path\.$"):
        numpyclip.load(**{"name": "ViT-B-32", **wrong})
