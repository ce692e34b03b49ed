import json
import os
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.runtime.prepared import prepared_files
from numpyclip.saving import save as module
from tests.cli.conftest import Run


def test_a_model_becomes_a_folder_and_the_loss_is_told(run: Run, tmp_path: Path, tiny: CLIP) -> None:
    status, out, err = run("convert", "tiny", tmp_path / "small", "--format", "int8")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    megabytes = sum(file.stat().st_size for file in (tmp_path / "small").iterdir()) / 1e6
    assert lines[0] == f"{tmp_path / 'small'}: int8, float32, {megabytes:.1f} MB"
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["cosine", "loss", "of", "texts"],
        ["cosine", "loss", "of", "pictures"],
    ]
    assert lines[3].startswith("fingerprint: weights ")
    small, _ = numpyclip.load(tmp_path / "small")
    assert 0.9999 < (small.embed_texts("a dog") @ tiny.embed_texts("a dog").T).item() < 1


def test_json_is_one_object(run: Run, tmp_path: Path) -> None:
    status, out, err = run("convert", "tiny", tmp_path / "half", "--dtype", "float16", "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    facts = json.loads(out)
    assert (facts["source"], facts["format"], facts["dtype"]) == ("tiny", "open_clip", "float16")
    assert facts["bytes"] == sum(file.stat().st_size for file in (tmp_path / "half").iterdir())
    for kind in ("texts", "pictures"):
        assert 0 <= facts["cosine_loss"][kind]["median"] <= facts["cosine_loss"][kind]["worst"] < 1e-5
    assert facts["fingerprint"]["precision"] == "float32"
    numpyclip.load(facts["path"])


@pytest.mark.usefixtures("own_cache")
def test_nothing_is_prepared_for_later(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.runtime.prepared._LEAST_BYTES", 1)
    assert run("convert", "tiny", tmp_path / "new").status == 0
    assert prepared_files() == []


def test_options_may_stand_anywhere(run: Run, tmp_path: Path) -> None:
    words = ["convert", "--format", "int8", "tiny", "--dtype", "float16", tmp_path / "new", "--json"]
    facts = json.loads(run(*words).out)
    assert (facts["format"], facts["dtype"]) == ("int8", "float16")


def test_a_name_behind_two_dashes_may_begin_with_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("convert", "tiny", "--", "-new").status == 0
    assert (tmp_path / "-new").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "got 0 names; expected two"),
        (["tiny"], "got 1 names; expected two"),
        (["tiny", "a", "b"], "got 3 names; expected two"),
        (["tiny", "a", "--format", "onnx"], "'onnx' is unknown"),
        (["tiny", "a", "--dtype", "int4"], "'int4' is unknown"),
        (["tiny", "a", "--batch-size", "3"], "unknown option --batch-size"),
    ],
)
def test_wrong_arguments_are_named(
    run: Run, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("convert", *words)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_by_force_alone(run: Run, tmp_path: Path) -> None:
    folder, file = tmp_path / "new", tmp_path / "new" / "open_clip_model.safetensors"
    assert run("convert", "tiny", folder).status == 0
    whole = file.stat().st_size
    result = run("convert", "tiny", folder, "--dtype", "float16")
    assert (result.status, result.out) == (2, "")
    assert f"{folder}: is there already" in result.err
    assert run("convert", "tiny", folder, "--dtype", "float16", "--force").status == 0
    assert file.stat().st_size / whole == pytest.approx(0.5, abs=0.01)


def test_what_a_format_cannot_express_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    result = run("convert", "tiny", tmp_path / "new", "--format", "transformers")
    assert (result.status, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "the layout of transformers, which has no ResNet" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_as_a_model_is_refused_and_not_waited_for(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = run("convert", tmp_path / "pipe", tmp_path / "new")
    assert (result.status, result.out) == (2, "")
    assert "it is a named pipe" in result.err
    result = run("convert", "tiny", tmp_path / "pipe", "--force")
    assert result.status == 2
    assert "is not a folder" in result.err


def test_ctrl_c_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", interrupt)
    assert run("convert", "tiny", tmp_path / "new") == (130, "", "numpyclip: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_vectors_carry_the_fingerprint_of_the_model_that_made_them(run: Run, tmp_path: Path, tiny: CLIP) -> None:
    run("convert", "tiny", tmp_path / "half", "--dtype", "float16")
    found = []
    for index, model in enumerate(("tiny", tmp_path / "half")):
        run("embed", "texts", "a dog", "-m", model, "-o", tmp_path / f"{index}.npz")
        with np.load(tmp_path / f"{index}.npz") as data:
            found.append(numpyclip.Fingerprint.from_json(str(data["fingerprint"])))
    assert found[0] == tiny.fingerprint
    assert found[0].weights != found[1].weights
    assert found[0].is_comparable(found[1])  # float16 is what the weights are rounded to for that


def test_weights_of_an_architecture_are_named_by_their_tag(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, load = [], numpyclip.loader.load

    def spy(name: str, **options: object) -> object:
        asked.append((name, options.pop("pretrained", None)))
        return load("tiny" if name == "ViT-B-32" else name, low_memory=True)

    monkeypatch.setattr("numpyclip.loader.load", spy)
    assert run("convert", "ViT-B-32", tmp_path / "new", "--pretrained", "laion2b_s34b_b79k").status == 0
    assert asked == [("ViT-B-32", "laion2b_s34b_b79k"), (str(tmp_path / "new"), None)]
