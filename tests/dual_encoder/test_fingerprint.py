import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.engines.openvino import OpenVINO
from numpyclip.errors import InputError
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import unwritten, write_safetensors
from tests.families.altered import FAMILIES

TINY = "ab5d83368c0eea1fdc88b2a0694b95d40c445a8ec8d7c924ec409b8e8a575089"


@pytest.fixture(scope="module")
def fingerprint(checkpoints: Path) -> Fingerprint:
    return numpyclip.load(checkpoints / "vit-torchscript.pt")[0].fingerprint


def of(path: Path, **options: object) -> Fingerprint:
    return numpyclip.load(path, **options)[0].fingerprint  # type: ignore[arg-type]


def test_the_same_weights_have_the_same_in_any_file(
    checkpoints: Path, tmp_path: Path, fingerprint: Fingerprint
) -> None:
    arrays = read(checkpoints / "vit-torchscript.pt").arrays
    tensors = [tensor for name, array in arrays.items() for tensor in unwritten(name, array)]
    write_safetensors(tmp_path / "copy.safetensors", tensors)
    wide: dict[str, Any] = {name: array.astype(np.float64) for name, array in arrays.items()}
    np.savez(tmp_path / "copy.npz", **wide)
    for file in ("copy.safetensors", "copy.npz"):
        assert of(tmp_path / file, activation="quick_gelu") == fingerprint
    assert of(checkpoints / "vit-torchscript.pt", low_memory=True) == fingerprint


def test_another_activation_is_told(checkpoints: Path) -> None:
    file = checkpoints / "vit.safetensors"
    told = of(file, activation="quick_gelu").differences(of(file, activation="gelu"))
    parts = [" ".join(f"{tower}.activation={name}" for tower in ("vision", "text")) for name in ("quick_gelu", "gelu")]
    assert told == f"architecture: {parts[0]}, not {parts[1]}"


def test_one_number_of_the_weights_is_told(checkpoints: Path, tmp_path: Path) -> None:
    arrays = {name: array.copy() for name, array in read(checkpoints / "vit.safetensors").arrays.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    arrays["ln_final.bias"][3] = np.nextafter(arrays["ln_final.bias"][3], np.float16(9))
    np.savez(tmp_path / "b.npz", **arrays)
    a, b = (of(tmp_path / file, activation="gelu") for file in ("a.npz", "b.npz"))
    assert a != b
    assert a.differences(b) == f"weights: {a.weights}, not {b.weights}"


@pytest.mark.parametrize("option", ["interpolation", "resize_mode"])
def test_another_preprocessing_is_told(checkpoints: Path, tmp_path: Path, option: str) -> None:
    shutil.copytree(checkpoints / "open_clip", tmp_path / "copy")
    description = json.loads((tmp_path / "copy" / "open_clip_config.json").read_text())
    value = {"interpolation": "bilinear", "resize_mode": "squash"}[option]
    description["preprocess_cfg"][option] = value
    (tmp_path / "copy" / "open_clip_config.json").write_text(json.dumps(description))
    told = of(checkpoints / "open_clip").differences(of(tmp_path / "copy"))
    assert told == f"preprocess: {option}=default, not {option}={value}"


def test_a_tokenizer_is_told(fingerprint: Fingerprint) -> None:
    other = dataclasses.replace(fingerprint, tokenizer="bert")
    assert fingerprint.differences(other) == "tokenizer: openai, not bert"
    assert fingerprint.differences(fingerprint) == ""


def test_only_what_differs_is_told(fingerprint: Fingerprint) -> None:
    mine, yours = (
        dataclasses.replace(fingerprint, architecture=text) for text in ("a=1 b=(c=(d=2 e=(1,2)) f=3)", "a=1")
    )
    assert mine.differences(yours) == (
        "architecture: b.c.d=2 b.c.e=(1,2) b.f=3, not b.c.d=default b.c.e=default b.f=default"
    )
    turned = (
        dataclasses.replace(fingerprint, architecture="b=2 a=1)) (=("),
        dataclasses.replace(fingerprint, architecture=""),
    )
    assert turned[0].differences(turned[1]).startswith("architecture: ")  # an index may hold anything


def test_what_is_no_fingerprint_cannot_be_compared(fingerprint: Fingerprint, tiny: CLIP) -> None:
    with pytest.raises(InputError, match="got CLIP; expected a Fingerprint"):
        fingerprint.is_comparable(tiny)  # type: ignore[arg-type]


def test_json_there_and_back(fingerprint: Fingerprint) -> None:
    text = fingerprint.to_json()
    assert "\n" not in text
    assert Fingerprint.from_json(text) == fingerprint
    compared = {"weights", "architecture", "preprocess", "tokenizer", "precision"}
    assert set(json.loads(text)) == {*compared, "weights_float16", "file_dtype", "text_model"}
    older = Fingerprint.from_json(
        json.dumps({key: value for key, value in json.loads(text).items() if key in compared})
    )
    assert older == fingerprint
    assert (older.weights_float16, older.file_dtype) == ("", "")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{", '{"weights": 1}', "[" * 100_000, '{"weights": "a", "other": "b"}']
)
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no fingerprint"):
        Fingerprint.from_json(text)


def test_it_reads_as_one_short_line(fingerprint: Fingerprint) -> None:
    expected = f"weights {fingerprint.weights[:12]}, preprocess size=32, tokenizer openai, float32 (file: float16)"
    assert str(fingerprint) == expected


def test_it_is_the_same_ever_after() -> None:
    """An index keeps it for years: if this fails, those that exist become useless without need."""
    assert numpyclip.load("tiny")[0].fingerprint == Fingerprint(
        weights=TINY,
        architecture="embed_dim=128 vision=(image_size=64 width=24 layers=(1,1,1,1) heads=12) text=(width=128 layers=3 "
        "heads=2 mlp_width=512 activation=quick_gelu context_length=77 vocab_size=49408)",
        preprocess="size=64",
        tokenizer="openai",
        precision="float32",
    )


@pytest.mark.parametrize(
    ("name", "vision"),
    [
        ("open_clip-coca", "image_size=24 patch_size=8 pool=attn pool_heads=4 queries=6"),
        ("timm-eva01_mean", "norm_before=False pool=avg norm_after_pool=True projection_mlp=True"),
        ("timm-pe", "columns_first=True) image_size=40 patch_size=8 pool=map pool_heads=8 pool_mlp_width=192"),
        ("transformers-clip-vision-bare", "image_size=32 patch_size=8 projection=False"),
        ("apple-mobileclip_b", "stem_width=32 stem_border=True patch_bias=True class_position=False norm_before=False"),
    ],
)
def test_options_have_the_names_ever_after_that_indexes_hold(name: str, vision: str) -> None:
    assert f"{vision})" in numpyclip.load(FAMILIES / name)[0].fingerprint.architecture


def test_a_copy_of_another_process_has_it_without_the_checkpoint(checkpoints: Path) -> None:
    model, _ = numpyclip.load(checkpoints / "vit-torchscript.pt")
    copy: CLIP = pickle.loads(pickle.dumps(model))
    assert copy.fingerprint == model.fingerprint
    assert copy.checkpoint is None
    assert model.checkpoint is not None


@pytest.mark.parametrize("name", ["transformers-clip", "transformers-clip-vision"])
def test_pictures_need_no_tokenizer_and_neither_does_their_fingerprint(checkpoints: Path, name: str) -> None:
    """The first one's files are not there; the second one takes no texts."""
    assert of(checkpoints.parent / "families" / name).tokenizer == "none"


def test_another_precision_of_the_same_weights_is_comparable_with_a_note(fingerprint: Fingerprint) -> None:
    rounded = dataclasses.replace(fingerprint, precision="bfloat16")
    assert rounded != fingerprint
    assert rounded.is_comparable(fingerprint)
    assert fingerprint.precision_note(rounded) == (
        "computed in float32, not in bfloat16: comparable, with a cosine of 0.994 or more in all models measured"
    )
    assert fingerprint.precision_note(fingerprint) == ""
    other = dataclasses.replace(rounded, weights="0" * 64, weights_float16="1" * 64)
    assert "weights: " in other.differences(fingerprint)


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("float32", "float16", "0.9999"),
        ("float16", "int8", "0.9958"),  # errors of both add up: cos(acos 0.9999 + acos 0.997)
        ("int8", "int8+bfloat16", "0.9652"),
        ("bfloat16 and float32", "int8", "0.9825"),
        ("bfloat16 and int8", "float32", "0.994"),
    ],
)
def test_the_note_holds_whatever_the_two_precisions(fingerprint: Fingerprint, one: str, other: str, least: str) -> None:
    mine, its = (dataclasses.replace(fingerprint, precision=precision) for precision in (one, other))
    for note in (mine.precision_note(its), its.precision_note(mine)):
        assert f"with a cosine of {least} or more" in note


