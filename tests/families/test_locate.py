"""OpenCLIP's names: of a toy that a hub on this machine has, and of a table with that toy alone."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, DownloadError, InputError, ModelNotFoundError, UnsupportedCheckpointError
from numpyclip.families import open_clip
from numpyclip.families.locate import find_architecture, is_supported
from numpyclip.families.unknown_names import unknown_name
from numpyclip.runtime import prepared
from numpyclip.tokenizer.hugging_face import open_clip_file_tokenizer
from numpyclip.weights import published
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.sources import Weights
from tests.families.test_parity import FAMILIES
from tests.weights.forged import GOLDEN
from tests.weights.hub_server import Hub, using

FOLDER = GOLDEN / "open_clip"
CONFIG = json.loads((FOLDER / "open_clip_config.json").read_text("utf-8"))["model_cfg"]
WEIGHTS = "open_clip_model.safetensors"
TEXT = FAMILIES / "transformers-clip-text"
TOKENIZERS = FAMILIES.parent / "tokenizers"
INPUTS = np.random.default_rng(3).standard_normal((2, 3, CONFIG["vision_cfg"]["image_size"], 32)).astype(np.float32)


def row(**facts: Any) -> dict[str, Any]:
    return {"hub": "someone/model", **facts}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A table with one architecture, that of a golden model, and weights that differ in what is said of them."""
    toy = {
        "model_cfg": CONFIG,
        "quickgelu": True,
        "tags": {
            "plain": row(),
            "quick": row(quick_gelu=True),
            "other_mean": row(preprocess=["inception", "bicubic", "squash"]),
            "openai": row(openai="RN50", quick_gelu=True),
        },
    }
    strange = {"model_cfg": {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "eyes": 3}}, "tags": {"plain": row()}}
    normalisations = published._table()["normalisations"]
    table = {"normalisations": normalisations, "architectures": {"Toy-8": toy, "Strange": strange}}
    monkeypatch.setattr(published, "_table", lambda: table)
    return table


@pytest.fixture
def hub(tmp_path: Path, table: dict[str, Any]) -> Iterator[Hub]:
    with using({WEIGHTS: (FOLDER / WEIGHTS).read_bytes()}, tmp_path / "home") as hub:
        yield hub


def embed(name: str | Path, **options: Any) -> np.ndarray:
    model, _ = numpyclip.load(name, **options)
    return model.encode_image(INPUTS)


