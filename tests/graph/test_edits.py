"""What a layout changes in a graph changes embeddings only as it says."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.graph import image_graph, text_graph
from numpyclip.graph.edits import normalize, pad, rename, trim
from tests.graph.runtime import run

TEXTS = ["a dog", "a photo of two cats, one of them asleep"]


def test_inputs_and_outputs_are_renamed(tiny: CLIP) -> None:
    ids = tiny.tokenize(TEXTS).astype(np.int64)
    graph = text_graph(tiny)
    expected = run(graph, input_ids=ids)
    rename(graph, {"input_ids": "text", "text_embeds": "text_embedding"})
    np.testing.assert_array_equal(run(graph, text=ids), expected)
    assert [value.name for value in graph.graph.output] == ["text_embedding"]


def test_embeddings_become_unit_length(tiny: CLIP) -> None:
    graph = image_graph(tiny)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    normalize(graph)
    np.testing.assert_allclose(run(graph, pixels=pixels), tiny.encode_image(pixels, normalize=True), atol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize("pool", ["argmax", "eos"])
def test_padding_is_not_computed(tiny: CLIP, pool: Any, dtype: Any) -> None:
    """A graph that sees no padding cannot depend on it, nor on the number of positions behind a text."""
    assert tiny.config.text is not None
    config = replace(tiny.config.text, pool=pool, end_id=49407)
    graph = text_graph(tiny, ids=dtype)
    trim(graph, config)
    graph.graph.output.append(onnx.helper.make_tensor_value_info("trimmed", onnx.TensorProto.INT64, None))
    graph.graph.output[-1].type.tensor_type.elem_type = graph.graph.input[0].type.tensor_type.elem_type
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = tiny.tokenize(TEXTS).astype(dtype)
    embeddings, trimmed = session.run(None, {"input_ids": ids})
    longest = int((ids != 0).sum(axis=1).max())
    np.testing.assert_array_equal(trimmed, ids[:, :longest])
    np.testing.assert_allclose(embeddings, tiny.encode_text(ids), atol=1e-5)


@pytest.mark.parametrize("options", [{"causal": False}, {"pool": "last"}, {"pool": "cls"}])
def test_texts_are_not_cut_where_what_follows_matters(tiny: CLIP, options: Any) -> None:
    assert tiny.config.text is not None
    graph = text_graph(tiny)
    before = graph.SerializeToString()
    trim(graph, replace(tiny.config.text, **options))
    assert graph.SerializeToString() == before


@pytest.mark.parametrize("length", [3, 76, 77])
def test_texts_are_padded_where_that_matters(tiny: CLIP, length: int) -> None:
    assert tiny.config.text is not None
    graph = text_graph(tiny)
    before = graph.SerializeToString()
    pad(graph, tiny.config.text, 5)
    assert graph.SerializeToString() == before
    pad(graph, replace(tiny.config.text, causal=False), 5)
    graph.graph.output.append(onnx.helper.make_tensor_value_info("padded", onnx.TensorProto.INT64, None))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.full((2, length), 320)
    _, padded = session.run(None, {"input_ids": ids})
    np.testing.assert_array_equal(padded, np.pad(ids, [(0, 0), (0, 77 - length)], constant_values=5))
