"""OpenCLIP's CoCa: what its description says, and the captions that the real library wrote."""

from typing import Any

import numpy as np
import pytest

from numpyclip.model.coca import CoCa
from numpyclip.model.generate import Decoding
from numpyclip.model.prefixes import Prefixes
from numpyclip.model.text import TextTransformer
from tests.families.test_parity import load
from tests.model.golden import assert_close

NAMES = pytest.mark.parametrize("name", ["open_clip-coca", "open_clip-coca-patches", "open_clip-coca-joined"])
MARKS: dict[str, Any] = {"start_id": 38, "end_id": 39}

# as OPTIONS of tools/golden/open_clip_coca.py
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {"method": "greedy"},
    "greedy_penalty": {"method": "greedy", "repetition_penalty": 1.5, "min_seq_len": 6},
    "greedy_window": {"method": "greedy", "max_seq_len": 5},
    "beam_search": {},
    "beam_search_penalty": {"num_beams": 3, "num_beam_groups": 1, "repetition_penalty": 0.8, "min_seq_len": 7},
    "beam_search_wide": {"num_beams": 8, "num_beam_groups": 2, "seq_len": 9},
}


def coca(name: str) -> tuple[CoCa, dict[str, Any]]:
    model, golden = load(name)
    assert isinstance(model, CoCa)
    return model, golden


@NAMES
@pytest.mark.parametrize("record", OPTIONS)
def test_captions_equal_open_clip_s_token_for_token(name: str, record: str) -> None:
    model, golden = coca(name)
    options = {"seq_len": 12, "min_seq_len": 3, **MARKS, **OPTIONS[record]}
    np.testing.assert_array_equal(model.generate_ids(golden["image"], Decoding(**options)), golden[f"ids_{record}"])


@NAMES
def test_the_decoder_s_logits_equal_open_clip_s(name: str) -> None:
    """Those of a whole text at once, its padding included."""
    model, golden = coca(name)
    tokens = model.visual.describe(golden["image"])  # type: ignore[attr-defined]
    assert isinstance(model.text, TextTransformer)
    x = Prefixes(model.text, model.decoder, tokens, 12).extend(golden["text"][:, :-1])
    logits = model.decoder.logits(x.reshape(len(x), -1))
    assert_close(logits.reshape(golden["caption_logits"].shape), golden["caption_logits"])
