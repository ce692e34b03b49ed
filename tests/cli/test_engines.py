import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.cli.engines import _candidates, _Inputs, _Measured, _recommend
from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.engines.openvino import _core
from numpyclip.engines.selection import ENGINES
from tests.cli.conftest import Run
from tests.random_clip import write_random_clip


def test_the_list_has_the_processor_and_all_engines(run: Run) -> None:
    status, out, _ = run("engines", "--list", "--json")
    processor, *engines = map(json.loads, out.splitlines())
    assert status == 0
    assert processor["cores"] >= 1
    assert [each["engine"] for each in engines] == list(ENGINES)
    assert all("cpu" in each["devices"] for each in engines if each["version"])
    assert processor["processor"] in run("engines", "--list").out


def test_an_engine_that_is_not_installed_is_listed_with_what_installs_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpyclip.engines.engine.find_spec", lambda name: None)
    listed = run("engines", "--list")
    assert "openvino\tnot installed\n" in listed.out
    assert 'pip install "numpyclip[openvino]"' in listed.err
    status, out, err = run("engines", "-m", "tiny", "--json")
    (measured,) = (json.loads(line) for line in out.splitlines()[3:])
    assert (status, err) == (0, f"{listed.err}numpyclip: fastest in float32: NumPy, without options\n")
    assert (measured["engine"], measured["precision"]) == ("numpy", "float32")
    assert measured["cosine"] == pytest.approx(1, abs=1e-6)
    assert min(measured["one_image_ms"], measured["images_per_s"], measured["texts_per_s"]) > 0


def test_an_engine_that_cannot_be_imported_is_listed_with_the_reason(
    run: Run, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> object:
        raise ImportError(f"lib{name}.so.1: cannot open shared object file")

    monkeypatch.setattr("numpyclip.engines.engine.import_module", fail)
    monkeypatch.setattr("numpyclip.engines.openvino._core", _core.__wrapped__)
    problem = f"numpyclip: {engine}: cannot be imported (lib{engine}.so.1: cannot open shared object file). Install it"
    listed = run("engines", "--list")
    assert f"{engine}\tcannot be used\n" in listed.out
    assert problem in listed.err
    status, out, err = run("engines", "-m", "tiny", "--json")
    assert (status, problem in err) == (0, True)
    assert [json.loads(line)["engine"] for line in out.splitlines()[3:]] == ["numpy"]
    status, _, err = run("embed", "texts", "a dog", "-m", "tiny", "--engine", engine)
    assert (status, problem in err) == (2, True)


def test_every_engine_is_measured(run: Run, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.cli.engines._ROUNDS", 1)
    status, out, err = run("engines", "-m", "tiny", "--engine", engine, "--precision", "float32", "--json")
    assert status == 0
    measured = [json.loads(line) for line in out.splitlines()[3:]]
    assert [each["engine"] for each in measured] == ["numpy", engine]
    assert measured[1]["cosine"] > 1 - 1e-5
    assert "numpyclip: fastest in float32: " in err
    status, _, err = run("engines", "-m", "tiny", "--engine", "numpy")
    assert (status, "fastest in float32" in err) == (0, False)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--device", "mps"), 2, "device 'mps' in precision 'float32': no engine has both"),
        (("--engine", "onnxruntime", "--precision", "float16"), 2, "engine 'onnxruntime' does not have both. Exp"),
        (("--engine", "onnxruntime", "--device", "directml"), 2, "has no provider for 'directml' here"),
    ],
)
def test_what_nothing_here_has_is_not_measured(run: Run, options: tuple[str, ...], status: int, message: str) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    found = run("engines", "-m", "tiny", *options)
    assert (found.status, message in found.err) == (status, True)


