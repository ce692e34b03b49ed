"""Activations as nodes that ONNX Runtime fuses."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.ops import ACTIVATIONS
from numpyclip.model import ops
from tests.graph.runtime import run


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_one_node_of_the_runtime(name: str, tmp_path: Path) -> None:
    x, g = np.linspace(-9, 9, 64, dtype=np.float32).reshape(4, 16), Graph()
    activated = ACTIVATIONS[name](g, g.input("x", np.float32, ("rows", 16)))
    model = g.output("y", g.op("Neg", activated), ("rows", 16))  # what is an output itself is not fused
    np.testing.assert_allclose(run(model, x), -getattr(ops, name)(x.copy()), atol=1e-6)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # that what is written depends on this machine
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert len(fused) == 2
    assert fused[-1] == "Neg"
