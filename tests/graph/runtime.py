"""ONNX Runtime, as the tests of graphs run it."""

from typing import Any

import numpy as np
import onnx
import onnxruntime


def checked(graph: Any) -> Any:
    """Check a model, and infer all its shapes; return it."""
    onnx.checker.check_model(graph, full_check=True)
    onnx.shape_inference.infer_shapes(graph, strict_mode=True, data_prop=True)
    return graph


def session_of(graph: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # small models: threads only wait for each other
    model = checked(graph).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session: Any, *inputs: np.ndarray) -> np.ndarray:
    """Run a session, or a graph; return its output."""
    session = session if isinstance(session, onnxruntime.InferenceSession) else session_of(session)
    names = [value.name for value in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, inputs, strict=True)))
    assert found.dtype == np.float32
    return np.asarray(found)