def as_described(tmp_path: Path, **options: Any) -> np.ndarray:
    """Embed by a folder that says of the same weights what it is told here."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "described", dirs_exist_ok=True))
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {**CONFIG, **options}}), "utf-8")
    return embed(folder)


# By a tag


def test_a_tag_stands_for_a_repository_and_its_description_is_that_of_the_table(hub: Hub, tmp_path: Path) -> None:
    np.testing.assert_array_equal(embed("Toy-8", pretrained="plain"), as_described(tmp_path))
    assert hub.fetched == [WEIGHTS]


def test_the_table_describes_a_repository_without_a_config_file(
    hub: Hub, table: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="the activation is not recorded"):  # of four tags none is chosen
        numpyclip.load("hf-hub:someone/model")
    table["architectures"].pop("Strange")
    tags = table["architectures"]["Toy-8"]["tags"]
    for tag in ("plain", "other_mean", "openai"):
        tags.pop(tag)
    np.testing.assert_array_equal(embed("hf-hub:someone/model"), as_described(tmp_path, quick_gelu=True))


@pytest.mark.parametrize("name", ["Toy-8", "Toy/8", "Toy-8-quickgelu"])
def test_a_tag_that_was_trained_with_quickgelu_is_computed_with_it(hub: Hub, tmp_path: Path, name: str) -> None:
    """Where open_clip warns, and for the name without quickgelu computes GELU."""
    found = embed(name, pretrained="quick")
    np.testing.assert_array_equal(found, as_described(tmp_path, quick_gelu=True))
    assert np.abs(found - as_described(tmp_path)).max() > 1e-4


def test_weights_of_a_tag_may_have_any_name_if_they_are_the_only_ones(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"epoch_32.safetensors": hub.files[WEIGHTS]}
    np.testing.assert_array_equal(embed("Toy-8", pretrained="plain"), as_described(tmp_path))


def test_a_tag_says_how_pictures_are_prepared(hub: Hub) -> None:
    _, preprocess = numpyclip.load("Toy-8", pretrained="other-mean")
    assert (preprocess.mean, preprocess.resize_mode) == ((0.5, 0.5, 0.5), "squash")


def test_openais_tag_is_the_model_of_the_catalogue(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpyclip.weights.sources.obtain", lambda *_: Weights(GOLDEN / "vit-torchscript.pt", False))
    model, _ = numpyclip.load("Toy-8", pretrained="openai")
    assert (model.config.family, model.config.activation) == ("openai", "quick_gelu")
    assert table["architectures"]["Toy-8"]["tags"]["openai"]["openai"] in DOWNLOADABLE


def test_a_repository_that_says_otherwise_of_the_activation_is_warned_of(hub: Hub) -> None:
    hub.files["open_clip_config.json"] = b'{"model_cfg": {"quick_gelu": true}}'
    with pytest.warns(
        UserWarning, match="is 'quick_gelu'; that of Toy-8 plain is 'gelu'. The latter is used"
    ) as caught:
        model, _ = numpyclip.load("Toy-8", pretrained="plain")
    assert caught[0].filename == __file__  # it points at the caller
    assert model.config.activation == "gelu"


def test_a_repository_of_the_table_by_its_own_name_is_computed_as_the_table_says(
    hub: Hub, table: dict[str, Any], tmp_path: Path
) -> None:
    hub.files["open_clip_config.json"] = json.dumps({"model_cfg": CONFIG}).encode()
    tags = {"quick": row(quick_gelu=True)}
    table["architectures"] = {"Toy-8": {**table["architectures"]["Toy-8"], "tags": tags}}
    with pytest.warns(UserWarning, match="is 'gelu'; that of Toy-8 quick is 'quick_gelu'. The latter is used; load"):
        found = embed("hf-hub:someone/model@main")
    np.testing.assert_array_equal(found, as_described(tmp_path, quick_gelu=True))


@pytest.mark.parametrize("tags", [{"plain": row()}, {"plain": row(), "quick": row(quick_gelu=True)}, {}])
def test_a_repository_that_the_table_does_not_contradict_is_what_its_config_file_says(
    hub: Hub, table: dict[str, Any], tmp_path: Path, tags: dict[str, Any]
) -> None:
    hub.files["open_clip_config.json"] = json.dumps({"model_cfg": CONFIG}).encode()
    table["architectures"] = {"Toy-8": {**table["architectures"]["Toy-8"], "tags": tags}}
    np.testing.assert_array_equal(embed("hf-hub:someone/model"), as_described(tmp_path))


# Subfolders of a repository

CLIP = FAMILIES / "transformers-clip"


def test_the_only_model_of_a_repository_may_be_in_a_subfolder(hub: Hub) -> None:
    hub.files = {f"0_CLIPModel/{file.name}": file.read_bytes() for file in CLIP.iterdir()}
    hub.files |= {"modules.json": b"[]", "README.md": b"", "1_Pooling/config.json": b"{}"}
    image = np.zeros((1, 3, 32, 32), np.float32)
    expected = numpyclip.load(CLIP)[0].encode_image(image)
    found, _ = numpyclip.load("hf-hub:someone/model")
    np.testing.assert_array_equal(found.encode_image(image), expected)
    assert {name.split("/")[0] for name in hub.fetched} <= {"0_CLIPModel", "1_Pooling", "modules.json"}
    hub.asked.clear()
    named, _ = numpyclip.load("hf-hub:someone/model/0_CLIPModel@v2")
    np.testing.assert_array_equal(named.encode_image(image), expected)


def test_of_several_subfolders_one_must_be_named(hub: Hub) -> None:
    for folder in ("text_encoder", "text_encoder_2"):
        hub.files |= {f"{folder}/{file.name}": file.read_bytes() for file in TEXT.iterdir()}
    hub.files |= {"tokenizer_2/vocab.json": b"{}", "tokenizer/vocab.json": b"{}", "unet/config.json": b"{}"}
    del hub.files[WEIGHTS]
    with pytest.raises(
        ModelNotFoundError, match=r"2 subfolders \('text_encoder', 'text_encoder_2'\); .* hf-hub:someone/"
    ):
        numpyclip.load("hf-hub:someone/model@main")
    hub.revisions = ("main/text_encoder_2",)  # a branch of such a name is looked for
    with pytest.raises(ModelNotFoundError, match=r"Name one of them: hf-hub:someone/model/text_encoder_2@main\."):
        numpyclip.load("hf-hub:someone/model@main/text_encoder_2")
    hub.revisions = ("main",)
    model, _ = numpyclip.load("hf-hub:someone/model/text_encoder_2")
    assert model.config.vision is None
    assert "tokenizer_2/vocab.json" in hub.fetched
    assert "tokenizer/vocab.json" not in hub.fetched
    for wrong in ("unet", "text_encoder_3"):
        with pytest.raises(ModelNotFoundError, match="has no weights"):
            numpyclip.load(f"hf-hub:someone/model/{wrong}")


def test_a_folder_of_ones_own_that_says_otherwise_of_the_activation_is_refused(
    table: dict[str, Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "own"))
    (folder / "open_clip_config.json").write_text('{"model_cfg": {"quick_gelu": true}}', "utf-8")
    with pytest.raises(CheckpointError, match=r"is 'quick_gelu'; that of Toy-8 is 'gelu'. Load the folder by its name"):
        numpyclip.load("Toy-8", pretrained=folder)


def test_the_activation_that_is_passed_must_be_that_of_the_tag(hub: Hub) -> None:
    with pytest.raises(CheckpointError, match="'quick_gelu', but 'gelu' was passed"):
        numpyclip.load("Toy-8", pretrained="quick", activation="gelu")


def test_what_cannot_be_run_is_refused_by_its_description_and_not_downloaded(hub: Hub) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=r"Strange plain: model_cfg.vision_cfg.eyes is 3"):
        numpyclip.load("Strange", pretrained="plain")
    assert hub.asked == []
    assert not is_supported(find_architecture("Strange"), find_architecture("Strange").models["plain"])
    assert is_supported(find_architecture("Toy-8"), find_architecture("Toy-8").models["plain"])


def test_the_same_file_described_otherwise_is_prepared_otherwise(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean is part of the prepared weights, which are kept on disk."""
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    before = embed("Toy-8", pretrained="other_mean")
    embed("Toy-8", pretrained="plain")
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    model, _ = numpyclip.load("Toy-8", pretrained="other_mean")
    again, _ = numpyclip.load("Toy-8", pretrained="other_mean", low_memory=True)  # keeps nothing
    np.testing.assert_array_equal(model.encode_image(INPUTS), before)
    np.testing.assert_allclose(model.encode_image(pixels), again.encode_image(pixels), rtol=0, atol=1e-5)
    assert len(prepared.prepared_files()) == 2


