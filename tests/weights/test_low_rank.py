"""Adapters beside the weights that they change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.low_rank import adapt

WEIGHT, PLAIN = np.arange(6, dtype=np.float16).reshape(2, 3), np.ones(3, np.float32)
LEFT, RIGHT = np.array([[1.0], [2.0]], np.float32), np.array([[1.0, 10.0, 100.0]], np.float32)
CHECKPOINT = Checkpoint(Path("file"), {"weight": WEIGHT, "plain": PLAIN})


def test_their_product_is_added_when_a_tensor_is_taken() -> None:
    adapted = adapt(CHECKPOINT, {"weight": (LEFT, RIGHT)}, "query")
    for take in (adapted.take, adapted.copy, adapted.table):
        assert take("weight").tolist() == [[1, 11, 102], [5, 24, 205]]
        assert take("plain").tolist() == [1, 1, 1]
    assert adapted.join(["weight", "weight"]).tolist() == 2 * [[1, 11, 102], [5, 24, 205]]
    assert not adapted.take("weight").flags.writeable
    assert adapted.only({"weight": (2, 3), "plain": (3,)}).take("weight")[0, 0] == 1
    assert adapted.read_as(None, "").table("weight")[0, 0] == 1


def test_weights_that_were_prepared_with_others_are_not_used() -> None:
    checkpoint = replace(CHECKPOINT, identity="file")
    identities = {adapt(checkpoint, {"weight": (LEFT, RIGHT)}, name).identity for name in ("query", "passage")}
    assert len({*identities, "file"}) == 3
    assert adapt(CHECKPOINT, {"weight": (LEFT, RIGHT)}, "query").identity is None


def test_without_adapters_a_checkpoint_stays_as_it_is() -> None:
    assert adapt(CHECKPOINT, {}, "") is CHECKPOINT


@pytest.mark.parametrize("sides", [(LEFT.T, RIGHT.T), (LEFT, RIGHT[:, :2])])
def test_adapters_that_do_not_fit_are_refused(sides: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(CheckpointError, match="file: the adapters of tensor 'weight' make a matrix of"):
        adapt(CHECKPOINT, {"weight": sides}, "query")


@pytest.mark.parametrize("side", [np.nan, 1e38])
def test_a_sum_that_is_not_finite_is_refused(side: float) -> None:
    adapted = adapt(CHECKPOINT, {"weight": (LEFT * np.float32(side), RIGHT)}, "query")
    for take in (adapted.take, adapted.copy, adapted.table):
        with pytest.raises(CorruptCheckpointError, match="file: tensor 'weight' has NaN or infinity once its adapters"):
            take("weight")
