"""Rows on disk: which are read, written over and found damaged, across the ends of files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import StoreError
from numpyclip.index.vectors import shards as shards_module
from numpyclip.index.vectors.shards import VECTOR_DTYPES, Shards, VectorDType
from numpyclip.model.ops import Array
from tests.index.vectors.test_scan import cloud

FILE = 10  # rows
COUNT = 25
WIDTH = 32


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "_ROWS", FILE)


@pytest.fixture
def vectors() -> Array:
    return cloud(COUNT, 0, WIDTH)


def written(folder: Path, vectors: Array, precision: VectorDType = "float32") -> Shards:
    shards = Shards(folder, WIDTH, precision, {})
    for start, stop in ((0, 7), (7, 21), (21, COUNT)):
        shards.write(start, vectors[start:stop])
    return shards


def again(shards: Shards) -> Shards:
    """The same in another process, which has verified nothing yet."""
    return Shards(shards.folder, shards.embed_dim, shards.precision, {})


def unsound(shards: Shards) -> list[int]:
    return [row for row, is_sound in enumerate(again(shards).sound(COUNT)) if not is_sound]


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("rows", [[], [0], [3, 4, 7], [9, 10, 11, 24], [5, 7, 9, 20], list(range(COUNT))], ids=str)
def test_rows_that_are_not_sound_become_zeros_and_no_others(
    tmp_path: Path, vectors: Array, rows: list[int], precision: VectorDType
) -> None:
    shards = written(tmp_path, vectors, precision)
    assert unsound(shards) == []
    sound = np.ones(COUNT, bool)
    sound[rows] = False
    shards.mend(sound)
    last = max(np.flatnonzero(sound), default=0)
    zeros = [row for row in rows if row < last]  # what is behind the last sound row is written over later
    assert unsound(shards) == zeros
    expected = vectors.copy()
    expected[zeros] = 0
    assert np.array_equal(again(shards).take(np.arange(COUNT), COUNT), expected)


def test_what_is_no_file_of_rows_gives_way_and_links_and_other_names_stay(tmp_path: Path, vectors: Array) -> None:
    shards = written(tmp_path, vectors)
    files = sorted(tmp_path.glob("*.float32"))
    files[0].unlink()
    files[0].mkdir()
    linked = files[1].rename(tmp_path / "elsewhere")
    files[1].symlink_to(linked)
    (tmp_path / "other").mkdir()
    assert unsound(shards) == list(range(FILE))
    shards.mend(np.arange(COUNT) >= FILE)
    assert files[0].is_file()
    assert files[1].is_symlink()
    assert (tmp_path / "other").is_dir()
    assert unsound(shards) == list(range(FILE))


def test_rows_are_taken_in_any_order_and_none_beyond_the_valid_ones(tmp_path: Path, vectors: Array) -> None:
    shards = written(tmp_path, vectors)
    rows = np.array([24, 3, 9, 10, 3, 20])
    assert np.array_equal(shards.take(rows, COUNT), vectors[rows])
    assert shards.take(np.array([23]), 24).shape == (1, WIDTH)
    assert shards.take(np.empty(0, np.intp), 0).shape == (0, WIDTH)
    for wrong in ([-1], [0, 24]):
        with pytest.raises(StoreError, match="has 24 embeddings; the database names others"):
            shards.take(np.array(wrong), 24)


def test_blocks_end_with_the_file_and_the_valid_rows(tmp_path: Path, vectors: Array) -> None:
    shards = written(tmp_path, vectors, "int8")
    expected = [(0, 4), (4, 4), (8, 2), (10, 4), (14, 4), (18, 2), (20, 3)]
    assert [(first, len(rows)) for first, rows in shards.blocks(23, 4)] == expected
    assert [(first, len(codes)) for first, codes, _, _ in shards.rounded_blocks(23, 4)] == expected
    restored = np.concatenate([codes * scale[:, np.newaxis] for _, codes, scale, _ in shards.rounded_blocks(23, 4)])
    np.testing.assert_allclose(restored, vectors[:23], atol=1 / 127)


@pytest.mark.parametrize("row", [0, 9, 10, 23, 24])
def test_a_flipped_bit_is_noticed_wherever_its_row_is_read(tmp_path: Path, vectors: Array, row: int) -> None:
    shards = written(tmp_path, vectors, "int8")
    file, place = divmod(row, FILE)
    flip(tmp_path / f"{file:06d}.float32", place * 4 * WIDTH + 5)
    assert unsound(shards) == [row]
    for reading in (lambda: again(shards).take(np.array([row]), COUNT), lambda: list(again(shards).blocks(COUNT, 4))):
        with pytest.raises(StoreError, match=rf"{file:06d}\.float32: embeddings in it are damaged"):
            reading()
    others = np.delete(np.arange(COUNT), row)
    assert np.array_equal(again(shards).take(others, COUNT), vectors[others])
    flip(tmp_path / f"{file:06d}.float32", place * 4 * WIDTH + 5)
    flip(tmp_path / f"{file:06d}.int8", place * (WIDTH + 8) + WIDTH + 6)
    assert unsound(shards) == [row]
    with pytest.raises(StoreError, match=rf"{file:06d}\.int8: embeddings in it are damaged"):
        list(again(shards).rounded_blocks(COUNT, 4))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda folder: (folder / "000001.float32").unlink(), list(range(10, 20))),
        (lambda folder: (folder / "000001.float32-checksums").unlink(), list(range(10, 20))),
        (lambda folder: (folder / "000001.int8").unlink(), list(range(10, 20))),
        (lambda folder: cut(folder / "000001.float32", 3 * 4 * WIDTH + 1), list(range(13, 20))),
        (lambda folder: cut(folder / "000001.float32-checksums", 3 * 8 + 1), list(range(13, 20))),
        (lambda folder: flip(folder / "000001.float32-checksums", 8 * 6 + 7), [16]),
        (lambda folder: flip(folder / "000002.int8-checksums", 0), [20]),
    ],
    ids=range(7),
)
def test_rows_without_their_bytes_or_checksums_are_unsound(
    tmp_path: Path, vectors: Array, spoil: Callable[[Path], None], expected: list[int]
) -> None:
    shards = written(tmp_path, vectors, "int8")
    spoil(tmp_path)
    assert unsound(shards) == expected


def test_rows_that_are_not_of_unit_length_are_unsound(tmp_path: Path, vectors: Array) -> None:
    vectors[3] *= 1.01
    vectors[12] = np.nan
    vectors[13] *= 0.99
    vectors[24] *= 1.0001
    assert unsound(written(tmp_path, vectors)) == [3, 12, 13]


def test_rows_are_verified_once_in_a_process(tmp_path: Path, vectors: Array) -> None:
    shards = written(tmp_path, vectors)
    list(shards.blocks(12, 4))
    flip(tmp_path / "000000.float32", 0)
    list(shards.blocks(12, 4))
    flip(tmp_path / "000001.float32", 4 * 4 * WIDTH)  # row 14, which was not valid then
    with pytest.raises(StoreError, match=r"000001\.float32: embeddings in it are damaged"):
        list(shards.blocks(COUNT, 4))


@pytest.mark.parametrize("precision", VECTOR_DTYPES)
def test_rows_of_version_1_get_their_checksums(tmp_path: Path, vectors: Array, precision: VectorDType) -> None:
    shards = written(tmp_path, vectors, precision)
    for file in tmp_path.glob("*-checksums"):
        file.unlink()
    old = Shards(tmp_path, WIDTH, precision)
    assert old.sound(COUNT).all()
    assert np.array_equal(old.take(np.arange(COUNT), COUNT), vectors)
    old.write_checksums(COUNT)
    assert unsound(shards) == []
    assert np.array_equal(again(shards).take(np.arange(COUNT), COUNT), vectors)
    assert len(list(again(shards).rounded_blocks(COUNT, 4) if precision != "float32" else range(8))) == 8


def test_rows_behind_the_valid_ones_are_written_over(tmp_path: Path, vectors: Array) -> None:
    shards = written(tmp_path, vectors)
    other = cloud(7, 9, WIDTH)
    shards.write(8, other)
    assert np.array_equal(shards.take(np.arange(15), 15), np.concatenate([vectors[:8], other]))
    assert unsound(shards) == []
