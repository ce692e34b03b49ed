"""Files of PyTorch: the genuine ones of tools/make_golden.py, and forged ones that are sound."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError, UnsupportedCheckpointError
from numpyclip.weights.dtypes import BFloat16
from numpyclip.weights.read import read
from tests.weights.forged import (
    GOLDEN,
    NUMBERS,
    Record,
    archive,
    call,
    items,
    legacy,
    listed,
    mapping,
    name,
    number,
    pickled,
    rezipped,
    state,
    storage,
    tensor,
    text,
    zipped,
)

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def _only(tmp_path: Path, content: bytes) -> np.ndarray:
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    (array,) = read(path).arrays.values()
    return array


@pytest.mark.parametrize("file", ["tensors.pt", "tensors-protocol4.pt", "tensors-legacy.pt"])
def test_genuine_tensors_have_the_values_that_pytorch_gave_them(file: str) -> None:
    found = read(GOLDEN / file).arrays
    with np.load(GOLDEN / "tensors.npz") as expected:
        assert set(found) == set(expected.files)
        for tensor_name, array in expected.items():
            ours = found[tensor_name]
            if isinstance(ours, BFloat16):  # which NumPy, and so the record, has not
                ours = ours.astype(np.float32)
            assert type(ours) is np.ndarray
            assert ours.dtype == array.dtype, tensor_name
            assert ours.shape == array.shape, tensor_name
            assert ours.tobytes() == array.tobytes(), tensor_name


@pytest.mark.parametrize("file", ["tensors.pt", "tensors-legacy.pt"])
def test_tensors_that_share_a_storage_share_memory(file: str) -> None:
    arrays = [array for array in read(GOLDEN / file).arrays.values() if array.size]
    pairs = [(a, b) for i, a in enumerate(arrays) for b in arrays[:i] if np.may_share_memory(a, b)]
    assert pairs


def test_an_archive_that_was_renamed_or_packed_again_is_read(tmp_path: Path) -> None:
    source, expected = GOLDEN / "vit-torchscript.pt", read(GOLDEN / "vit-torchscript.pt")
    (top,) = {record.split("/")[0] for record in zipfile.ZipFile(source).namelist()}
    for index, (method, new) in enumerate(
        [(zipfile.ZIP_STORED, "another name/"), (zipfile.ZIP_STORED, ""), (zipfile.ZIP_DEFLATED, "x/")]
    ):
        path = tmp_path / f"{index}.pt"
        rezipped(source, path, method, top=f"{top}/ -> {new}")
        found = read(path)
        assert found.activation == expected.activation == "quick_gelu"
        assert list(found.arrays) == list(expected.arrays)
        assert all(np.array_equal(found.arrays[key], array) for key, array in expected.arrays.items())


@pytest.mark.parametrize("folder", ["archive/", "", "\u00e9\u00e8/", "a.b c/", "../"])
def test_the_top_folder_may_have_any_name_or_be_missing(tmp_path: Path, folder: str) -> None:
    records = [
        Record(f"{folder}data.pkl", state(tensor()), flags=0x800),
        Record(f"{folder}data/0", NUMBERS, flags=0x800),
    ]
    assert np.array_equal(_only(tmp_path, zipped(records)), VALUES)


def test_names_of_classes_without_a_mangle_are_modules_too(tmp_path: Path) -> None:
    inner = (
        name("__torch__", "Linear")
        + b")\x81"
        + mapping([(text("weight"), tensor()), (text("training"), b"\x89")])
        + b"b"
    )
    outer = name("__torch__.clip", "CLIP") + b")\x81" + mapping([(text("proj"), inner)]) + b"b"
    content = archive(pickled(outer), {"data/0": NUMBERS, "constants.pkl": b""})
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    assert list(read(path).arrays) == ["proj.weight"]


def test_typed_lists_of_torchscript_are_passed_over(tmp_path: Path) -> None:
    sizes = call(name("torch.jit._pickle", "build_intlist"), listed(number(1)))
    device = call(name("torch", "device"), text("cpu"))
    members = mapping([(text("sizes"), sizes), (text("device"), device), (text("w"), tensor())])
    root = name("__torch__", "M") + b")\x81" + members + b"b"
    content = archive(pickled(root), {"data/0": NUMBERS, "constants.pkl": b""})
    assert np.array_equal(_only(tmp_path, content), VALUES)


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    big = struct.pack(">6f", *range(6))
    content = archive(state(tensor()), {"data/0": big, "byteorder": b"big"})
    assert np.array_equal(_only(tmp_path, content), VALUES)
    assert np.array_equal(
        _only(tmp_path, archive(state(tensor()), {"data/0": NUMBERS, "byteorder": b"little"})), VALUES
    )
    old = legacy(system=mapping([(text("little_endian"), b"\x89")]), body=struct.pack(">q", 6) + big)
    assert np.array_equal(_only(tmp_path, old), VALUES)


@pytest.mark.parametrize("order", [b"", b"middle", b"little\n", b"BIG", b"\xff" * 300])
def test_an_unknown_order_of_bytes_is_an_error(tmp_path: Path, order: bytes) -> None:
    with pytest.raises(CorruptCheckpointError, match=r"byteorder' says that the byte order is '.*; expected 'little'"):
        _only(tmp_path, archive(state(tensor()), {"data/0": NUMBERS, "byteorder": order}))


@pytest.mark.parametrize("little", [b"N", number(1), text("yes")])
def test_an_unknown_order_of_bytes_in_an_old_file_is_an_error(tmp_path: Path, little: bytes) -> None:
    with pytest.raises(CorruptCheckpointError, match="little_endian is neither true nor false"):
        _only(tmp_path, legacy(system=mapping([(text("little_endian"), little)])))


@pytest.mark.parametrize("file", ["tensors.pt", "tensors.npz"])
def test_a_flipped_bit_in_a_tensor_is_noticed_when_it_is_used(tmp_path: Path, file: str) -> None:
    stored = tmp_path / file
    stored.write_bytes((GOLDEN / file).read_bytes())
    if file.endswith(".npz"):
        with np.load(GOLDEN / file) as golden:
            np.savez(stored, **golden)
    content = bytearray(stored.read_bytes())
    content[content.index(struct.pack("<2e", 65504, -(2**-24)))] ^= 1
    (tmp_path / f"bad-{file}").write_bytes(content)
    damaged = read(tmp_path / f"bad-{file}")
    damaged.take("transposed")
    for use in (damaged.take, damaged.copy, damaged.table):
        with pytest.raises(CorruptCheckpointError, match=r"record '[^']*' does not match its checksum"):
            use("float16")


def test_a_tensor_of_a_subclass_or_with_attributes_is_a_tensor(tmp_path: Path) -> None:
    made = name("torch._utils", "_rebuild_tensor_v2")
    parts = items(storage(), number(0), items(number(2), number(3)), items(number(3), number(1)), b"\x89", b"N")
    typed = call(name("torch._tensor", "_rebuild_from_type_v2"), made, name("mine", "Tensor"), parts, b"}")
    assert np.array_equal(_only(tmp_path, archive(state(typed))), VALUES)


def test_a_model_that_was_pickled_before_pytorch_1_6_is_read(tmp_path: Path) -> None:
    """Its class is a persistent id, beside the text of its source."""
    kind = items(text("module"), name("mine", "Model"), text("model.py"), text("class Model: ...")) + b"Q"
    parts = {"_parameters": mapping([(text("w"), tensor(storage(more=b"N")))]), "_buffers": b"}", "_modules": b"}"}
    root = kind + b")\x81" + mapping([(text(part), value) for part, value in parts.items()]) + b"b"
    assert np.array_equal(_only(tmp_path, legacy(root)), VALUES)


@pytest.mark.parametrize("kind", ["_rebuild_qtensor", "_rebuild_sparse_tensor", "_rebuild_tensor_v3"])
def test_a_tensor_of_another_kind_is_an_error_that_names_it_if_it_is_of_the_model(tmp_path: Path, kind: str) -> None:
    other = call(name("torch._utils", kind), number(1))
    beside = mapping([(text("x"), other), (text("state_dict"), mapping([(text("w"), tensor())]))])
    assert np.array_equal(_only(tmp_path, archive(pickled(beside))), VALUES)
    (tmp_path / "b.pt").write_bytes(archive(pickled(mapping([(text("x"), other), (text("w"), tensor())]))))
    found = read(tmp_path / "b.pt")
    assert found.only({"w": (2, 3)}).left_out == ("x",)
    with pytest.raises(UnsupportedCheckpointError, match=rf"tensor 'x' is made by 'torch\._utils\.{kind}'; expected a"):
        found.shape("x", 1)


def test_a_parameter_is_its_tensor(tmp_path: Path) -> None:
    hooks = call(name("collections", "OrderedDict"))
    parameter = call(name("torch._utils", "_rebuild_parameter"), tensor(), b"\x88", hooks)
    assert np.array_equal(_only(tmp_path, archive(state(parameter))), VALUES)


def test_an_ordered_dict_of_python_2_is_read(tmp_path: Path) -> None:
    root = call(name("collections", "OrderedDict"), listed(listed(text("w"), tensor())))
    assert np.array_equal(_only(tmp_path, archive(pickled(root))), VALUES)


def test_a_size_may_be_a_torch_size(tmp_path: Path) -> None:
    size = call(name("torch", "Size"), items(number(2), number(3)))
    assert np.array_equal(_only(tmp_path, archive(state(tensor(shape=size)))), VALUES)


def test_a_storage_may_be_longer_than_its_tensor(tmp_path: Path) -> None:
    content = archive(state(tensor(storage(numel=number(7)), offset=number(1))), {"data/0": b"\xff" * 4 + NUMBERS})
    assert np.array_equal(_only(tmp_path, content), VALUES)


def test_the_oldest_files_let_a_storage_be_a_part_of_another(tmp_path: Path) -> None:
    part = storage(numel=number(8), more=items(text("view"), number(1), number(6)))
    body = struct.pack("<q", 8) + b"\xff" * 4 + NUMBERS + b"\xff" * 4
    assert np.array_equal(_only(tmp_path, legacy(mapping([(text("w"), tensor(part))]), body=body)), VALUES)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_the_old_format_in_a_newer_protocol_of_pickle_is_read(tmp_path: Path, protocol: int) -> None:
    content = legacy().replace(b"\x80\x02", bytes([0x80, protocol]))
    assert np.array_equal(_only(tmp_path, content), VALUES)


def test_bytes_after_the_last_storage_of_the_old_format_do_not_matter(tmp_path: Path) -> None:
    assert np.array_equal(_only(tmp_path, legacy() + b"more"), VALUES)


def test_what_training_scripts_save_beside_the_weights_is_passed_over() -> None:
    with np.load(GOLDEN / "tensors.npz") as golden:
        arrays = read(GOLDEN / "tensors-bystanders.pt").arrays
        assert list(arrays) == ["a"]
        np.testing.assert_array_equal(arrays["a"], golden["transposed"].T)


def test_a_flipped_bit_in_the_description_of_tensors_is_noticed(tmp_path: Path) -> None:
    content = bytearray((GOLDEN / "tensors.pt").read_bytes())
    content[content.index(b"stepped")] ^= 1  # would only be another name
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match=r"data\.pkl' does not match its checksum"):
        read(tmp_path / "a.pt")


def test_tensors_within_a_bystander_are_none_of_the_model(tmp_path: Path) -> None:
    namespace = name("argparse", "Namespace") + b")\x81" + mapping([(text("w"), tensor())]) + b"b"
    path = tmp_path / "a.pt"
    path.write_bytes(archive(pickled(mapping([(text("args"), namespace), (text("a"), tensor())]))))
    assert list(read(path).arrays) == ["a"]
