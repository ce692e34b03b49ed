"""ONNX Runtime computes where it is told, or says that it does not."""

from pathlib import Path
from typing import Any

import pytest

from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.errors import EngineError

onnxruntime = pytest.importorskip("onnxruntime")


class Session:
    """A session of a package for GPUs whose driver is missing: it computes on the CPU, and only prints why."""

    made: Any = None

    def __init__(self, graph: Any, options: Any, providers: list[Any]) -> None:
        Session.made = providers

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


@pytest.fixture
def _package_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)


@pytest.mark.usefixtures("_package_for_gpus")
@pytest.mark.parametrize("device", ["cuda", "gpu", "cuda:1"])
def test_a_provider_that_falls_back_to_the_cpu_is_an_error(device: str) -> None:
    engine = ONNXRuntime(device, "float16")
    engine.check()
    assert not engine.can_cache
    with pytest.raises(EngineError, match="computes with CPUExecutionProvider, not with CUDAExecutionProvider"):
        engine.compile(Path("graph.onnx"), 0, None)
    options = {"use_tf32": "0", **({"device_id": "1"} if device == "cuda:1" else {})}
    assert Session.made == [("CUDAExecutionProvider", options)]


@pytest.mark.usefixtures("_package_for_gpus")
def test_devices_are_those_of_its_providers() -> None:
    assert ONNXRuntime.available() == ["cpu", "cuda"]
    with pytest.raises(EngineError, match="no provider for 'directml' here, only TensorrtExecutionProvider, CUDA"):
        ONNXRuntime("directml", "float32").check()
    with pytest.raises(EngineError, match="; CoreMLExecutionProvider is not in onnxruntime for this system"):
        ONNXRuntime("coreml", "float16").check()


def test_its_own_words_are_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"onnxruntime on cpu: .*INVALID_PROTOBUF"):
        ONNXRuntime("cpu", "float32").compile(path, 1, None)