def test_a_tokenizer_is_looked_for_beside_the_weights(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    monkeypatch.setattr(open_clip, "_tokenizer", lambda section, folder: folders.append(folder))
    numpyclip.load("Toy-8", pretrained="plain")
    assert (folders[-1] / WEIGHTS).is_file()
    for own in (FOLDER, FOLDER / WEIGHTS):
        numpyclip.load("Toy-8", pretrained=own)
        assert folders[-1] == FOLDER


# Encoders of texts, whose tokenizer is that of another repository


@pytest.fixture
def repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Two repositories, of weights and of the tokenizer that they name; the files that were chosen of each."""
    weights, tokenizer = tmp_path / "weights", tmp_path / "tokenizer"
    shutil.copytree(FAMILIES / "open_clip-roberta", weights)
    shutil.copytree(TOKENIZERS / "roberta", tokenizer)
    asked: dict[str, set[str]] = {}

    def obtain(name: str, choose: Callable[[list[str]], list[str]], cache_dir: object = None) -> Path:
        folder = {"hf-hub:someone/model": weights, "hf-hub:organization/own": tokenizer}.get(name)
        if folder is None or not folder.is_dir():
            raise DownloadError(f"{name} is not there")
        asked[name] = set(choose([file.name for file in folder.iterdir()]))
        return folder

    monkeypatch.setattr("numpyclip.weights.hub.obtain", obtain)
    return asked


def test_a_tokenizer_is_fetched_that_is_not_beside_the_weights(repositories: dict[str, set[str]]) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    model, _ = numpyclip.load("hf-hub:someone/model")
    assert repositories["hf-hub:organization/own"] == {"tokenizer.json", "tokenizer_config.json"}
    expected = open_clip_file_tokenizer(TOKENIZERS / "roberta", "", "whitespace", strip_sep_token=False)
    assert np.array_equal(model.tokenize("a dog"), expected("a dog", 12))


def test_one_beside_the_weights_is_used(repositories: dict[str, set[str]], tmp_path: Path) -> None:
    shutil.copy(TOKENIZERS / "bert" / "tokenizer.json", tmp_path / "weights")
    numpyclip.load("hf-hub:someone/model")
    assert repositories.keys() == {"hf-hub:someone/model"}


def test_images_need_none(repositories: dict[str, set[str]], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "tokenizer")
    model, _ = numpyclip.load("hf-hub:someone/model")
    assert model.encode_image(np.zeros((1, 3, 16, 16), np.float32)).shape == (1, 24)
    with pytest.raises(CheckpointError, match="was trained with that of 'organization/own': put it, from huggingface"):
        model.tokenize("a dog")


# By a file of one's own


def test_a_file_of_ones_own_is_of_the_architecture(table: dict[str, Any], tmp_path: Path) -> None:
    table["architectures"]["Toy-8"]["tags"].pop("other_mean")
    expected = as_described(tmp_path)
    np.testing.assert_array_equal(embed("Toy-8", pretrained=FOLDER / WEIGHTS), expected)
    np.testing.assert_array_equal(embed("Toy-8", pretrained=str(FOLDER)), expected)
    shutil.copy(FOLDER / WEIGHTS, tmp_path / "described" / "epoch_3.pt")
    (tmp_path / "described" / WEIGHTS).unlink()
    np.testing.assert_array_equal(embed("Toy-8", pretrained=tmp_path / "described"), expected)
    quick = embed("Toy-8-quickgelu", pretrained=FOLDER / WEIGHTS)
    np.testing.assert_array_equal(quick, as_described(tmp_path, quick_gelu=True))


def test_a_file_alone_is_prepared_as_its_published_kin_and_said_aloud(table: dict[str, Any]) -> None:
    tags = table["architectures"]["Toy-8"]["tags"]
    table["architectures"]["Toy-8"]["tags"] = {"other_mean": tags["other_mean"]}
    with pytest.warns(UserWarning, match="Images are preprocessed as for the published weights of Toy-8") as caught:
        _, preprocess = numpyclip.load("Toy-8", pretrained=FOLDER / WEIGHTS)
    assert caught[0].filename == __file__
    assert preprocess.mean == (0.5, 0.5, 0.5)


def test_a_file_that_records_another_activation_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"Toy-8: describes .* 'gelu', but .*torchscript.pt records 'quick_gelu'"):
        numpyclip.load("Toy-8", pretrained=GOLDEN / "vit-torchscript.pt")


# What there is not


def test_an_unknown_tag_is_an_error_that_lists_those_there_are(table: dict[str, Any]) -> None:
    with pytest.raises(
        ModelNotFoundError,
        match=r"Toy-8: 'plane' is neither .* Did you mean 'plain'. Expected plain, quick, other_mean, openai",
    ):
        numpyclip.load("Toy-8", pretrained="plane")
    with pytest.raises(
        ModelNotFoundError, match=r"Toy-8: 'nope' is neither one of its tags nor a file or folder here\. Expected plain"
    ):
        numpyclip.load("Toy-8", pretrained="nope")  # "openai" is no closer than chance
    with pytest.raises(
        ModelNotFoundError, match=r"Toy-8-quickgelu: 'plain' is neither .* here. Expected quick, openai"
    ):
        numpyclip.load("Toy-8-quickgelu", pretrained="plain")
    with pytest.raises(ModelNotFoundError, match="'' is neither"):
        numpyclip.load("Toy-8", pretrained="")


def test_an_unknown_architecture_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(ModelNotFoundError, match="Did you mean 'ViT-B-32'"):
        numpyclip.load("ViT-B-33", pretrained="laion2b_s34b_b79k")


def test_an_architecture_alone_is_half_a_name() -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"ViT-B-32 is an .*\(pretrained='openai'\); another tag \(laion400m_e31, "
    ):
        numpyclip.load("ViT-B-32")
    with pytest.raises(ModelNotFoundError, match=r"too: --pretrained webli \(pretrained='webli'\), or a file\."):
        numpyclip.load("ViT-B-16-SigLIP2")
    with pytest.raises(ModelNotFoundError, match="ViT-S-32 has no published weights; pass a file: --pretrained FILE"):
        numpyclip.load("ViT-S-32")


@pytest.mark.parametrize("name", ["hf-hub:someone/model", str(FOLDER)])
def test_what_is_no_published_model_is_not_told_to_be_unknown(name: str) -> None:
    error = str(unknown_name(name))
    assert "expected a name that `numpyclip models --all` lists" in error
    assert "Known names" not in error


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "tiny", "ViT-L/14@336px", FOLDER])
def test_what_has_weights_of_its_own_takes_no_others(name: str | Path) -> None:
    with pytest.raises(InputError, match="is not an architecture of OpenCLIP's; leave `pretrained` out"):
        numpyclip.load(name, pretrained="laion2b_s34b_b79k")


# Repositories by their names


def test_a_repository_is_loaded_as_the_folder_that_it_is(hub: Hub) -> None:
    hub.files["open_clip_config.json"] = (FOLDER / "open_clip_config.json").read_bytes()
    np.testing.assert_array_equal(embed("hf-hub:someone/model"), embed(FOLDER))
    np.testing.assert_array_equal(embed("hf-hub:someone/model@v2"), embed(FOLDER))


def test_weights_of_a_tag_are_openclips_whatever_else_the_repository_describes(hub: Hub, tmp_path: Path) -> None:
    hub.files |= {"config.json": b'{"model_type": "clip"}', "model.safetensors": b"those of transformers"}
    np.testing.assert_array_equal(embed("Toy-8", pretrained="plain"), as_described(tmp_path))
    assert WEIGHTS in hub.fetched
    assert "model.safetensors" not in hub.fetched
