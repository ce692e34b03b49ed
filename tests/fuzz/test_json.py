"""JSON files beside weights: the index of several files, and a config file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyclip.weights.json_file import parse_json, read_json_object
from tests.fuzz.checked import corpus, outcome, read_weights
from tests.fuzz.mutations import mutated

INDEX = json.dumps({"metadata": {"total_size": 9}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}).encode()
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=9), values, max_size=4),
    max_leaves=9,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.safetensors.index.json"


def _read(file: Path) -> dict[str, Any]:
    return read_json_object(file, 2**20, "a config file")


def test_what_once_failed(file: Path) -> None:
    for content in corpus("json"):
        outcome(read_weights, file, content)
        outcome(_read, file, content)


@given(content=mutated([INDEX]) | st.binary() | _VALUES.map(json.dumps).map(str.encode))
def test_files(file: Path, content: bytes) -> None:
    outcome(read_weights, file, content)
    outcome(_read, file, content)


@given(weight_map=st.dictionaries(st.text(max_size=9), _VALUES, max_size=4) | _VALUES)
def test_indexes(file: Path, weight_map: object) -> None:
    outcome(read_weights, file, json.dumps({"weight_map": weight_map}).encode())


@given(value=_VALUES)
def test_sound_values_are_read_as_they_were_written(value: object) -> None:
    content = json.dumps(value).encode()
    assert json.dumps(parse_json(content)) == json.dumps(value)
