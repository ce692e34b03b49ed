"""Weights in several files, some of them hostile."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsafeCheckpointError
from numpyclip.weights.read import read

INDEX = "model.npz.index.json"


def write(folder: Path, shards: dict[str, dict[str, float]], weight_map: object = None) -> Path:
    for file, tensors in shards.items():
        np.savez(folder / file, **{name: np.array(value, np.float32) for name, value in tensors.items()})  # type: ignore[arg-type]
    listed = {name: file for file, tensors in shards.items() for name in tensors}
    (folder / INDEX).write_text(json.dumps({"weight_map": listed if weight_map is None else weight_map}))
    return folder / INDEX


TWO = {"one.npz": {"a": 1.0, "b": 2.0}, "two.npz": {"c": 3.0}}


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    checkpoint = read(write(tmp_path, TWO))
    assert {name: float(array) for name, array in checkpoint.arrays.items()} == {"a": 1, "b": 2, "c": 3}
    assert checkpoint.path == tmp_path / INDEX


def test_a_prefix_is_that_of_all_shards(tmp_path: Path) -> None:
    """Each shard alone would not show it."""
    shards = {"one.npz": {"clip.visual.proj": 1.0, "loss.t": 2.0}, "two.npz": {"clip.ln_final.bias": 3.0}}
    found = read(write(tmp_path, shards))
    assert {name: float(array) for name, array in found.arrays.items()} == {"visual.proj": 1, "ln_final.bias": 3}
    assert found.left_out == ("loss.t",)


def test_records_of_all_shards_are_verified(tmp_path: Path) -> None:
    index = write(tmp_path, TWO)
    content = bytearray((tmp_path / "two.npz").read_bytes())
    content[content.index(np.float32(3).tobytes())] ^= 1
    (tmp_path / "two.npz").write_bytes(content)
    found = read(index)
    assert found.take("a") == 1
    with pytest.raises(CorruptCheckpointError, match=r"two\.npz: record 'c\.npy' does not match its checksum"):
        found.take("c")


def test_the_identity_changes_with_any_of_the_files(tmp_path: Path) -> None:
    index = write(tmp_path, TWO)
    found = {read(index).identity}
    assert found == {read(index).identity}
    for file in TWO:
        os.utime(tmp_path / file, (1, 1))
        found.add(read(index).identity)
    assert len(found) == 3
    assert None not in found


@pytest.mark.parametrize(
    "file",
    [
        "../one.npz",
        "/tmp/one.npz",
        "..",
        ".",
        "",
        "sub/one.npz",
        "sub\\one.npz",
        "C:one.npz",
        "one.npz/",
        "a\0b",
        "\ud800",
    ],
)
def test_a_file_elsewhere_is_refused_and_not_opened(tmp_path: Path, file: str) -> None:
    index = write(tmp_path, TWO, {"a": "one.npz", "b": "one.npz", "c": file})
    with pytest.raises(UnsafeCheckpointError, match=r"tensor 'c' is said to be in .*; expected a file in the same"):
        read(index)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda listed: listed.pop("b"), "holds tensor 'b', which .* lists nowhere"),
        (lambda listed: listed.update(b="two.npz"), "one.npz: holds tensor 'b', which .* lists in 'two.npz'"),
        (lambda listed: listed.update(d="two.npz"), r"lists tensor 'd' in 'two.npz', which does not hold it \(1 are"),
        (lambda listed: listed.update(d="three.npz"), "three.npz: cannot be read"),
        (lambda listed: listed.update(d=3), "weight_map.'d' is 3; expected the name of a file"),
        (lambda listed: listed.update(d=INDEX), f"{INDEX}: JSON"),
    ],
)
def test_an_index_that_lies_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    listed = {"a": "one.npz", "b": "one.npz", "c": "two.npz"}
    change(listed)
    with pytest.raises(CheckpointError, match=message):
        read(write(tmp_path, TWO, listed))


def test_a_tensor_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    index = write(tmp_path, {**TWO, "two.npz": {"c": 3.0, "a": 1.0}})
    with pytest.raises(CorruptCheckpointError, match=re.escape("one.npz: holds tensor 'a', which")):
        read(index)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": null}', "[" * 100_000])
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    index = write(tmp_path, TWO)
    index.write_text(content)
    with pytest.raises(CheckpointError, match=INDEX):
        read(index)


def test_a_shard_may_be_a_link_as_in_the_hub_s_cache(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    index = write(tmp_path / "snapshot", TWO)
    shutil.move(tmp_path / "snapshot" / "two.npz", tmp_path / "blobs" / "0815")
    (tmp_path / "snapshot" / "two.npz").symlink_to(Path("../blobs/0815"))
    assert set(read(index).arrays) == {"a", "b", "c"}


def test_files_that_unpack_to_far_more_than_they_are_are_refused_together(tmp_path: Path) -> None:
    zeros = np.zeros(2**20, np.float32)
    files = [f"{number}.npz" for number in range(5)]
    for file in files:
        np.savez_compressed(tmp_path / file, **{file: zeros})  # type: ignore[arg-type]
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {file: file for file in files}}))
    with pytest.raises(CorruptCheckpointError, match=r"the [0-9]+ bytes of its files unpack to 20971520 or more"):
        read(tmp_path / INDEX)


def test_a_file_with_an_endless_name_is_refused(tmp_path: Path) -> None:
    index = write(tmp_path, TWO, {"a": "x" * 256})
    with pytest.raises(UnsafeCheckpointError, match="is said to be in 'xxx") as caught:
        read(index)
    assert len(str(caught.value)) < 500
