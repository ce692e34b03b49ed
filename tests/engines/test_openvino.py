"""OpenVINO computes as it is told, or says that it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.openvino import OpenVINO
from numpyclip.errors import EngineError

openvino = pytest.importorskip("openvino")


class Compiled:
    """A graph that was compiled for another precision than was asked for."""

    def __init__(self, precision: Any) -> None:
        self._precision = precision

    def get_property(self, name: str) -> Any:
        assert name == "INFERENCE_PRECISION_HINT"
        return self._precision


class Core:
    available_devices = ("CPU", "GPU.0", "NPU")

    def __init__(self, precision: Any) -> None:
        self._precision = precision
        self.options: dict[str, Any] = {}

    def read_model(self, graph: Path) -> Path:
        return graph

    def compile_model(self, model: Path, device: str, options: dict[str, Any]) -> Compiled:
        self.options = options
        return Compiled(self._precision)


def test_another_precision_than_was_asked_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core(openvino.Type.f32)
    monkeypatch.setattr("numpyclip.engines.openvino._core", lambda: core)
    with pytest.raises(EngineError, match="openvino: computes in f32 on 'cpu' here, not in bf16"):
        OpenVINO("cpu", "bfloat16").compile(Path("graph.onnx"), 3, None)
    assert (core.options["INFERENCE_PRECISION_HINT"], core.options["INFERENCE_NUM_THREADS"]) == ("bf16", 3)


def test_a_device_or_a_precision_that_is_not_here_is_an_error() -> None:
    with pytest.raises(EngineError, match=r"has no device 'gpu:7' here; expected 'cpu'"):
        OpenVINO("gpu:7", "float32").check()
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision, name in (("bfloat16", "BF16"), ("float16", "FP16")):
        assert OpenVINO("cpu", precision).is_usable() == (name in capabilities)  # type: ignore[arg-type]
    OpenVINO("cpu", "float32").check()


def test_a_device_that_takes_no_graph_of_ours_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core(openvino.Type.f32)
    monkeypatch.setattr("numpyclip.engines.openvino._core", lambda: core)
    assert OpenVINO.available() == ["cpu", "gpu:0"]
    with pytest.raises(EngineError, match=r"has no device 'gpu:1' here; expected 'cpu', 'gpu:0'"):
        OpenVINO("gpu:1", "float16").check()


def test_its_own_words_are_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(EngineError, match="openvino on cpu: "):
        OpenVINO("cpu", "float32").compile(path, 1, None)


def test_bfloat16_is_near_float32(tiny: CLIP) -> None:
    engine = OpenVINO("cpu", "bfloat16")
    if not engine.is_usable():
        pytest.skip("this processor has no bfloat16")
    pytest.importorskip("onnx")
    assert tiny.checkpoint is not None
    model = CLIP.read(tiny.checkpoint, tiny.config, lambda: tiny.tokenizer, engine=engine)
    texts = ["a red apple", "a dog", "a house in the rain"]
    cosines = (model.embed_texts(texts) * tiny.embed_texts(texts)).sum(axis=1)
    assert 0.9995 < cosines.min() < 0.999999  # float32 would be nearer
    assert np.isclose(np.linalg.norm(model.embed_texts(texts), axis=1), 1).all()
