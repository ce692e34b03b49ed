"""Inputs, outputs, precisions and size of a model's graphs."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.graph import image_graph, text_graph
from tests.families.test_parity import FAMILIES, load
from tests.graph.runtime import run, session_of


@pytest.fixture(scope="module")
def clip() -> CLIP:
    return load("transformers-clip")[0]


def shape_of(value: Any) -> list[int | str]:
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def test_inputs_and_outputs_have_names_and_batches_of_any_size(clip: CLIP) -> None:
    graphs = image_graph(clip).graph, image_graph(clip, pixels="pixel_values").graph, text_graph(clip).graph
    (pixels,), (values,), (ids,) = (graph.input for graph in graphs)
    y, x = clip.preprocess.sides
    assert (pixels.name, shape_of(pixels)) == ("pixels", ["batch", y, x, 3])
    assert (values.name, shape_of(values)) == ("pixel_values", ["batch", 3, y, x])
    assert (ids.name, shape_of(ids)) == ("input_ids", ["batch", "length"])
    outputs = [(graph.output[0].name, shape_of(graph.output[0])) for graph in graphs]
    shape = ["batch", clip.config.embed_dim]
    assert outputs == [("image_embeds", shape), ("image_embeds", shape), ("text_embeds", shape)]


def test_every_form_of_the_inputs_gives_the_same(clip: CLIP) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *clip.preprocess.sides, 3), np.uint8)
    mean, std = (np.array(part, np.float32) for part in (clip.preprocess.mean, clip.preprocess.std))
    values = ((pixels / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    embeddings = clip.encode_image(pixels)
    for graph, value in ((image_graph(clip), pixels), (image_graph(clip, pixels="pixel_values"), values)):
        np.testing.assert_allclose(run(graph, value), embeddings, atol=1e-5 * np.abs(embeddings).max())
    ids = load("transformers-clip")[1]["text"]
    for dtype in ("int32", "int64"):
        found = run(text_graph(clip, ids=dtype), ids.astype(dtype))
        np.testing.assert_allclose(found, clip.encode_text(ids), atol=1e-5 * np.abs(found).max())


def test_truncated_embeddings_are_truncated_in_the_graph() -> None:
    with pytest.warns(UserWarning, match="not known to be trained"):
        clip, _ = numpyclip.load(FAMILIES / "transformers-clip", truncate_dim=5)
    pixels = np.zeros((1, *clip.preprocess.sides, 3), np.uint8)
    np.testing.assert_allclose(run(image_graph(clip), pixels), clip.encode_image(pixels), rtol=1e-4)


@pytest.mark.parametrize(("precision", "cosine"), [("float16", 0.99999), ("bfloat16", 0.9995), ("int8", 0.9995)])
def test_a_lower_precision_is_a_smaller_model_with_almost_the_same_embeddings(
    clip: CLIP, precision: Any, cosine: float
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, *clip.preprocess.sides, 3), np.uint8)
    ids = load("transformers-clip")[1]["text"].astype(np.int64)
    for graph_of, value, embeddings in (
        (image_graph, pixels, clip.encode_image(pixels)),
        (text_graph, ids, clip.encode_text(ids)),
    ):
        graph = graph_of(clip, precision=precision)
        assert graph.ByteSize() < 0.8 * graph_of(clip).ByteSize()
        found = run(graph, value)
        cosines = (found * embeddings).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(embeddings, axis=1)
        assert cosine < cosines.min()
        assert not np.allclose(found, embeddings, rtol=1e-5)


def test_onnxruntime_multiplies_by_int8_as_it_is(clip: CLIP, tmp_path: Path) -> None:
    """Only values of the pooled token, which are of several matrices, are converted first."""
    path, options = tmp_path / "optimized.onnx", onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3  # that it has optimized for this machine is no warning
    graph = text_graph(clip, precision="int8")
    onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(path).graph.node)
    products = 1 + 6 * len(clip.text.transformer.resblocks)
    assert kinds["Gemm"] == 0
    assert kinds["MatMulNBits"] + kinds["DequantizeLinear"] == products
    assert kinds["DequantizeLinear"] == 2


@pytest.mark.parametrize(
    "name", ["transformers-clip", "open_clip-coca", "mclip-bert", "open_clip-nllb", "open_clip-mt5"]
)
def test_what_texts_begin_with_has_names(name: str) -> None:
    nodes = [node.name for node in text_graph(load(name)[0]).graph.node]
    unnamed = {name for name in nodes if "." not in name}
    assert unnamed <= {"Reshape", "ln_pre", "ln_final", "text_projection", "pooler", "Tanh"}
    assert "token_embedding.Gather" in nodes


def test_norms_have_the_bias_that_is_optional(clip: CLIP) -> None:
    """ONNX Runtime aborts without it, until 1.18."""
    for graph in (image_graph(clip).graph, text_graph(clip).graph):
        norms = [node for node in graph.node if node.op_type == "LayerNormalization"]
        assert {len(node.input) for node in norms} == {3}


def test_what_is_float32_is_not_converted_to_it(clip: CLIP) -> None:
    for graph, last in ((text_graph(clip), "Gemm"), (text_graph(clip, precision="float16"), "Cast")):
        assert graph.graph.node[-1].op_type == last


def test_a_block_has_no_node_that_a_matrix_could_have_absorbed(clip: CLIP) -> None:
    """Queries, keys and values are laid out by head, and what is mixed by token; norms have no scale."""
    first = [node for node in text_graph(clip).graph.node if ".resblocks.0." in node.name]
    kinds = Counter(node.op_type for node in first)
    assert kinds == {
        "LayerNormalization": 2,
        "Gemm": 6,  # queries, keys, values, out_proj, c_fc, c_proj
        "Reshape": 4,
        "Concat": 1,  # the shape of the first three reshapes, for all blocks
        "Transpose": 4,
        "MatMul": 2,
        "Softmax": 1,
        "Add": 3,  # the mask, and both residual connections
        "Mul": 2,  # QuickGELU
        "Sigmoid": 1,
    }


def test_the_last_block_computes_the_pooled_token_only(clip: CLIP) -> None:
    model, last = text_graph(clip), len(clip.text.transformer.resblocks) - 1
    hidden = [f"transformer.resblocks.{i}.mlp.c_fc" for i in (last - 1, last)]
    for name in hidden:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (None, None)))
    ids = load("transformers-clip")[1]["text"].astype(np.int64)
    of_all, of_pooled = session_of(model).run(hidden, {"input_ids": ids})
    assert len(of_all) == ids.size
    assert len(of_pooled) == len(ids)


def test_a_pair_of_models_has_the_graphs_of_their_towers() -> None:
    names = "open_clip-xlm-roberta", "mclip-bert"
    images, texts = (FAMILIES / name for name in names)
    both, _ = numpyclip.load(images, text_model=texts)
    assert image_graph(both) == image_graph(load(names[0])[0])
    assert text_graph(both) == text_graph(load(names[1])[0])


def test_a_model_without_the_tower_is_refused() -> None:
    clip, _ = numpyclip.load(Path(FAMILIES) / "transformers-clip-vision")
    with pytest.raises(InputError, match="no tower for texts"):
        text_graph(clip)
