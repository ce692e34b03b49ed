"""Safetensors that are sound; the others are in the table of hostile files."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError
from numpyclip.weights.dtypes import BFloat16
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import Unwritten, read_safetensors, unwritten, write_safetensors
from tests.weights.forged import GOLDEN, entry, safetensors


def _read(tmp_path: Path, header: object, body: bytes = b"") -> dict[str, np.ndarray]:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(header, body))
    return dict(read(path).arrays)


def test_a_genuine_file_is_read() -> None:
    arrays = read(GOLDEN / "vit.safetensors").arrays
    assert arrays["visual.conv1.weight"].shape == (128, 3, 8, 8)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert arrays["logit_scale"] == np.float16(3.7)


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype"),
    [
        ("F64", "<f8"),
        ("F32", "<f4"),
        ("F16", "<f2"),
        ("I64", "<i8"),
        ("I32", "<i4"),
        ("I16", "<i2"),
        ("I8", "i1"),
        ("U64", "<u8"),
        ("U32", "<u4"),
        ("U16", "<u2"),
        ("U8", "u1"),
        ("BOOL", "?"),
    ],
)
def test_every_format_is_read(tmp_path: Path, dtype: str, numpy_dtype: str) -> None:
    values = np.array([[1, 0, 1], [0, 1, 1]]).astype(numpy_dtype)
    found = _read(tmp_path, {"w": entry(dtype, [2, 3], 0, values.nbytes)}, values.tobytes())["w"]
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert not found.flags.owndata


def test_bfloat16_is_mapped_and_written_as_it_is(tmp_path: Path) -> None:
    body = b"\x80\x3f\x20\xc0"
    found = _read(tmp_path, {"w": entry("BF16", [2], 0, 4)}, body)["w"]
    assert isinstance(found, BFloat16)
    assert not found.flags.owndata
    assert found.astype(np.float32).tolist() == [1, -2.5]
    [tensor] = unwritten("w", found)
    assert (tensor.kind, tensor.nbytes, tensor.make().tobytes()) == ("BF16", 4, body)
    write_safetensors(tmp_path / "again", [tensor])
    assert read(tmp_path / "again").take("w").tolist() == [1, -2.5]


def test_scalars_and_empty_tensors_are_read(tmp_path: Path) -> None:
    header = {
        "b": entry(shape=[]),
        "a": entry(shape=[0, 3], start=0, stop=0),
        "c": entry("BF16", [2, 0], 4, 4),
    }
    found = _read(tmp_path, header, np.float32(7).tobytes())
    assert {name: array.shape for name, array in found.items()} == {"a": (0, 3), "b": (), "c": (2, 0)}
    assert found["b"] == 7


def test_tensors_may_lie_in_any_order_and_metadata_is_no_tensor(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": entry(start=4, stop=8), "b": entry()}
    found = _read(tmp_path, header, np.array([1, 2], "<f4").tobytes())
    assert found["a"] == 2
    assert found["b"] == 1
    assert set(found) == {"a", "b"}


def test_the_header_may_end_in_spaces(tmp_path: Path) -> None:
    raw = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' + b" " * 100
    assert _read(tmp_path, raw, b"\x05")["w"] == 5


def test_a_header_of_no_tensors_is_sound(tmp_path: Path) -> None:
    assert _read(tmp_path, {}) == {}


def test_numbers_that_do_not_lie_on_their_alignment_are_read(tmp_path: Path) -> None:
    header = {"a": entry("U8", [1], 0, 1), "b": entry("F64", [1], 1, 9)}
    found = _read(tmp_path, header, b"\1" + np.float64(0.1).tobytes())
    assert found["b"] == 0.1


@pytest.mark.parametrize("dtype", ["f8", ">f4", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_what_was_written_is_read(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(6)[: int(np.prod(shape))].reshape(shape).astype(dtype)
    write_safetensors(tmp_path / "w.safetensors", unwritten("w", array))
    found = read(tmp_path / "w.safetensors").arrays["w"]
    assert found.dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(found, array)


def test_transposed_numbers_are_written_row_by_row(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_safetensors(tmp_path / "w.safetensors", unwritten("w", array))
    np.testing.assert_array_equal(read(tmp_path / "w.safetensors").arrays["w"], array)


def test_wide_numbers_come_first_so_that_all_lie_on_their_alignment(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {
        "a": np.ones(3, np.int8),
        "b": np.ones(3, np.float16),
        "c": np.ones(3, np.float32),
        "d": np.ones(1),
    }
    tensors = [tensor for name, array in arrays.items() for tensor in unwritten(name, array)]
    write_safetensors(tmp_path / "w.safetensors", tensors, {"format": "pt"})
    found, metadata = read_safetensors(tmp_path / "w.safetensors")
    assert list(found) == ["d", "c", "b", "a"]
    assert all(array.flags.aligned for array in found.values())
    assert metadata == {"format": "pt"}


def test_a_tensor_is_made_when_its_turn_has_come(tmp_path: Path) -> None:
    alive: list[str] = []

    def make(name: str) -> np.ndarray:
        alive.append(name)
        return np.ones(2, np.float32)

    tensors = [Unwritten(name, "F32", (2,), lambda name=name: make(name)) for name in "ab"]  # type: ignore[misc]
    assert alive == []
    write_safetensors(tmp_path / "w.safetensors", tensors)
    assert alive == ["a", "b"]


def test_other_bytes_than_announced_are_a_mistake_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'w' has 8 bytes; 12 were announced"):
        write_safetensors(tmp_path / "w.safetensors", [Unwritten("w", "F32", (3,), lambda: np.ones(2, np.float32))])


@pytest.mark.parametrize("activation", ["relu", "", "QuickGELU"])
def test_an_activation_that_is_none_of_ours_is_refused(tmp_path: Path, activation: str) -> None:
    write_safetensors(tmp_path / "w.safetensors", unwritten("w", np.ones(1)), {"numpyclip.activation": activation})
    with pytest.raises(CheckpointError, match="records the activation"):
        read(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (safetensors({"w": entry(shape=[1] * 60_000)}, bytes(4)), "'w' has 60000 dimensions; expected 8 at most"),
        (safetensors({"w": entry(shape=[1] * 9)}, bytes(4)), "'w' has 9 dimensions; expected 8 at most"),
        (safetensors(b"{}" + b" " * 2**22), "its header has 4194306 bytes; expected at most 4194304"),
        (safetensors(b"{}", length=3), "the header should be 3 bytes long, but the file has 10"),
        (safetensors(b'{"w":[' + b"[]," * 200_000 + b"0]}"), r"not sound JSON \(it has 400003 values, far too many"),
    ],
)
def test_each_limit_has_its_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match=message):
        read(path)


@pytest.mark.parametrize("header", ['{"w":1}'.encode("utf-16-le"), b'{"\xed\xa0\x80":1}'])
def test_a_header_of_another_encoding_is_refused(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(CorruptCheckpointError, match="the header is not sound JSON"):
        _read(tmp_path, header)


@pytest.mark.parametrize("more", [{"more": 1}, {"more": None, "x": {"a": [1]}}, {"strides": [1]}])
def test_more_in_an_entry_is_ignored_as_the_library_does(tmp_path: Path, more: dict[str, object]) -> None:
    header = {"__metadata__": None, "w": {**more, **entry()}}
    assert list(_read(tmp_path, header, bytes(4))["w"]) == [0]
