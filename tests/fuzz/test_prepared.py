"""Cached weights: those that were written, or none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from numpyclip.runtime.prepared import open_prepared, prepared_files, save_prepared
from tests.fuzz.checked import corpus
from tests.fuzz.mutations import mutated

ARRAYS: dict[str, NDArray[Any]] = {"a 0": np.arange(6, dtype=np.float32).reshape(2, 3), "b 0": np.ones(3, np.float16)}
IDENTITY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMPYCLIP_CACHE", str(tmp_path_factory.mktemp("cache")))
        save_prepared(IDENTITY, "visual", ARRAYS, least_bytes=0)
        return prepared_files()[0]


@pytest.fixture(scope="module")
def sound(file: Path) -> bytes:
    return file.read_bytes()


def _check(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMPYCLIP_CACHE", str(file.parent))
        found = open_prepared(IDENTITY, "visual")
    assert found is None or set(found) == set(ARRAYS)
    for name, array in (found or {}).items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_what_once_failed(file: Path, sound: bytes) -> None:
    for content in (sound, *corpus("prepared")):
        _check(file, content)


@given(data=st.data())
def test_files(file: Path, sound: bytes, data: st.DataObject) -> None:
    _check(file, data.draw(mutated([sound])))
