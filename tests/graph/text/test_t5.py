"""T5's relative positions and norms as nodes."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from numpyclip.graph import text_graph
from numpyclip.graph.builder import Graph
from numpyclip.graph.token_layout import TokenLayout
from numpyclip.graph.visitors import visit
from numpyclip.model.text.t5 import T5
from numpyclip.model.token_layout import TokenLayout as Columns
from tests.families.test_parity import load
from tests.graph.test_families import RUNTIMES, Runtime, assert_near


def t5(name: str) -> T5:
    tower = load(name)[0].text
    assert isinstance(tower, T5)
    return tower


@pytest.mark.parametrize("name", ["open_clip-mt5", "open_clip-mt5-first"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_texts_are_longer_than_the_largest_distance(name: str, runtime: Runtime) -> None:
    tower = t5(name)
    ids = np.random.default_rng(0).integers(1, tower.config.vocab_size, (2, tower.config.max_distance + 40))
    ids[1, 150:] = tower.config.pad_id
    assert_near(runtime(text_graph(load(name)[0]))(ids), tower(ids))


def test_squares_that_float16_does_not_hold_are_summed_in_float32() -> None:
    """Those of T5 are: its residual stream is in the thousands. ONNX's own evaluator rounds after each node."""
    block = t5("open_clip-mt5").transformer.resblocks[0]
    rows = np.random.default_rng(0).standard_normal((3, block.attn.in_proj.shape[1]), np.float32)
    g = Graph("float16")
    x, length = g.input("x", np.float32, ("rows", rows.shape[1])), g.input("length", np.int64, (1,))
    y = visit(block, g.at("block"), g.op("Mul", x, 5000.0), TokenLayout(length))
    evaluator = ReferenceEvaluator(g.output("y", y, ("rows", rows.shape[1])))
    (found,) = evaluator.run(None, {"x": rows, "length": np.array([3])})
    expected = block(np.ascontiguousarray(5000 * rows.T), Columns(1)).T
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=10)


def test_layers_without_biases_have_none() -> None:
    graph = text_graph(load("open_clip-mt5")[0]).graph
    assert {len(node.input) for node in graph.node if node.op_type == "Gemm"} == {2}
