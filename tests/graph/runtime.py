"""ONNX Runtime and OpenVINO, as the tests of graphs run them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest


def checked(graph: Any) -> Any:
    """Check a model, and infer all its shapes; return it."""
    onnx.checker.check_model(graph, full_check=True)
    onnx.shape_inference.infer_shapes(graph, strict_mode=True, data_prop=True)
    return graph


def session_of(graph: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # small models: threads only wait for each other
    model = str(graph) if isinstance(graph, Path) else checked(graph).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(source: Any, *inputs: np.ndarray, **named: np.ndarray) -> np.ndarray:
    """Run a session, a graph, or one in a file; return its output."""
    session = source if isinstance(source, onnxruntime.InferenceSession) else session_of(source)
    names = [value.name for value in session.get_inputs()]
    (found,) = session.run(None, named or dict(zip(names, inputs, strict=True)))
    assert found.dtype == np.float32
    return np.asarray(found)


def in_onnxruntime(graph: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Check a graph and load it."""
    return partial(run, session_of(graph))


def in_openvino(graph: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a graph with OpenVINO; skip the test without it."""
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(core.read_model(graph.SerializeToString(), b""), "CPU", options)
    return lambda value: np.asarray(compiled(value)[0])
