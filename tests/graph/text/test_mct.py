"""Convolutions over tokens as nodes."""

import numpy as np
import onnx

from numpyclip.graph import text_graph
from numpyclip.graph.builder import Graph
from numpyclip.graph.visitors import visit
from numpyclip.model.text.mct import TokenConvolution
from tests.families.test_parity import load
from tests.graph.runtime import run, session_of


def test_a_convolution_is_zero_padded_and_of_each_channel() -> None:
    random = np.random.default_rng(0)
    layer = TokenConvolution(random.standard_normal((3, 5), np.float32), random.standard_normal(3, np.float32))
    x = random.standard_normal((2, 3, 7), np.float32)
    g = Graph()
    found = run(g.output("y", visit(layer, g.at("conv"), g.input("x", np.float32, ("b", 3, "n"))), ("b", 3, "n")), x)
    np.testing.assert_allclose(found, layer(x.swapaxes(0, 1)).swapaxes(0, 1), atol=1e-5)


def test_the_last_block_computes_the_mlp_of_the_pooled_token_only() -> None:
    clip, golden = load("apple-mobileclip_s0")
    model, ids = text_graph(clip), golden["text"].astype(np.int64)
    hidden = [f"mixers.{i}.mlp.c_fc" for i in range(2)]
    for name in hidden:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (None, None)))
    of_all, of_pooled = session_of(model).run(hidden, {"input_ids": ids})
    assert len(of_all) == ids.size
    assert len(of_pooled) == len(ids)
