"""Archives of NumPy that are sound; the others are in the table of hostile files."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.archive import Archive
from numpyclip.weights.npz import read_npz_and_texts
from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN, npz

ARRAYS: dict[str, np.ndarray] = {
    "float64": np.linspace(0, 1, 6).reshape(2, 3),
    "float16": np.arange(4, dtype=np.float16),
    "big": np.arange(5, dtype=">f4"),
    "fortran": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    "scalar": np.array(3.5, np.float32),
    "empty": np.empty((0, 3), np.float32),
    "int": np.arange(3),
    "bool": np.array([True, False]),
    "folder/name": np.ones(2, np.float32),
    "called.npy": np.zeros(2, np.float32),
}


def _save(path: Path, save: Callable[..., None] = np.savez) -> None:
    save(path, **ARRAYS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_wrote_them(tmp_path: Path, save: Callable[..., None]) -> None:
    _save(tmp_path / "file.npz", save)
    found = read(tmp_path / "file.npz").arrays
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_stored_arrays_are_mapped(tmp_path: Path) -> None:
    _save(tmp_path / "file.npz")
    assert not any(array.flags.owndata for array in read(tmp_path / "file.npz").arrays.values() if array.size)


def test_any_array_is_taken_as_native_float32(tmp_path: Path) -> None:
    _save(tmp_path / "file.npz")
    found = read(tmp_path / "file.npz")
    for name in ("float64", "float16", "big", "fortran"):
        taken = found.take(name)
        assert taken.dtype == np.float32
        assert taken.dtype.isnative
        assert taken.flags.c_contiguous
        assert np.array_equal(taken, ARRAYS[name].astype(np.float32))


def test_a_longer_header_of_version_2_is_read(tmp_path: Path) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"
    (tmp_path / "file.npz").write_bytes(npz(header, np.float32(5).tobytes(), (2, 0)))
    assert read(tmp_path / "file.npz").arrays["w"] == 5


def test_the_golden_tensors_are_read() -> None:
    found = read(GOLDEN / "tensors.npz").arrays
    with np.load(GOLDEN / "tensors.npz") as expected:
        assert all(np.array_equal(found[name], expected[name]) for name in expected.files)
        assert set(found) == set(expected.files)


def test_texts_beside_the_weights_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones(2, np.float32), about=np.array("made on a Monday"), raw=np.array(b"x"))
    assert list(read(tmp_path / "a.npz").arrays) == ["a"]


def test_what_holds_no_numbers_is_left_out_by_name(tmp_path: Path) -> None:
    day, rows = np.array("2020", "M8[D]"), np.zeros(1, [("x", "f4")])
    np.savez(
        tmp_path / "a.npz", a=np.ones(2, np.float32), o=np.array([{}], object), c=np.ones(2, complex), d=day, r=rows
    )
    found = read(tmp_path / "a.npz")
    assert found.only({"a": (2,)}).left_out == ("o", "c", "d", "r")
    with pytest.raises(UnsupportedCheckpointError, match=r"tensor 'o' is of dtype object; expected a plain tensor"):
        found.shape("o", 1)


def test_a_shape_of_true_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(4))
    with pytest.raises(CorruptCheckpointError, match="are not those of an array"):
        read(tmp_path / "a.npz")


def test_texts_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    texts = ["naïve", "", "na\udcefve", "☃" * 9]
    np.savez(tmp_path / "a.npz", a=np.ones(2), one=np.array("one"), many=np.array(texts), big=np.array(texts, ">U9"))
    arrays, found = read_npz_and_texts(Archive(tmp_path / "a.npz"))
    assert list(arrays) == ["a"]
    assert found == {"one": ["one"], "many": texts, "big": texts}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", b"\xff\xff\xff\x7f", "2147483647 is not a char"),
        ("{'descr': '<U0', 'fortran_order': False, 'shape': (140737488355327,)}", b"", "have no room for a character"),
        (
            "{'descr': '<U1', 'fortran_order': False, 'shape': (300000,)}",
            bytes(1200000),
            "has 300000 texts; expected at",
        ),
        ("{'descr': '<U4', 'fortran_order': False, 'shape': (2,)}", bytes(16), "cannot have 16 bytes"),
    ],
)
def test_text_that_is_none_is_refused(header: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz(header, data))
    with pytest.raises(CorruptCheckpointError, match=message):
        read_npz_and_texts(Archive(tmp_path / "a.npz"))
