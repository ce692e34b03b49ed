"""Which engine is taken for a device and a precision, and what is said where there is none."""

import re
from typing import Any

import pytest

import numpyclip
from numpyclip.engines.engine import Engine
from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.engines.openvino import OpenVINO
from numpyclip.engines.selection import ENGINES, choose
from numpyclip.errors import EngineError, InputError, MissingPackageError


@pytest.fixture
def _all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ENGINES.values():
        monkeypatch.setattr(kind, "is_installed", classmethod(lambda cls: True))
        monkeypatch.setattr(kind, "check", lambda self: None)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"engine": "numpy"},
        {"device": "cpu"},
        {"precision": "float32"},
        {"engine": None, "precision": None},
        {"device": "cpu:0"},
    ],
)
def test_the_default_is_numpy(asked: dict[str, Any]) -> None:
    assert choose(**asked) is None


@pytest.mark.usefixtures("_all_installed")
@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ({"engine": "openvino"}, OpenVINO("cpu", "float32")),
        ({"engine": "onnxruntime", "precision": "int8"}, ONNXRuntime("cpu", "int8")),
        ({"precision": "bfloat16"}, OpenVINO("cpu", "bfloat16")),
        ({"device": "cuda"}, ONNXRuntime("cuda", "float32")),
        ({"device": "CUDA:1", "precision": "float16"}, ONNXRuntime("cuda:1", "float16")),
        ({"device": "cpu:0", "engine": "openvino"}, OpenVINO("cpu", "float32")),
        ({"device": "gpu"}, OpenVINO("gpu", "float32")),
        ({"device": "gpu", "engine": "onnxruntime"}, ONNXRuntime("gpu", "float32")),
    ],
)
def test_an_engine_that_has_it_is_chosen(asked: dict[str, Any], chosen: Any) -> None:
    assert choose(**asked) == chosen


@pytest.mark.usefixtures("_all_installed")
def test_the_next_engine_is_chosen_where_the_first_has_no_such_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: OpenVINO) -> None:
        raise EngineError("no GPU")

    monkeypatch.setattr(OpenVINO, "check", check)
    assert choose(device="gpu") == ONNXRuntime("gpu", "float32")
    with pytest.raises(EngineError, match="no GPU"):
        choose(device="gpu", engine="openvino")


@pytest.mark.usefixtures("_all_installed")
def test_where_no_engine_has_it_the_error_is_that_of_the_preferred_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: Engine) -> None:
        raise EngineError(f"{self.name}: no GPU")

    for kind in ENGINES.values():
        monkeypatch.setattr(kind, "check", check)
    with pytest.raises(EngineError, match="openvino: no GPU"):
        choose(device="gpu")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"engine": "tvm"}, "engine is 'tvm'; expected 'numpy', 'openvino', 'onnxruntime'."),
        ({"precision": "fp16"}, "precision is 'fp16'; expected 'float32', 'bfloat16', 'float16', 'int8'."),
        ({"device": "mps"}, "device 'mps' in precision 'float32': no engine has both."),
        ({"device": "cpu:1"}, "device 'cpu:1' in precision 'float32': no engine has both."),
        ({"device": "npu", "precision": "float16"}, "device 'npu' in precision 'float16': no engine has both."),
        ({"device": "gpu", "precision": "bfloat16"}, "device 'gpu' in precision 'bfloat16': no engine has both."),
        *(
            ({"device": device}, f"device is {device!r}; expected a name, such as 'cpu', 'cuda' or 'cuda:1'.")
            for device in ("cuda:a", "cuda:", "cuda:1:2", "cuda:\u0663", "cuda:1000", "", "cpu ")
        ),
        ({"device": "x" * 1000}, f"device '{'x' * 59} in precision 'float32': no engine has both."),
        ({"engine": "numpy", "precision": "bfloat16"}, "engine 'numpy' computes on the CPU in float32, not on 'cpu'"),
        (
            {"engine": "onnxruntime", "precision": "bfloat16"},
            "device 'cpu' in precision 'bfloat16': engine 'onnxruntime' does not have both. Expected onnxruntime on c",
        ),
        (
            {"engine": "openvino", "device": "cuda"},
            "device 'cuda' in precision 'float32': engine 'openvino' does not have both. Expected openvino on cpu: fl",
        ),
        (
            {"device": "cuda", "precision": "bfloat16"},
            "no engine has both. Expected numpy on cpu: float32; openv",
        ),
    ],
)
def test_what_nothing_has_is_an_error_that_says_what_there_is(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        choose(**asked)


@pytest.mark.parametrize(
    ("asked", "packages"),
    [
        ({"engine": "openvino"}, '"numpyclip[openvino]"'),
        ({"precision": "bfloat16"}, '"numpyclip[openvino]"'),
        ({"engine": "onnxruntime"}, '"numpyclip[onnxruntime]"'),
        ({"device": "coreml", "precision": "float16"}, '"numpyclip[onnxruntime]"'),
        ({"device": "cuda:1"}, 'onnxruntime-gpu "numpyclip[onnx]"'),
        ({"device": "directml"}, 'onnxruntime-directml "numpyclip[onnx]"'),
    ],
)
def test_an_engine_that_is_not_installed_is_named(
    asked: dict[str, Any], packages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpyclip.engines.engine.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=re.escape(f"is not installed: pip install {packages}")):
        choose(**asked)


def test_where_only_onnx_is_missing_it_is_what_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.engines.engine.find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(MissingPackageError, match=r'needs the package onnx: pip install "numpyclip\[onnx\]"'):
        choose("onnxruntime", "cuda")


def test_a_device_that_is_not_here_is_an_error_that_names_a_package() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is one here")
    with pytest.raises(EngineError, match="CUDAExecutionProvider comes with onnxruntime-gpu"):
        numpyclip.load("tiny", device="cuda")


def test_low_memory_is_numpys_alone() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="low_memory is True, and engine 'onnxruntime' keeps all weights"):
        numpyclip.load("tiny", engine="onnxruntime", low_memory=True)
