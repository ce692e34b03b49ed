from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CheckpointError
from numpyclip.families.tensor_names import rename, translator, used
from numpyclip.weights.checkpoint import Checkpoint

NAMES = (("there.*.norm", "here.*.ln"), ("there.norm", "ln"))


def test_names_are_translated_by_their_longest_beginning() -> None:
    translate = translator(NAMES)
    assert translate("there.3.norm.weight") == "here.3.ln.weight"
    assert translate("there.norm.bias") == "ln.bias"
    assert translate("elsewhere.norm") == "elsewhere.norm"


def test_a_name_that_is_a_pattern_itself_stays_as_it_is() -> None:
    assert translator(NAMES)("there.*.norm.weight") == "there.*.norm.weight"


def test_a_name_that_is_there_twice_is_quoted() -> None:
    names = ("a\n\x1b.b", "a\n\x1b.c")
    checkpoint = Checkpoint(Path("file"), {name: np.zeros(1) for name in names})
    with pytest.raises(CheckpointError) as caught:
        rename(checkpoint, lambda name: name[:3])
    assert caught.value.args[0] == r"file: tensor 'a\n\x1b' is there 2 times, under other names."


def test_what_follows_from_the_sizes_and_what_is_not_used_is_left_out() -> None:
    names = (
        "a.position_ids",
        "a.rope.freqs_cos",
        "a.0.rotary_emb.inv_freq",
        "pooler.weight",
        "a.pooler.weight",
        "rope.b",
    )
    left = used(Checkpoint(Path("file"), {name: np.zeros(1) for name in names}), ("pooler.",))
    assert list(left.arrays) == ["a.pooler.weight", "rope.b"]
