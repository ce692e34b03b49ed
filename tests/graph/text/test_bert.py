"""BERT's forms as nodes, where texts are longer than recorded ones, and options that no recorded family has."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.visitors import visit
from numpyclip.model.text.bert import Bert
from tests.families.test_parity import load
from tests.graph.runtime import run
from tests.graph.test_families import RUNTIMES, Runtime, assert_near


def graph_of(tower: Any) -> Any:
    g = Graph()
    embeddings = visit(tower, g, g.input("input_ids", np.int64, ("batch", "length")))
    return g.output("text_embeds", embeddings, ("batch", tower.output_dim))


@pytest.mark.parametrize("name", ["jina-clip-v1", "jina-clip-v2", "jina-clip-options"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_relative_positions_of_long_texts(name: str, runtime: Runtime) -> None:
    model, golden = load(name)
    ids = np.random.default_rng(0).choice(golden["text"][1].astype(np.int64), (2, 300))
    ids[1, 200:] = model.config.text.pad_id  # type: ignore[union-attr]
    assert_near(runtime(graph_of(model.text))(ids), model.encode_text(ids))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nomic-embed-text-v1", {"standardized": True}),
        ("transformers-altclip", {"pool": "mean"}),
        ("open_clip-bert-pooler", {"pool": "mean", "masks_padding": False}),
    ],
)
def test_options_are_those_of_the_tower(name: str, options: dict[str, Any]) -> None:
    model, golden = load(name)
    tower = model.text
    assert isinstance(tower, Bert)
    altered = replace(tower, config=replace(tower.config, **options))
    ids = golden["text"].astype(np.int64)
    found = run(graph_of(altered), ids)
    assert_near(found, altered(ids))
    assert np.abs(found - tower(ids)).max() > 1e-3


def test_a_block_has_no_node_that_a_matrix_could_have_absorbed() -> None:
    first = [node for node in graph_of(load("open_clip-bert")[0].text).graph.node if ".resblocks.0." in node.name]
    assert Counter(node.op_type for node in first) == {
        "LayerNormalization": 2,
        "Gemm": 6,  # queries, keys, values, out_proj, c_fc, c_proj
        "Reshape": 4,
        "Concat": 1,  # the shape of the first three reshapes, for all blocks
        "Transpose": 4,
        "MatMul": 2,
        "Softmax": 1,
        "Add": 4,  # the mask, both residual connections, and one of GELU
        "Mul": 2,  # GELU
        "Div": 1,
        "Erf": 1,
    }
