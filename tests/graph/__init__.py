"""Graphs need two packages, without which these tests are skipped."""

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
