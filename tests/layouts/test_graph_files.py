"""A graph that is written, with its weights or beside them, computes the same."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from numpyclip.graph import text_graph  # noqa: E402  needs onnx
from numpyclip.layouts import graph_files  # noqa: E402
from numpyclip.layouts.graph_files import write  # noqa: E402
from tests.graph.runtime import run  # noqa: E402


@pytest.mark.parametrize("is_large", [False, True])
def test_weights_of_a_large_graph_are_in_a_file_of_their_own(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool
) -> None:
    monkeypatch.setattr(graph_files, "MOST_BYTES", 2**20 if is_large else 2**31)
    ids = model.tokenize("a dog").astype(np.int64)
    path = tmp_path / "onnx" / "model.onnx"
    assert write(lambda weights: text_graph(model, weights=weights), path) is is_large
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.onnx", "model.onnx_data"][: 1 + is_large]
    onnx.checker.check_model(path, full_check=True)
    np.testing.assert_array_equal(run(path, ids), run(text_graph(model), ids))
