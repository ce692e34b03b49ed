"""Files of `torch.save` before PyTorch 1.6."""

from pathlib import Path

import pytest
from hypothesis import given

from tests.fuzz.checked import corpus, genuine, outcome, read_weights
from tests.fuzz.mutations import mutated
from tests.fuzz.programs import programs, states
from tests.weights.forged import legacy


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.pt"


def test_what_once_failed(file: Path) -> None:
    for content in corpus("legacy"):
        outcome(read_weights, file, content)


@given(content=mutated(list(genuine("tensors-legacy.pt", "beside-legacy.pt"))))
def test_files(file: Path, content: bytes) -> None:
    outcome(read_weights, file, content)


@given(root=programs() | states(), keys=programs())
def test_programs(file: Path, root: bytes, keys: bytes) -> None:
    outcome(read_weights, file, legacy(root[2:-1]))
    outcome(read_weights, file, legacy(keys=keys[2:-1]))
