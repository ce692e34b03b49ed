"""Models keep their own layout: the very description that they were read by, and what lies beside their weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.saving.save import Format, save
from numpyclip.weights import published
from numpyclip.weights.safetensors import read_safetensors
from tests.model.golden import load_golden
from tests.weights.hub_server import using

FAMILIES = Path(__file__).parents[1] / "golden" / "families"
CHECKPOINTS = FAMILIES.parent / "checkpoints"
DESCRIPTION = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
FORMATS: tuple[Format, ...] = ("transformers", "int8")


def described(folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    return options


def enter(monkeypatch: pytest.MonkeyPatch, model_cfg: dict[str, Any], **tag: Any) -> None:
    """Put an architecture into the table of published models, alone, as Toy, with weights whose tag is "tag"."""
    toy = {"model_cfg": model_cfg, "quickgelu": True, "tags": {"tag": {"hub": "someone/model", **tag}}}
    table = {"normalisations": published._table()["normalisations"], "architectures": {"Toy": toy}}
    monkeypatch.setattr(published, "_table", lambda: table)


def read_again(model: CLIP, folder: Path) -> list[CLIP]:
    """Save a model in its own layout and as int8, and load both."""
    folder.mkdir(exist_ok=True)
    formats: tuple[Format, ...] = ("open_clip", "int8")
    again = [numpyclip.load(save(model, folder / format, format))[0] for format in formats]
    image = np.zeros((1, 3, *model.preprocess.sides), np.float32)
    np.testing.assert_array_equal(again[0].encode_image(image), model.encode_image(image))
    return again


@pytest.mark.parametrize(
    "name",
    ["open_clip-clipa", "open_clip-coca", "open_clip-convnext", "open_clip-convnext-abs_attn", "open_clip-wide",
     "open_clip-fastvit-rot_attn", "timm-siglip", "timm-pe", "timm-vitamin", "timm-registers", "timm-naflex"],
)  # fmt: skip
def test_weights_of_ones_own_keep_the_description_of_their_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    enter(monkeypatch, described(FAMILIES / name)["model_cfg"])
    (tmp_path / "alone").mkdir()
    file = Path(shutil.copy(FAMILIES / name / WEIGHTS, tmp_path / "alone" / "epoch_3.safetensors"))
    model, _ = numpyclip.load("Toy", pretrained=file)
    for again in read_again(model, tmp_path):
        assert again.config == model.config
    assert described(tmp_path / "int8") == described(tmp_path / "open_clip")
    assert set(read_safetensors(tmp_path / "open_clip" / WEIGHTS)[0]) == set(read_safetensors(file)[0])


def test_what_a_tag_says_is_kept_whatever_the_repository_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CHECKPOINTS / "open_clip"
    enter(monkeypatch, described(source)["model_cfg"], quick_gelu=True, preprocess=["inception", "bilinear", "squash"])
    files = {WEIGHTS: (source / WEIGHTS).read_bytes(), DESCRIPTION: (source / DESCRIPTION).read_bytes()}
    with using(files, tmp_path / "home"), pytest.warns(UserWarning, match="that of Toy tag is 'quick_gelu'"):
        model, preprocess = numpyclip.load("Toy", pretrained="tag")
    for again in read_again(model, tmp_path):
        assert (again.config.activation, again.preprocess) == ("quick_gelu", preprocess)
        assert again.config == model.config
    assert described(tmp_path / "int8")["model_cfg"]["quick_gelu"] is True
    assert described(tmp_path / "int8")["preprocess_cfg"]["resize_mode"] == "squash"


def test_a_description_that_is_changed_or_removed_afterwards_is_kept_as_it_was_read(tmp_path: Path) -> None:
    source = Path(shutil.copytree(FAMILIES / "open_clip-quickgelu", tmp_path / "model"))
    before = described(source)
    model, _ = numpyclip.load(source)
    (source / DESCRIPTION).write_text("{}")
    read_again(model, tmp_path / "changed")
    (source / DESCRIPTION).unlink()
    for again in read_again(model, tmp_path / "removed"):
        assert again.config == model.config
    assert described(tmp_path / "changed" / "int8") == described(tmp_path / "removed" / "open_clip") == before


def test_an_option_that_is_null_stays_null(tmp_path: Path) -> None:
    """To open_clip that is not always the same as one that is left out."""
    source = Path(shutil.copytree(FAMILIES / "open_clip-clipa", tmp_path / "model"))
    options = described(source)
    options["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = options["version"] = None
    (source / DESCRIPTION).write_text(json.dumps(options), "utf-8")
    for folder in (save(source, tmp_path / "int8", "int8"), save(source, tmp_path / "kept")):
        assert described(folder) == options


def test_sizes_that_openais_archives_record_are_no_weights_of_open_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses what it does not know."""
    archive = CHECKPOINTS / "vit-torchscript.pt"
    openai, _ = load_golden(CHECKPOINTS, archive.name)
    options = described(save(openai, tmp_path / "openai"))
    enter(monkeypatch, options["model_cfg"])
    model, _ = numpyclip.load("Toy", pretrained=archive)
    assert model.checkpoint is not None
    assert "input_resolution" in model.checkpoint.stored
    folder = save(model, tmp_path / "saved")
    assert set(read_safetensors(folder / WEIGHTS)[0]) == set(read_safetensors(tmp_path / "openai" / WEIGHTS)[0])


def test_what_nothing_describes_but_its_tensors_is_not_made_openais(tmp_path: Path) -> None:
    model, _ = load_golden(FAMILIES, "open_clip-clipa")
    assert model.checkpoint is not None
    plain = CLIP.read(model.checkpoint.read_as(None, ""), model.config, lambda: model.tokenizer)
    with pytest.raises(UnsupportedCheckpointError, match=r"cannot be saved as int8: .* has no config file"):
        save(plain, tmp_path / "int8", "int8")


def test_files_that_diffusers_has_in_folders_beside_the_model_are_copied(tmp_path: Path) -> None:
    """The processor of an image tower, and the tokenizer of a text tower."""
    shutil.copytree(FAMILIES / "transformers-clip-vision", tmp_path / "image_encoder")
    (tmp_path / "feature_extractor").mkdir()
    (tmp_path / "image_encoder" / "preprocessor_config.json").unlink(missing_ok=True)
    options = {"image_processor_type": "CLIPImageProcessor", "size": 32, "crop_size": 32, "image_mean": [0.1, 0.2, 0.3]}
    (tmp_path / "feature_extractor" / "preprocessor_config.json").write_text(json.dumps(options))
    model = numpyclip.load(tmp_path / "image_encoder")[0]
    for format in FORMATS:
        saved = numpyclip.load(save(model, tmp_path / format, format))[0]
        assert saved.preprocess == model.preprocess

    shutil.copytree(FAMILIES / "transformers-clip-text", tmp_path / "text_encoder")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "vocab.json").write_text("{}")
    saved_folder = save(numpyclip.load(tmp_path / "text_encoder")[0], tmp_path / "saved", "int8")
    assert (saved_folder / "vocab.json").read_text() == "{}"
