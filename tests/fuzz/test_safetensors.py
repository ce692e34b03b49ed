"""`.safetensors` files: changed ones, and those of drawn headers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.checked import corpus, outcome, read_weights
from tests.fuzz.mutations import mutated
from tests.weights.forged import entry, safetensors

SOUND = safetensors(
    {
        "__metadata__": {"numpyclip.activation": "gelu"},
        "a": entry("F32", [2, 3], 0, 24),
        "b": entry("I8", [2, 2], 24, 28),
        "b.scale": entry("F16", [2], 28, 32),
        "c": entry("BF16", [], 32, 34),
    },
    bytes(34),
)
_SIZES = st.sampled_from([0, 1, 2, 4, 2**31, 2**48, 2**63, -1, 1.5, True, None, "1"]) | st.integers()
_ENTRIES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I8", "BOOL", "F8_E4M3", "", 1]),
        "shape": st.lists(_SIZES, max_size=10) | _SIZES,
        "data_offsets": st.lists(_SIZES, min_size=1, max_size=3) | st.just([0, 8]),
    },
    optional={"more": st.none()},
)
_NAMES = st.sampled_from(["w", "w.scale", "x", "__metadata__", "", "\ud800"]) | st.text()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.safetensors"


def test_what_once_failed(file: Path) -> None:
    for content in corpus("safetensors"):
        outcome(read_weights, file, content)


@given(content=mutated([SOUND]))
def test_files(file: Path, content: bytes) -> None:
    outcome(read_weights, file, content)


@given(header=st.dictionaries(_NAMES, _ENTRIES | _SIZES, max_size=4), body=st.binary(max_size=32))
def test_headers(file: Path, header: dict[str, Any], body: bytes) -> None:
    outcome(read_weights, file, safetensors(json.dumps(header).encode(), body))
