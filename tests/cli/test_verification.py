"""`numpyclip models verify` with a small model of which transformers has computed outputs (tools/golden)."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.cli import model_files, verification
from numpyclip.families import locate
from numpyclip.tasks import known_outputs
from numpyclip.tasks.known_outputs import draw_circle
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.weights.catalogue import DOWNLOADABLE, KnownModel
from numpyclip.weights.safetensors import unwritten, write_safetensors
from tests.cli.conftest import Run

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "known_outputs.json").read_text())
RECORDED["cosines"] = (np.array(RECORDED["logits"]) / np.exp(2)).tolist()
TEXTS = ["hello world", "a blue circle on red"]
CIRCLES = [{"circle": [32, 32]}, {"circle": [48, 32]}]
NAME = "hf-hub:example/model"


def weights(name: str, shape: list[int]) -> np.ndarray:
    """The formula of tools/golden/known_outputs.py."""
    if name == "logit_scale":
        return np.array(2, np.float32)
    start = sum(name.encode()) * 7919
    numbers = np.arange(start, start + int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    found = numbers.astype(np.float64).reshape(shape) / 2**32 - 0.5
    return np.asarray(found + ("norm" in name and name.endswith("weight")), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model, as transformers has saved it."""
    place = tmp_path / "model"
    place.mkdir()
    for name, config in RECORDED["configs"].items():
        (place / name).write_text(json.dumps(config))
    (place / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer"}')
    (place / "vocab.json").write_text(json.dumps(dict(default_tokenizer().vocabulary)))
    (place / "merges.txt").write_text("\n".join(["#version: 0.2", *default_tokenizer().merges, ""]), "utf-8")
    tensors = [one for name, shape in RECORDED["shapes"].items() for one in unwritten(name, weights(name, shape))]
    write_safetensors(place / "model.safetensors", tensors, {"format": "pt"})
    return place


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    inputs: dict[str, dict[str, Any]] = {
        "text_embeddings": {"texts": TEXTS},
        "image_embeddings": {"images": CIRCLES},
        "cosines": {"texts": TEXTS, "images": CIRCLES},
        "logits": {"texts": TEXTS, "images": CIRCLES},
        "probabilities": {"texts": TEXTS, "images": CIRCLES},
    }
    common = {"model": NAME, "source": "example/model 1234567, README.md", "atol": 1e-5, "rtol": 1e-5}
    outputs = [{**common, "kind": kind, "expected": RECORDED[kind], **each} for kind, each in inputs.items()]
    monkeypatch.setattr(known_outputs, "_table", lambda: outputs)
    return outputs


def _verify(run: Run, folder: Path, *words: object) -> tuple[int, list[dict[str, Any]], str]:
    status, out, err = run("models", "verify", folder, "--as", NAME, "--json", *words)
    return status, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.usefixtures("table")
def test_a_model_that_computes_what_the_reference_does(run: Run, folder: Path) -> None:
    status, rows, err = _verify(run, folder)
    assert (status, err) == (0, "")
    assert [(row["kind"], row["state"]) for row in rows] == [(kind, "agrees") for kind in KINDS]
    for row in rows:
        assert (row["model"], row["source"]) == (str(folder), "example/model 1234567, README.md")
        np.testing.assert_allclose(row["found"], row["expected"], atol=1e-5, rtol=1e-5)


KINDS = ("text_embeddings", "image_embeddings", "cosines", "logits", "probabilities")


def _other_activation(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for tower in ("text_config", "vision_config"):
        config[tower]["hidden_act"] = "gelu"
    (folder / "config.json").write_text(json.dumps(config))


def _other_mean(folder: Path) -> None:
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**processor, "image_mean": [0.5, 0.5, 0.5]}))


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("change", "wrong"), [(_other_activation, set(KINDS)), (_other_mean, set(KINDS) - {"text_embeddings"})]
)
def test_a_model_that_computes_something_else_is_told(
    run: Run, folder: Path, change: Callable[[Path], None], wrong: set[str]
) -> None:
    change(folder)
    status, rows, _ = _verify(run, folder)
    assert status == 1
    assert {row["kind"] for row in rows if row["state"] == "differs"} == wrong