@pytest.mark.parametrize(("asked", "device"), [("CPU", "cpu"), ("cpu:0", "cpu"), ("gpu", "gpu"), ("cuda:1", "cuda:1")])
def test_a_device_is_named_as_for_other_commands(asked: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    monkeypatch.setattr(library, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    found = _candidates({ONNXRuntime: ["cpu", "cuda"]}, {"engine": None, "precision": None, "device": asked})
    precisions = ONNXRuntime.devices[device.partition(":")[0]]
    assert [(each.device, each.precision) for each in found] == [(device, precision) for precision in precisions]


def test_the_fastest_of_equal_and_of_similar_embeddings_are_recommended(capsys: pytest.CaptureFixture[str]) -> None:
    def measured(options: str, precision: str, images_per_s: float, cosine: float) -> _Measured:
        return _Measured("an engine", "cpu", precision, options, 1.0, images_per_s, 1.0, cosine)

    equal = [measured("", "float32", 10, 1.0), measured("--engine openvino", "float32", 20, 1.0)]
    _recommend(
        [*equal, measured("--precision int8", "int8", 40, 0.998), measured("-p", "bfloat16", 30, 0.9995)], is_all=False
    )
    assert capsys.readouterr().err.splitlines() == [
        "numpyclip: fastest in float32: --engine openvino",
        "numpyclip: fastest with a cosine of 0.999 or more: -p",
    ]
    _recommend([*equal, measured("--precision int8", "int8", 40, 0.998)], is_all=False)
    assert capsys.readouterr().err == "numpyclip: fastest in float32: --engine openvino\n"
    _recommend([equal[0], measured("--precision int8", "int8", 40, 0.9995)], is_all=False)  # not all in float32
    assert capsys.readouterr().err == "numpyclip: fastest with a cosine of 0.999 or more: --precision int8\n"


def test_no_engine_that_computes_nan_is_recommended(capsys: pytest.CaptureFixture[str]) -> None:
    model, _ = numpyclip.load("tiny")
    inputs = _Inputs(model)
    ours, nan = inputs.embed(model), [np.full_like(each, np.nan) for each in inputs.embed(model)]
    measured = inputs.measure(model, None, nan)
    assert np.isnan(measured.cosine)
    _recommend(
        [inputs.measure(model, None, ours), replace(measured, precision="float16", images_per_s=1e9)], is_all=True
    )
    assert "0.999" not in capsys.readouterr().err


def test_options_that_no_measurement_heeds_are_unknown(run: Run) -> None:
    for option in ("--batch-size", "--low-memory"):
        assert f"unknown option {option}" in run("engines", "--list", option).err


def test_an_exported_model_cannot_be_compared_with_numpy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpyclip.json").write_text("{}", "utf-8")
    status, out, err = run("engines", "-m", tmp_path)
    assert (status, out) == (2, "")
    assert "has ONNX graphs, and all is compared with NumPy, which needs weights. Name the model that was exp" in err


def test_commands_take_an_engine(run: Run, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("embed", "texts", "a dog", "a cat", "-m", "tiny")

    def embeddings(*options: str) -> np.ndarray:
        status, out, err = run(*words, *options)
        assert (status, err) == (0, "")
        return np.array([json.loads(line)["embedding"] for line in out.splitlines()])

    by_numpy = embeddings()
    by_engine = embeddings("--engine", engine)
    assert 0 < np.abs(by_engine - by_numpy).max() < 1e-5
    monkeypatch.setenv("NUMPYCLIP_ENGINE", engine)
    assert (embeddings() == by_engine).all()
    assert (embeddings("--engine", "numpy") == by_numpy).all()


def test_options_that_nothing_has_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("embed", "texts", "a dog", "-m", "tiny")
    assert run(*words, "--engine", "tvm").status == 2
    status, _, err = run(*words, "--device", "mps")
    assert status == 2
    assert "device 'mps' in precision 'float32': no engine has both" in err
    monkeypatch.setenv("NUMPYCLIP_ENGINE", "tvm")
    assert "engine is 'tvm'; expected 'numpy'" in run(*words).err


@pytest.mark.filterwarnings("ignore:.*embeddings are computed in")
def test_an_index_remembers_its_engine(run: Run, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words.txt").write_text("a dog\na cat\n", "utf-8")
    store, add = tmp_path / "an.index", ("index", "--texts", tmp_path / "words.txt", "--store", tmp_path / "an.index")
    assert run(*add, "-m", "tiny", "--engine", engine, "--precision", "int8").status == 0
    listed = json.loads(run("index", "--list", "--json", "--store", store).out)
    assert (listed["engine"], listed["precision"], listed["device"]) == (engine, "int8", None)
    assert listed["texts"] == 2
    assert f"engine {engine}, precision int8" in run("index", "--list", "--store", store).out
    found = run("search", "a dog", "--in", "texts", "--store", store, "--json")
    assert (found.status, found.err) == (0, "")  # in the same precision
    searched = "search", "a dog", "--in", "texts", "--store", store
    made_with = f" The index was made with --engine {engine} --precision int8; --engine numpy searches it, too.\n"
    assert run(*searched, "--low-memory").err.endswith(made_with)
    with monkeypatch.context() as patch:
        patch.setattr("numpyclip.engines.engine.find_spec", lambda name: None)
        status, _, err = run(*searched)
        assert (status, err.endswith(made_with)) == (2, True)
        assert run(*searched, "--engine", "numpy").status == 0
        assert not run(*searched, "--engine", engine).err.endswith(made_with)
    (tmp_path / "words.txt").write_text("a house\n", "utf-8")
    status, _, err = run(*add, "--engine", "numpy")
    assert status == 2
    assert "computed in int8, new ones would be in float32" in err
    assert err.endswith("numpyclip index --migrate --engine numpy.\n")
    assert run(*add, "--engine", "numpy", "--mix-precisions").status == 0
    assert json.loads(run("index", "--list", "--json", "--store", store).out)["precision"] == "float32 and int8"


def test_an_index_of_an_exported_model_is_searched_with_the_original(run: Run, engine: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a dog\na cat\n", "utf-8")
    folder, at = numpyclip.export("tiny", tmp_path / "exported"), ("--store", tmp_path / "an.index")
    made = ("index", "--texts", tmp_path / "words.txt", *at)
    assert run(*made, "-m", folder, "--engine", engine).status == 0
    searched = ("search", "a dog", "--in", "texts", *at)
    for options in ((), ("-m", "tiny"), ("-m", "tiny", "--engine", "numpy")):
        status, out, err = run(*searched, *options)
        assert (status, err) == (0, "")
        assert out.splitlines()[0].endswith("\ta dog")
    assert run(*made, "-m", "tiny", "--engine", "numpy").status == 0
    other = write_random_clip(tmp_path / "random.npz")
    status, _, err = run(*searched, "-m", other, "--activation", "gelu")
    assert (status, "of another model" in err) == (2, True), err
