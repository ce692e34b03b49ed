"""Zip archives: what is mapped, what is unpacked, and which oddities are sound."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError
from numpyclip.weights.archive import Archive, map_file
from tests.weights.forged import NUMBERS, Record, zipped


def _archive(tmp_path: Path, content: bytes) -> Archive:
    path = tmp_path / "some.zip"
    path.write_bytes(content)
    return Archive(path)


def test_a_stored_record_is_a_view_of_the_file(tmp_path: Path) -> None:
    record = _archive(tmp_path, zipped([Record("a", NUMBERS)])).record("a")
    assert record.tobytes() == NUMBERS
    assert not record.flags.owndata
    assert not record.flags.writeable


def test_a_deflated_record_is_unpacked(tmp_path: Path) -> None:
    archive = _archive(tmp_path, zipped([Record("a", NUMBERS * 9, 8), Record("b", b"")]))
    assert archive.record("a").tobytes() == NUMBERS * 9
    assert archive.size("a") == len(NUMBERS) * 9
    assert archive.record("b").size == 0


def test_names_keep_the_order_of_the_directory(tmp_path: Path) -> None:
    archive = _archive(tmp_path, zipped([Record("b", b"1"), Record("a", b"2")]))
    assert archive.names == ["b", "a"]
    assert "a" in archive
    assert "c" not in archive


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptCheckpointError, match="record 'c' is missing"):
        _archive(tmp_path, zipped([Record("a", b"1")])).record("c")


def test_a_stored_record_is_verified_once_by_any_view_of_it(tmp_path: Path) -> None:
    records = [Record("a", b"before"), Record("b", NUMBERS, crc=1), Record("c", NUMBERS)]
    archive = _archive(tmp_path, zipped(records))
    archive.verify(archive.record("a"))
    archive.verify(archive.record("c")[3:].reshape(-1, 1))
    archive.verify(archive.record("b")[:0])  # of no bytes
    archive.verify(np.ones(3))  # of no file
    for view in (archive.record("b"), archive.record("b")[-1:], archive.record("b")[::-1]):
        with pytest.raises(CorruptCheckpointError, match=r"record 'b' does not match its checksum\. .* tensor 'w'\.$"):
            archive.verify(view, lambda: "w")


def test_a_record_that_was_sound_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = _archive(tmp_path, zipped([Record("a", NUMBERS)]))
    archive.verify(archive.record("a"))
    monkeypatch.setattr(zlib, "crc32", lambda _: 0)
    archive.verify(archive.record("a"))


def test_a_checksum_that_pytorch_was_told_not_to_write_is_not_verified(tmp_path: Path) -> None:
    archive = _archive(tmp_path, zipped([Record("a", NUMBERS, crc=0)]))
    archive.verify(archive.record("a"))


def test_the_local_header_tells_where_the_bytes_begin(tmp_path: Path) -> None:
    """PyTorch pads there, to align; the directory does not say by how much."""
    padded = Record("a", NUMBERS, local_extra=b"FB\x1c\0" + b"Z" * 28)
    archive = _archive(tmp_path, zipped([padded, Record("b", b"after")]))
    assert archive.record("a").tobytes() == NUMBERS
    assert archive.record("b").tobytes() == b"after"


@pytest.mark.parametrize(
    "content",
    [
        zipped([Record("a", NUMBERS)], before=b"#!/bin/sh\n"),
        zipped([Record("a", NUMBERS)], comment=b"a comment"),
        zipped([Record("\u00e9/a", b"", flags=0x800), Record("a", NUMBERS)]),
        zipped([Record("../../a", b"never written anywhere"), Record("a", NUMBERS)]),
        zipped([Record("folder/", b""), Record("a", NUMBERS)]),
    ],
    ids=["bytes before", "comment", "utf-8 name", "name of another folder", "folder"],
)
def test_a_sound_oddity_is_read(tmp_path: Path, content: bytes) -> None:
    assert _archive(tmp_path, content).record("a").tobytes() == NUMBERS


def test_small_records_of_zeros_are_no_bomb(tmp_path: Path) -> None:
    zeros = b"\0" * 2**23
    assert _archive(tmp_path, zipped([Record("a", zeros, 8)])).record("a").tobytes() == zeros


def test_the_file_is_not_kept_open_by_name(tmp_path: Path) -> None:
    """A replaced file does not disturb arrays that were made from the old one."""
    path = tmp_path / "some"
    path.write_bytes(b"old")
    mapped = map_file(path)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(path)
    assert mapped.tobytes() == b"old"
    assert mapped.dtype == np.uint8
