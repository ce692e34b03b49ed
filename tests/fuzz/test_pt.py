"""Zip archives of `torch.save` and TorchScript."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given

from tests.fuzz.checked import corpus, genuine, outcome, read_weights
from tests.fuzz.mutations import mutated
from tests.fuzz.programs import programs, states
from tests.weights.forged import NUMBERS, archive

FILES = list(genuine("tensors*.pt", "beside*.pt", "ema-pytorch.pt", "whole.pt", "lightning.pt"))
ARCHIVES = [file for file in FILES if file.startswith(b"PK")]


def _pickle_of(content: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as file:
        return file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.pt"


def test_what_once_failed(file: Path) -> None:
    for content in corpus("pt"):
        outcome(read_weights, file, content)


@given(content=mutated(ARCHIVES))
def test_archives(file: Path, content: bytes) -> None:
    outcome(read_weights, file, content)


@given(pickle=mutated([_pickle_of(content) for content in ARCHIVES]))
def test_pickles_within_archives(file: Path, pickle: bytes) -> None:
    records = {f"data/{index}": NUMBERS * 20 for index in range(70)}
    outcome(read_weights, file, archive(pickle, records))


@given(pickle=programs() | states())
def test_programs(file: Path, pickle: bytes) -> None:
    outcome(read_weights, file, archive(pickle))
    outcome(read_weights, file, archive(pickle, {"data/0": NUMBERS, "constants.pkl": b""}))