def test_what_was_expected_and_found_is_shown_with_its_source(
    run: Run, folder: Path, table: list[dict[str, Any]]
) -> None:
    del table[1:]
    status, out, err = run("models", "verify", folder, "--as", NAME)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].split()[1:4] == ["agrees", "text", "embeddings"]
    assert lines[1] == "  source    example/model 1234567, README.md"
    assert lines[2].split()[0] == "expected"
    assert lines[3].split() == ["found", *lines[2].split()[1:]]
    assert lines[4].endswith("allowed: 1e-05 + 1e-05 of the number")


def test_an_image_that_is_not_there_is_asked_for(run: Run, folder: Path, table: list[dict[str, Any]]) -> None:
    draw_circle(32, 32).save(folder / "circle.png")
    digest = hashlib.sha256((folder / "circle.png").read_bytes()).hexdigest()
    image = {"file": "circle.png", "url": "https://example.com/circle.png", "sha256": digest}
    table[1] |= {"images": [image], "expected": RECORDED["image_embeddings"][:1]}
    del table[2:]
    status, rows, err = _verify(run, folder)
    assert status == 0
    assert [row["state"] for row in rows] == ["agrees", "not computed"]
    assert "circle.png: is not in .; get it from https://example.com/circle.png and pass --images FOLDER." in err
    status, rows, err = _verify(run, folder, "--images", folder)
    assert (status, err) == (0, "")
    assert [row["state"] for row in rows] == ["agrees", "agrees"]


@pytest.mark.usefixtures("table")
def test_a_file_that_is_known_by_name_is_verified_first(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (tmp_path / "small.pt").write_bytes(content)
    model = KnownModel("small", "small.pt", hashlib.sha256(content).hexdigest(), ())
    for module in (model_files, verification, locate):
        monkeypatch.setattr(module, "DOWNLOADABLE", {**DOWNLOADABLE, "small": model})
    status, out, err = run("models", "verify", "small", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (0, ["small", "verified"])
    assert err.splitlines() == [
        "numpyclip: no outputs of small have been published.",
        "numpyclip: small: its file is the published one; what it computes was not compared.",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "ViT-B/32", "RN50", "--as", "RN101"],
        ["verify", "--pretrained", "openai"],
        ["list", "--images", "."],
        ["verify", "ViT-B/32", "--images", "nosuchfolder"],
        ["verify", "tests", "--as", "ViT-B/32", "--pretrained", "openai"],
        ["download", "RN50", "--as", "RN101"],
    ],
)
def test_options_that_mean_nothing_there_are_wrong(run: Run, words: list[str]) -> None:
    assert run("models", *words).status == 2


