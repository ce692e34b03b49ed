"""`.npz` files: changed ones, and those of drawn headers."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyclip.errors import NumPyCLIPError
from numpyclip.weights.archive import Archive
from numpyclip.weights.npz import read_npz_and_texts
from tests.fuzz.checked import corpus, genuine, outcome, read_weights
from tests.fuzz.mutations import mutated
from tests.weights.forged import npz

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(["one", "two"]), "c": np.float16(1)}


def _saved(compressed: bool) -> bytes:
    stream = BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **ARRAYS)
    return stream.getvalue()


PACKED = _saved(compressed=True)
_DTYPES = st.sampled_from(["'<f4'", "'>f8'", "'|u1'", "'|b1'", "'<U2'", "'|O'", "'|V2'", "'<c8'", "'<f4', (2,)", "4"])
_SHAPES = st.lists(st.sampled_from(["0", "1", "2", "6", "-1", str(2**48), str(2**70), "1.0", "'6'", "9L"]), max_size=10)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.npz"


def test_what_once_failed(file: Path) -> None:
    for content in corpus("npz"):
        outcome(read_weights, file, content)


@given(content=mutated([*genuine("tensors.npz"), _saved(compressed=False), PACKED]))
def test_files(file: Path, content: bytes) -> None:
    outcome(read_weights, file, content)
    outcome(lambda path: read_npz_and_texts(Archive(path)), file, content)


@given(content=mutated([PACKED]))
def test_checked_numbers_are_those_that_were_written_or_none(file: Path, content: bytes) -> None:
    found = outcome(lambda path: read_npz_and_texts(Archive(path)), file, content)
    if not isinstance(found, NumPyCLIPError):
        arrays, _ = found
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])


@given(descr=_DTYPES, shape=_SHAPES, order=st.sampled_from(["True", "False", "0"]), data=st.binary(max_size=48))
def test_headers(file: Path, descr: str, shape: list[str], order: str, data: bytes) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': ({','.join(shape)},), }}"
    outcome(read_weights, file, npz(header, data))


@given(header=st.text(max_size=60) | st.text("()[]{}'\",:0123456789-+~.eE \\\n", max_size=200))
def test_headers_of_any_text(file: Path, header: str) -> None:
    outcome(read_weights, file, npz(header.encode("latin-1", "replace"), bytes(4)))
