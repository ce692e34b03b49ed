"""M2M100's sinusoids as a table of a graph."""

from dataclasses import replace

import numpy as np
import pytest

from numpyclip.graph.builder import Graph
from numpyclip.graph.visitors import visit
from numpyclip.model.text.m2m100 import M2M100
from tests.families.test_parity import load
from tests.graph.runtime import run
from tests.graph.test_families import assert_near


@pytest.mark.parametrize("scaled", [True, False])
def test_positions_and_scale_of_tokens(scaled: bool) -> None:
    """The last position is that of a text of the context's length."""
    tower = load("open_clip-nllb")[0].text
    assert isinstance(tower, M2M100)
    tower = replace(tower, config=replace(tower.config, scaled=scaled, context_length=50))
    ids = np.random.default_rng(0).integers(2, tower.config.vocab_size, (2, 50))
    g = Graph()
    embeddings = visit(tower, g, g.input("input_ids", np.int64, ("batch", "length")))
    assert_near(run(g.output("text_embeds", embeddings, ("batch", tower.output_dim)), ids), tower(ids))