def test_a_tag_of_openais_is_its_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ViT-B-32.pt").write_bytes(b"damaged")
    status, out, _ = run("models", "verify", "ViT-B-32", "--pretrained", "openai", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (1, ["ViT-B/32", "damaged"])
    status, _, err = run("models", "verify", "ViT-B-32", "--pretrained", "opnai")
    assert (status, "Did you mean 'openai'" in err) == (2, True)


def test_immichs_names_are_those_of_the_same_models(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ViT-B-32.pt").write_bytes(b"damaged")
    status, out, _ = run("models", "verify", "ViT-B-32__openai", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (1, ["ViT-B/32", "damaged"])
    status, _, err = run("models", "verify", "XLM-Roberta-Large-Vit-L-14")
    assert (status, "is a text tower; verify ViT-L/14, whose images it searches" in err) == (2, True)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nosuch", f"--as nosuch: no such model was published. Outputs are known of {NAME}."),
        ("hf-hub:some/one", f"--as hf-hub:some/one: no such model was published. Outputs are known of {NAME}."),
        ("ViT-B-32-256", "--as ViT-B-32-256: is an architecture; expected --as ViT-B-32-256__datacomp_s34b_b86k."),
    ],
)
def test_a_model_that_was_not_published_is_no_name_for_a_copy(run: Run, folder: Path, name: str, expected: str) -> None:
    assert run("models", "verify", folder, "--as", name) == (2, "", f"numpyclip: {expected}\n")


@pytest.mark.usefixtures("table")
def test_a_hub_name_may_lack_its_prefix(run: Run, folder: Path) -> None:
    assert run("models", "verify", folder, "--as", NAME.removeprefix("hf-hub:")).status == 0


def test_where_nothing_was_compared_nothing_is_verified(run: Run, folder: Path, table: list[dict[str, Any]]) -> None:
    said = "numpyclip: no outputs of RN50__openai have been published.\nnumpyclip: nothing was compared.\n"
    assert run("models", "verify", folder, "--as", "RN50") == (1, "", said)
    assert run("models", "verify", folder).status == 1
    table[:] = [{**table[1], "images": [{"file": "a.png", "url": "https://example.com/a.png"}]}]
    status, rows, err = _verify(run, folder)
    assert (status, [row["state"] for row in rows]) == (1, ["not computed"])
    assert err.endswith("nothing was compared.\n")


def test_another_picture_of_that_name_is_no_difference(run: Run, folder: Path, table: list[dict[str, Any]]) -> None:
    draw_circle(40, 40).save(folder / "circle.png")
    image = {"file": "circle.png", "url": "https://example.com/circle.png"}
    del table[2:]
    table[1] |= {"images": [{**image, "sha256": "0" * 64}], "expected": RECORDED["image_embeddings"][:1]}
    status, rows, err = _verify(run, folder, "--images", folder)
    assert (status, [row["state"] for row in rows]) == (0, ["agrees", "not computed"])
    assert "is another image; get it from https://example.com/circle.png" in err
    table[1] |= {"images": [image]}
    status, rows, err = _verify(run, folder, "--images", folder)
    assert (status, [row["state"] for row in rows]) == (1, ["agrees", "unclear"])
    assert f"{folder / 'circle.png'}: was used, and may be another image" in err


@pytest.mark.usefixtures("table")
def test_blobs_of_the_hubs_cache_are_read_whole(run: Run, folder: Path, tmp_path: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    blob = tmp_path / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(blob)
    status, rows, _ = _verify(run, folder)
    assert (status, rows[0]["state"], rows[0]["path"]) == (0, "verified", str(folder / "model.safetensors"))
    assert run("models", "verify", folder).err.endswith("what it computes was not compared.\n")
    blob.write_bytes(content[:-4] + bytes(4))
    status, rows, _ = _verify(run, folder)
    assert (status, [row["state"] for row in rows]) == (1, ["damaged"])


@pytest.mark.usefixtures("table")
def test_a_config_file_of_the_hubs_cache_is_read_too_and_the_model_loaded(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "model.safetensors"):
        content = (folder / name).read_bytes()
        is_small = name == "config.json"
        sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        blob = tmp_path / (sha1 if is_small else hashlib.sha256(content)).hexdigest()
        blob.write_bytes(content)
        (folder / name).unlink()
        (folder / name).symlink_to(blob)
    status, out, err = run("models", "verify", folder)
    assert (status, out.count(" verified ")) == (0, 2)
    assert "its files are what the hub stated when they were fetched" in err
    config = (folder / "config.json").resolve()
    config.write_bytes(config.read_bytes() + b" ")
    status, out, _ = run("models", "verify", folder)
    assert (status, out.count(" damaged ")) == (1, 1)
    config.write_bytes(config.read_bytes()[:-1])
    empty = tmp_path / hashlib.sha256().hexdigest()
    empty.touch()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(empty)
    status, _, err = run("models", "verify", folder)
    assert (status, "the file is empty" in err) == (1, True)


def test_a_copy_of_openais_model_is_read_whole(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = {"RN50": tmp_path / ("0" * 64), "RN101": tmp_path / "copy.bin"}
    for copy in copies.values():
        copy.write_bytes(b"other weights")
    monkeypatch.setattr("numpyclip.families.locate.find_file", lambda name, _: copies[name])
    status, out, _ = run("models", "verify", "RN50", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (1, ["RN50", "damaged"])
    status, out, err = run("models", "verify", "RN101", "--download-root", tmp_path)
    assert (status, out.split()[:2], err.endswith("nothing was compared.\n")) == (1, ["RN101", "unverified"], True)


def test_a_model_that_is_not_here_is_told_with_what_fetches_it(run: Run, tmp_path: Path) -> None:
    status, out, err = run("models", "verify", "ViT-B/32", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (2, ["ViT-B/32", "missing"])
    assert err == "numpyclip: ViT-B/32: is not here; `numpyclip models download ViT-B/32` fetches it.\n"