def test_quantized_weights_are_still_other_weights(fingerprint: Fingerprint) -> None:
    quantized = dataclasses.replace(fingerprint, weights="0" * 64, weights_float16="", precision="int8")
    assert "precision: int8, not float32" in quantized.differences(fingerprint)


def test_computation_in_eight_bits_is_named_whatever_the_weights(fingerprint: Fingerprint) -> None:
    quantized = dataclasses.replace(fingerprint, precision="int8")
    assert fingerprint.computed_in("int8").precision == "int8"
    assert quantized.computed_in("float32") == quantized
    assert quantized.computed_in("int8").precision == "int8+int8"
    assert "computed in int8, not in int8+int8: comparable" in quantized.precision_note(quantized.computed_in("int8"))


def test_precisions_are_mixed_by_name(fingerprint: Fingerprint) -> None:
    rounded = dataclasses.replace(fingerprint, precision="bfloat16")
    assert fingerprint.mixed_with(fingerprint) is None
    both = fingerprint.mixed_with(rounded)
    assert both is not None
    assert both.precision == "bfloat16 and float32"
    assert (both.mixed_with(rounded), both.mixed_with(fingerprint), both.mixed_with(both)) == (None, None, None)
    assert rounded.mixed_with(both) == fingerprint.mixed_with(both) == both
    assert "a cosine of 0.994 or" in both.precision_note(fingerprint)


def test_a_model_says_in_which_precision_an_engine_computes_it(checkpoints: Path) -> None:
    path = checkpoints / "vit-torchscript.pt"
    model, _ = numpyclip.load(path)
    assert model.checkpoint is not None
    engine = OpenVINO("cpu", "bfloat16")  # which is not imported for this
    by_engine = CLIP.read(model.checkpoint, model.config, lambda: model.tokenizer, engine=engine)
    assert by_engine.fingerprint == dataclasses.replace(model.fingerprint, precision="bfloat16")
    assert "openvino on cpu in bfloat16" in repr(by_engine)
