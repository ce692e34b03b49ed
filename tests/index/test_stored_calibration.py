import json
from dataclasses import replace

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import StoreError
from numpyclip.index import Index
from numpyclip.index.stored_calibration import store_calibration, stored_calibration
from numpyclip.tasks.background import Calibration

OTHER = Calibration(-1.0, 0.5, -0.25, 0.125)


def test_what_is_stored_is_read_again(index: Index, tiny: CLIP) -> None:
    assert stored_calibration(index.store, tiny) == Calibration()
    store_calibration(index.store, tiny, OTHER)
    assert stored_calibration(index.store, tiny) == OTHER


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "0" * 64, "weights_float16": "0" * 64},
        {"architecture": "embed_dim=64"},
        {"text_model": "0" * 64},
    ],
)
def test_that_of_another_model_is_left_alone(index: Index, tiny: CLIP, change: dict[str, str]) -> None:
    store_calibration(index.store, tiny, OTHER)
    values = json.loads(index.store.calibration())
    other = json.dumps({**values, "fingerprint": vars(replace(tiny.fingerprint, **change))})
    with index.store.writing():
        index.store.set_calibration(other)
    assert stored_calibration(index.store, tiny) == Calibration()


def test_that_of_another_precision_is_used(index: Index, tiny: CLIP) -> None:
    store_calibration(index.store, tiny, OTHER)
    values = json.loads(index.store.calibration())
    other = json.dumps({**values, "fingerprint": vars(replace(tiny.fingerprint, precision="bfloat16"))})
    with index.store.writing():
        index.store.set_calibration(other)
    assert stored_calibration(index.store, tiny) == OTHER


@pytest.mark.parametrize("damage", ["[]", '{"fit": 1}', "NaN", "x", "[" * 9999, "not finite", "not a number"])
def test_what_is_no_calibration_says_how_to_remove_it(index: Index, tiny: CLIP, damage: str) -> None:
    store_calibration(index.store, tiny, OTHER)
    value = {"not finite": "NaN", "not a number": '"a"'}.get(damage)
    written = damage if value is None else index.store.calibration().replace("0.125", value)
    with index.store.writing():
        index.store.set_calibration(written)
    with pytest.raises(StoreError, match=r"for a calibration. Remove it: numpyclip index --no-calibration"):
        stored_calibration(index.store, tiny)
