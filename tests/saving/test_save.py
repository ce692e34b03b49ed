import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError, CorruptCheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.model.text.text_transformer import TextTransformer
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.runtime import prepared
from numpyclip.saving import open_clip
from numpyclip.saving.save import Format, save
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer, open_clip_tokenizer
from numpyclip.tokenizer.file_tokenizer import UnreadableTokenizer
from numpyclip.weights.checkpoint import Activation, Checkpoint
from numpyclip.weights.dtypes import BFloat16
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import read_safetensors
from tests.model.golden import TOLERANCE, assert_close, load_golden

FAMILIES = Path(__file__).parents[1] / "golden" / "families"

SOURCES = ("vit-torchscript.pt", "vit-legacy.pt", "resnet-torchscript.pt", "open_clip")


def embeddings(model: CLIP, golden: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([model.encode_image(golden["image"]), model.encode_text(golden["text"])])


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    found: np.ndarray = (ours * theirs).sum(axis=1) / lengths
    return found


# --- OpenCLIP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_of_open_clip_gives_the_very_same(checkpoints: Path, tmp_path: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    folder = save(model, tmp_path / "saved")
    again, preprocess = numpyclip.load(folder)
    np.testing.assert_array_equal(embeddings(again, golden), embeddings(model, golden))
    assert again.fingerprint.weights == model.fingerprint.weights
    assert again.fingerprint.architecture == model.fingerprint.architecture
    assert preprocess.profile == "open_clip"
    assert sorted(file.name for file in folder.iterdir()) == ["open_clip_config.json", "open_clip_model.safetensors"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_half_the_size_and_near(checkpoints: Path, tmp_path: Path, dtype: str) -> None:
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    whole = save(model, tmp_path / "whole") / "open_clip_model.safetensors"
    half = save(model, tmp_path / "half", dtype=dtype) / "open_clip_model.safetensors"  # type: ignore[arg-type]
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    again = embeddings(numpyclip.load(tmp_path / "half")[0], golden)
    bits = {"float16": 11, "bfloat16": 8}[dtype]
    error = np.abs(again - embeddings(model, golden)).max() / np.abs(again).max()
    assert TOLERANCE < error < 4 * 2.0**-bits


def test_names_and_shapes_are_those_of_open_clip(checkpoints: Path, tmp_path: Path) -> None:
    """Equal to those that open_clip itself has written, for a model of the same kind."""
    theirs = read(checkpoints / "open_clip" / "open_clip_model.safetensors").arrays
    model, _ = numpyclip.load(checkpoints / "open_clip")
    assert model.checkpoint is not None
    undescribed = model.checkpoint.read_as(None, "")
    as_openai = CLIP.read(undescribed, model.config, lambda: model.tokenizer)
    ours = read(save(as_openai, tmp_path / "saved") / "open_clip_model.safetensors").arrays
    assert {name: array.shape for name, array in ours.items()} == {n: array.shape for n, array in theirs.items()}


def split_like_transformers(checkpoint: Checkpoint) -> Checkpoint:
    """Give a model what the layout of transformers has: separate matrices, and layers in the place of projections."""
    arrays: dict[str, np.ndarray] = {}
    for name, array in checkpoint.arrays.items():
        if ".in_proj_" in name:
            for part, third in zip("qkv", np.split(array, 3), strict=True):
                arrays[name.replace("in_proj_", f"{part}_proj.")] = third
        elif name in ("visual.proj", "text_projection"):
            arrays[f"{name}.weight"] = array.T
        else:
            arrays[name] = array.reshape(1) if name == "logit_scale" else array
    return Checkpoint(checkpoint.path, arrays)


def test_separate_matrices_are_joined_and_projections_turned(checkpoints: Path, tmp_path: Path) -> None:
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    assert model.checkpoint is not None
    split = CLIP.read(split_like_transformers(model.checkpoint), model.config, lambda: model.tokenizer)
    again, _ = numpyclip.load(save(split, tmp_path / "saved"))
    np.testing.assert_array_equal(embeddings(again, golden), embeddings(model, golden))
    assert again.fingerprint.weights == model.fingerprint.weights


def test_options_of_open_clip_are_written_as_they_were_read(tmp_path: Path) -> None:
    model, golden = load_golden(FAMILIES, "open_clip-clipa")
    assert model.checkpoint is not None
    undescribed = model.checkpoint.read_as(None, "")
    again, _ = numpyclip.load(save(CLIP.read(undescribed, model.config, lambda: model.tokenizer), tmp_path / "saved"))
    assert again.config == model.config
    np.testing.assert_array_equal(embeddings(again, golden), embeddings(model, golden))


def test_the_ratio_of_an_mlp_gives_its_very_width() -> None:
    for width in (192, 640, 768, 1152, 1280, 1408, 1664):
        for mlp_width in range(width, 5 * width, 7):
            config = TransformerConfig(width=width, layers=1, heads=1, mlp_width=mlp_width, activation="gelu")
            ratio = open_clip._transformer(config)["mlp_ratio"]
            assert isinstance(ratio, float)
            assert int(width * ratio) == mlp_width


# --- transformers ------------------------------------------------------------------------------------------

BLOCK = (
    *("layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"),
    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
)
TEXT = (
    *("text_model.embeddings.token_embedding.weight", "text_model.embeddings.position_embedding.weight"),
    *("text_model.final_layer_norm.weight", "text_model.final_layer_norm.bias"),
)
VISION = (
    *("vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.position_embedding.weight"),
    *("vision_model.post_layernorm.weight", "vision_model.post_layernorm.bias"),
)


def blocks(tower: str, count: int) -> set[str]:
    return {
        f"{tower}.encoder.layers.{i}.{part}.{field}"
        for i in range(count)
        for part in BLOCK
        for field in ("weight", "bias")
    }


def test_names_and_shapes_are_those_of_clip_model(checkpoints: Path, tmp_path: Path) -> None:
    model, _ = load_golden(checkpoints, "open_clip")
    saved, metadata = read_safetensors(save(model, tmp_path / "saved", "transformers") / "model.safetensors")
    assert metadata == {"format": "pt"}
    assert set(saved) == {
        *blocks("text_model", 1),
        *blocks("vision_model", 1),
        *TEXT,
        *VISION,
        "vision_model.embeddings.class_embedding",
        "vision_model.pre_layrnorm.weight",
        "vision_model.pre_layrnorm.bias",
        "text_projection.weight",
        "visual_projection.weight",
        "logit_scale",
    }
    assert model.checkpoint is not None
    ours = model.checkpoint.copy
    block = "visual.transformer.resblocks.0"
    q, k, v = (f"vision_model.encoder.layers.0.self_attn.{part}_proj" for part in "qkv")
    joined = np.concatenate([saved[f"{part}.weight"] for part in (q, k, v)])
    np.testing.assert_array_equal(joined, ours(f"{block}.attn.in_proj_weight"))
    joined = np.concatenate([saved[f"{part}.bias"] for part in (q, k, v)])
    np.testing.assert_array_equal(joined, ours(f"{block}.attn.in_proj_bias"))
    np.testing.assert_array_equal(saved["visual_projection.weight"], ours("visual.proj").T)
    np.testing.assert_array_equal(saved["text_projection.weight"], ours("text_projection").T)
    assert saved["logit_scale"].shape == ()


def test_descriptions_say_what_shapes_do_not(checkpoints: Path, tmp_path: Path) -> None:
    model, _ = load_golden(checkpoints, "open_clip")
    folder = save(model, tmp_path / "saved", "transformers", dtype="float16")
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["dtype"], config["projection_dim"]) == ("clip", "float16", 32)
    assert config["vision_config"]["hidden_act"] == config["text_config"]["hidden_act"] == "gelu"
    assert (config["vision_config"]["patch_size"], config["vision_config"]["image_size"]) == (16, 32)
    assert config["text_config"]["eos_token_id"] == 2  # that is: the highest id
    assert config["text_config"]["max_position_embeddings"] == 12
    pictures = json.loads((folder / "preprocessor_config.json").read_text())
    assert pictures["size"] == {"shortest_edge": 32}
    assert pictures["crop_size"] == {"height": 32, "width": 32}
    assert pictures["resample"] == 3


@pytest.mark.parametrize(
    ("activation", "name", "interpolation", "number"),
    [
        ("quick_gelu", "quick_gelu", "bicubic", 3),
        ("gelu", "gelu", "bilinear", 2),
        ("gelu_tanh", "gelu_pytorch_tanh", "bicubic", 3),  # not gelu_new, which means the same
    ],
)
def test_activations_and_filters_are_written_by_the_usual_names_and_read_as_they_were(
    checkpoints: Path, tmp_path: Path, activation: Activation, name: str, interpolation: Any, number: int
) -> None:
    model, _ = load_golden(checkpoints, "open_clip")
    assert model.checkpoint is not None and model.config.text is not None
    assert isinstance(model.config.vision, VisionTransformerConfig)
    config = replace(
        model.config,
        vision=replace(model.config.vision, activation=activation),
        text=replace(model.config.text, activation=activation),
        preprocess=replace(model.preprocess, interpolation=interpolation),
    )
    folder = save(CLIP.read(model.checkpoint, config, default_tokenizer), tmp_path / "saved", "transformers")
    described, pictures = (json.loads((folder / f"{of}config.json").read_text()) for of in ("", "preprocessor_"))
    assert described["text_config"]["hidden_act"] == described["vision_config"]["hidden_act"] == name
    assert pictures["resample"] == number
    again, preprocess = numpyclip.load(folder)
    assert (again.config.activation, preprocess.interpolation) == (activation, interpolation)


def test_the_vocabulary_is_written_for_other_tokenizers(checkpoints: Path, tmp_path: Path) -> None:
    folder = save(load_golden(checkpoints, "open_clip")[0], tmp_path / "saved", "transformers")
    ids = json.loads((folder / "vocab.json").read_text("utf-8"))
    assert len(ids) == 49408
    assert (ids["!"], ids["a</w>"], ids["<|startoftext|>"], ids["<|endoftext|>"]) == (0, 320, 49406, 49407)
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()
    assert merges[:2] == ["#version: 0.2", "i n"]
    assert len(merges) == 1 + 48_894
    assert all(merge.replace(" ", "") in ids for merge in merges[1:])


# --- eight bits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("low_memory", [False, True])
def test_eight_bits_are_a_quarter_of_the_size_and_near(
    checkpoints: Path, tmp_path: Path, name: str, low_memory: bool
) -> None:
    model, golden = load_golden(checkpoints, name)
    folder = save(model, tmp_path / "small", "int8")
    again, preprocess = numpyclip.load(folder, low_memory=low_memory)
    assert (again.config, again.tokenizer.name) == (model.config, model.tokenizer.name)
    assert preprocess == model.preprocess
    assert again.fingerprint.precision == "int8"
    assert "weights: " in again.fingerprint.differences(model.fingerprint)
    loss = 1 - cosines(embeddings(again, golden), embeddings(model, golden))
    assert 1e-8 < loss.max() < 1e-3
    whole = save(model, tmp_path / "whole", "open_clip")
    sizes = [max(file.stat().st_size for file in path.iterdir()) for path in (folder, whole)]
    assert sizes[0] < 0.32 * sizes[1]  # small as these models are, much of them is not rounded


def test_eight_bits_give_the_same_with_low_memory_with_prepared_weights_and_in_any_batch(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    folder = save(model, tmp_path / "small", "int8")
    first = numpyclip.load(folder)[0]
    expected = embeddings(first, golden)
    np.testing.assert_array_equal(embeddings(numpyclip.load(folder, low_memory=True)[0], golden), expected)
    low = pickle.loads(pickle.dumps(numpyclip.load(folder, low_memory=True)[0]))
    np.testing.assert_array_equal(embeddings(low, golden), expected)
    made: list[Any] = []
    monkeypatch.setattr("numpyclip.runtime.weight_store.save_prepared", lambda *_: made.append(_))
    stored = numpyclip.load(folder)[0]
    np.testing.assert_array_equal(embeddings(stored, golden), expected)
    assert not made  # what the first one kept on disk was used
    assert isinstance(stored.text, TextTransformer)
    assert stored.text.token_embedding.itemsize == 1
    one = np.concatenate([stored.encode_image(picture[np.newaxis]) for picture in golden["image"]])
    assert np.abs(one - stored.encode_image(golden["image"])).max() <= TOLERANCE * np.abs(one).max()


def test_large_matrices_are_rounded_and_nothing_else(checkpoints: Path, tmp_path: Path) -> None:
    folder = save(load_golden(checkpoints, "vit-torchscript.pt")[0], tmp_path / "small", "int8", dtype="float16")
    arrays, metadata = read_safetensors(folder / "model.int8.safetensors")
    assert metadata == {"numpyclip.activation": "quick_gelu"}
    assert arrays["token_embedding.weight"].dtype == np.int8
    assert arrays["visual.conv1.weight"].dtype == np.int8
    assert arrays["transformer.resblocks.0.mlp.c_fc.weight"].dtype == np.int8
    for name in ("visual.positional_embedding", "ln_final.weight", "transformer.resblocks.0.mlp.c_fc.bias"):
        assert arrays[name].dtype == np.float16


@pytest.mark.filterwarnings("error")
def test_the_activation_is_recorded_where_no_description_tells(checkpoints: Path, tmp_path: Path) -> None:
    model, _ = numpyclip.load(checkpoints / "vit.safetensors", activation="gelu")
    folder = save(model, tmp_path / "small", "int8")
    assert numpyclip.load(folder)[0].config == model.config
    assert numpyclip.load(folder / "model.int8.safetensors")[0].config == model.config
    with pytest.raises(CheckpointError, match="records the activation 'gelu', but 'quick_gelu'"):
        numpyclip.load(folder, activation="quick_gelu")


def test_eight_bits_can_be_saved_as_floats_again(checkpoints: Path, tmp_path: Path) -> None:
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    small, _ = numpyclip.load(save(model, tmp_path / "small", "int8"))
    wide, _ = numpyclip.load(save(small, tmp_path / "wide"))
    np.testing.assert_array_equal(embeddings(wide, golden), embeddings(small, golden))
    assert wide.fingerprint.weights == small.fingerprint.weights
    assert wide.fingerprint.precision == "float32"


def test_a_number_that_is_none_is_not_rounded(checkpoints: Path, tmp_path: Path) -> None:
    change = {"transformer.resblocks.1.mlp.c_fc.weight": np.nan}
    with pytest.raises(CorruptCheckpointError, match=r"'transformer\.resblocks\.1\.mlp\.c_fc\.weight' holds NaN"):
        save(changed(checkpoints, tmp_path, **change), tmp_path / "small", "int8")
    assert not (tmp_path / "small").exists()


# --- the layout of the source ----------------------------------------------------------------------------------


def test_what_came_from_open_clip_keeps_its_description_its_names_and_its_tokenizer(tmp_path: Path) -> None:
    source = shutil.copytree(FAMILIES / "open_clip-clipa", tmp_path / "source")
    (source / "tokenizer.json").write_text("{}")
    (source / "README.md").write_text("not copied")
    (source / "config.json").write_text("that of another library")
    folder = save(source, tmp_path / "copy", dtype="float16")
    assert sorted(file.name for file in folder.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
    ]
    assert (folder / "tokenizer.json").read_bytes() == b"{}"
    described, kept = (json.loads((path / "open_clip_config.json").read_text()) for path in (source, folder))
    assert kept == described
    theirs = read(source / "open_clip_model.safetensors").arrays
    ours = read(folder / "open_clip_model.safetensors").arrays
    assert set(ours) == set(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


FORMATS: dict[str, Format] = {"open_clip_config.json": "open_clip", "config.json": "transformers"}


def described() -> list[str]:
    names = {file.parent.name for description in FORMATS for file in FAMILIES.glob(f"*/{description}")}
    return sorted(name for name in names if not (FAMILIES / name / "modules.json").exists())  # of several files


@pytest.mark.parametrize("name", described())
def test_every_family_is_kept_in_its_own_layout_and_in_eight_bits(tmp_path: Path, name: str) -> None:
    tmp_path /= name  # which may tell the version
    tmp_path.mkdir()
    model, golden = load_golden(FAMILIES, name)
    description = next(file for file in FORMATS if (FAMILIES / name / file).exists())
    kept, _ = numpyclip.load(save(model, tmp_path / "kept", FORMATS[description]))
    small, _ = numpyclip.load(save(model, tmp_path / "small", "int8"), low_memory=True)
    assert kept.config == small.config == model.config
    assert kept.fingerprint == model.fingerprint
    theirs, ours = (json.loads((folder / description).read_text()) for folder in (FAMILIES / name, tmp_path / "small"))
    assert ours.keys() - {"dtype"} == theirs.keys() - {"dtype", "torch_dtype"}
    for given, wanted in (("image", "encode_image"), ("text", "encode_text")):
        if wanted in golden:
            expected = getattr(model, wanted)(golden[given])
            np.testing.assert_array_equal(getattr(kept, wanted)(golden[given]), expected)
            assert (1 - cosines(getattr(small, wanted)(golden[given]), expected)).max() < 1e-3


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] if row % 4 else []) for row, name in enumerate(described())],
)
def test_every_family_in_bfloat16_gives_what_the_same_numbers_give_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever a family does to its tensors first: they are bits until they are taken."""
    tmp_path /= name  # which may tell the version
    tmp_path.mkdir()
    _, golden = load_golden(FAMILIES, name)
    own = next(FORMATS[file.name] for file in (FAMILIES / name).iterdir() if file.name in FORMATS)
    half, _ = numpyclip.load(save(FAMILIES / name, tmp_path / "half", own, dtype="bfloat16"))
    wide, _ = numpyclip.load(save(half, tmp_path / "wide", own))
    [file] = (tmp_path / "half").glob("*.safetensors")
    assert {type(array) for array in read(file).arrays.values() if array.dtype.kind != "i"} == {BFloat16}
    assert half.fingerprint == wide.fingerprint
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    low, stored = (numpyclip.load(tmp_path / "half", low_memory=low)[0] for low in (True, False))
    for given, wanted in (("image", "encode_image"), ("text", "encode_text")):
        if wanted in golden:
            expected = getattr(wide, wanted)(golden[given])
            for model in (half, low, stored):  # the first keeps what the last one maps
                np.testing.assert_array_equal(getattr(model, wanted)(golden[given]), expected)


def test_what_came_from_transformers_is_told_its_new_number_format(tmp_path: Path) -> None:
    source = Path(shutil.copytree(FAMILIES / "transformers-clip", tmp_path / "source"))
    options = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**options, "torch_dtype": "float16", "dtype": "float32"}))
    model, _ = numpyclip.load(source)
    folder = save(model, tmp_path / "copy", "transformers", dtype="bfloat16")
    described, kept = (json.loads((path / "config.json").read_text()) for path in (source, folder))
    assert kept.pop("dtype") == "bfloat16"
    assert kept == {option: value for option, value in described.items() if option not in ("dtype", "torch_dtype")}
    arrays, metadata = read_safetensors(folder / "model.safetensors")
    assert metadata == {"format": "pt"}
    assert model.checkpoint is not None
    theirs = model.checkpoint.stored
    assert {name: array.shape for name, array in arrays.items()} == {name: a.shape for name, a in theirs.items()}


# --- from one layout into the other ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vit-torchscript.pt", "vit-legacy.pt", "open_clip"])
def test_to_transformers_and_from_there_to_open_clip_gives_the_very_same(
    checkpoints: Path, tmp_path: Path, name: str
) -> None:
    model, golden = load_golden(checkpoints, name)
    there, preprocess = numpyclip.load(save(model, tmp_path / "there", "transformers"))
    np.testing.assert_array_equal(embeddings(there, golden), embeddings(model, golden))
    assert (there.config.text, there.config.vision) == (model.config.text, model.config.vision)
    assert there.fingerprint.architecture == model.fingerprint.architecture
    assert preprocess == replace(model.preprocess, profile="transformers")
    assert there.checkpoint is not None
    there = CLIP.read(there.checkpoint, there.config, lambda: model.tokenizer)
    back, _ = numpyclip.load(save(there, tmp_path / "back"))
    np.testing.assert_array_equal(embeddings(back, golden), embeddings(model, golden))
    assert back.fingerprint.weights == model.fingerprint.weights


@pytest.mark.parametrize("name", ["transformers-clip", "transformers-clip-gelu", "transformers-metaclip-2"])
def test_from_transformers_to_open_clip(tmp_path: Path, name: str) -> None:
    model, golden = load_golden(FAMILIES, name)
    assert model.checkpoint is not None
    with_vocabulary = CLIP.read(model.checkpoint, model.config, default_tokenizer)
    again, _ = numpyclip.load(save(with_vocabulary, tmp_path / "saved"))
    assert_close(again.encode_image(golden["image"]), golden["encode_image"])
    assert_close(again.encode_text(golden["text"]), golden["encode_text"])


# --- what cannot be saved --------------------------------------------------------------------------------------


def changed(checkpoints: Path, tmp_path: Path, **changes: float) -> CLIP:
    """Read a model after its first number of some tensors was replaced."""
    arrays: dict[str, Any] = {n: a.astype(np.float32) for n, a in read(checkpoints / "vit.safetensors").arrays.items()}
    for name, number in changes.items():
        arrays[name].flat[0] = number
    np.savez(tmp_path / "changed.npz", **arrays)
    return numpyclip.load(tmp_path / "changed.npz", activation="gelu")[0]


@pytest.mark.parametrize("format", ["open_clip", "transformers", "int8"])
def test_a_number_too_large_for_half_precision_is_named_and_nothing_is_left(
    checkpoints: Path, tmp_path: Path, format: Format
) -> None:
    model = changed(checkpoints, tmp_path, **{"ln_final.weight": 70000})
    names = r"'(ln_final|text_model\.final_layer_norm)\.weight' cannot be saved as float16: 70000 is too large"
    with pytest.raises(UnsupportedCheckpointError, match=names):
        save(model, tmp_path / "saved", format, dtype="float16")
    assert [path.name for path in tmp_path.iterdir()] == ["changed.npz"]
    save(model, tmp_path / "saved", format, dtype="bfloat16")


def to_transformers(model: CLIP, folder: Path) -> Path:
    return save(model, folder, "transformers")


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("checkpoints/resnet-torchscript.pt", to_transformers, "the layout of transformers, which has no ResNet"),
        ("families/open_clip-clipa", to_transformers, "norm_before is False; expected True"),
        ("families/open_clip-convnext", to_transformers, "the layout of transformers, which has no ConvNeXt"),
        ("families/open_clip-coca", to_transformers, "pool.kind is 'attn'; expected 'tok'"),
        ("families/transformers-clip-text", save, "the layout of OpenCLIP, which has two towers; this model has one"),
        ("families/transformers-clip-vision-bare", save, "projection is None; expected 'linear'"),
        ("families/transformers-siglip", save, "stem.patch_bias is True; expected False"),
    ],
)
def test_what_a_layout_cannot_express_is_named_and_nothing_is_written(
    tmp_path: Path, name: str, write: Callable[[CLIP, Path], Path], message: str
) -> None:
    model, _ = numpyclip.load(FAMILIES.parent / name)
    with pytest.raises(UnsupportedCheckpointError, match=message):
        write(model, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("clean", ["canonicalize", "whitespace"])
def test_another_tokenizer_than_the_layout_s_is_refused_and_nothing_is_written(
    checkpoints: Path, tmp_path: Path, clean: str
) -> None:
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    assert model.checkpoint is not None
    other = CLIP.read(model.checkpoint, model.config, lambda: open_clip_tokenizer(clean))
    unlike = CLIP.read(model.checkpoint, model.config, lambda: UnreadableTokenizer("openai", "not installed"))
    for each, name in ((other, f"open_clip {clean}"), (unlike, "openai")):
        with pytest.raises(UnsupportedCheckpointError, match=f"tokenizer is '{name}'; expected OpenAI's voc"):
            save(each, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    usual = CLIP.read(model.checkpoint, model.config, open_clip_tokenizer)
    assert save(usual, tmp_path / "saved").is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "onnx"}, "format is 'onnx'; expected 'open_clip' or 'transformers' or 'int8'"),
        ({"dtype": "int4"}, "dtype is 'int4'; expected 'float32'"),
    ],
)
def test_wrong_arguments_are_named(tiny: CLIP, tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        save(tiny, tmp_path / "saved", **options)  # type: ignore[arg-type]


def test_a_pickled_model_is_told_to_be_loaded_again(tiny: CLIP, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pickled, .* cannot be saved; expected one from numpyclip\.load"):
        save(pickle.loads(pickle.dumps(tiny)), tmp_path / "saved")


def test_a_name_is_as_good_as_a_model(tmp_path: Path, tiny: CLIP) -> None:
    again, _ = numpyclip.load(numpyclip.save("tiny", tmp_path / "tiny"))
    assert_close(again.embed_texts("a dog"), tiny.embed_texts("a dog"))


# --- models that are not quite what lies beside their weights -----------------------------------------------


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    file = folder / "open_clip_config.json"
    config = json.loads(file.read_text("utf-8"))
    change(config)
    file.write_text(json.dumps(config), "utf-8")
    return folder


def test_texts_that_are_cleaned_otherwise_are_not_saved_for_transformers(checkpoints: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoints / "open_clip", tmp_path / "model"))
    edited(folder, lambda config: config["model_cfg"]["text_cfg"].update(tokenizer_kwargs={"clean": "canonicalize"}))
    with pytest.raises(UnsupportedCheckpointError, match="open_clip canonicalize"):
        save(folder, tmp_path / "saved", "transformers")


def test_the_source_is_known_after_a_change_of_the_working_folder(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(checkpoints / "open_clip", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    model, _ = numpyclip.load("model")
    monkeypatch.chdir("/")
    with pytest.raises(InputError, match="holds the model that is being saved"):
        save(model, tmp_path / "model", overwrite=True)
