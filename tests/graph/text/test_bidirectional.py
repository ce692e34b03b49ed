"""Padding at the ends of texts and within them, as a graph masks it; test_families.py has the families' texts."""

import numpy as np
import pytest

from numpyclip.graph import text_graph
from numpyclip.model.text.encoder_configs import EncoderConfig
from tests.families.test_parity import load, with_record_of
from tests.graph.runtime import in_onnxruntime
from tests.graph.test_families import RUNTIMES, Runtime, assert_near
from tests.model.golden import assert_close

ENCODERS = [name for name in with_record_of("encode_text") if isinstance(load(name)[0].config.text, EncoderConfig)]


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_padding_is_masked_wherever_it_is(name: str, runtime: Runtime) -> None:
    """At the start of a text, within it, in all of it, and at the end of all."""
    model, golden = load(name)
    config = model.config.text
    assert config is not None
    ids = np.full((5, 12), config.pad_id)
    ids[:, :9] = golden["text"][[1], :9]
    ids[0, :2] = ids[1, 3:5] = ids[2, 4:] = ids[3] = config.pad_id
    assert_near(runtime(text_graph(model))(ids), model.encode_text(ids))


@pytest.mark.parametrize("name", with_record_of("encode_padded"))
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_padding_within_a_text_is_masked_as_the_library_does(name: str, runtime: Runtime) -> None:
    model, golden = load(name)
    assert_close(runtime(text_graph(model))(golden["padded"].astype(np.int64)), golden["encode_padded"])


def test_a_text_is_what_it_is_without_its_padding_and_the_others() -> None:
    model, golden = load("open_clip-xlm-roberta")
    computed, ids = in_onnxruntime(text_graph(model)), golden["text"].astype(np.int64)
    together = computed(ids)
    config = model.config.text
    assert config is not None
    for row, length, expected in zip(ids, config.lengths(ids), together, strict=True):
        assert_near(computed(row[np.newaxis, :length]), expected[np.newaxis])
