"""Metadata of images, in columns and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

import pyarrow
from pyarrow.parquet import read_table

from numpyclip.destinations.image_columns import NAMES, image_metadata
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.images.metadata import ImageMetadata

DIGEST = bytes(range(32))
FOUND = [
    ImageMetadata(DIGEST, Exif(3, 4), None),
    ImageMetadata(DIGEST, Exif(3, 4, "2024-05-01T12:30:00", 47.5, -8.25), FileState(7, 1_700_000_000_123_456_789)),
    ImageMetadata(DIGEST, Exif(0, 0), FileState(0, -(1 << 63))),
    ImageMetadata(DIGEST, Exif(1, 1, camera="Nikon D750", lens="50 mm", offset="+02:00", duration=9.5), None),
]
VALUES: dict[str, Any] = {
    "sha256": DIGEST.hex(),
    "width": 3,
    "height": 4,
    "taken": None,
    "latitude": None,
    "longitude": None,
    "size": 7,
    "mtime_ns": 8,
}


@pytest.mark.parametrize("layout", ["parquet", "clip-retrieval"])
def test_what_is_written_is_read_again(tmp_path: Path, layout: Any) -> None:
    vector = np.eye(1, 4, dtype=np.float32)[0]
    some = [OutputRow(f"/{n}.jpg", vector, {"sha256": "x"}, None, each) for n, each in enumerate([*FOUND, None])]
    open_destination(str(tmp_path / "out"), layout, "float32", 4, "images").write(0, some)
    name = "part-00000.parquet" if layout == "parquet" else "metadata/metadata_0000.parquet"
    table = read_table(tmp_path / "out" / name)
    assert image_metadata(table.to_pydict(), 5) == [*FOUND, None]
    assert table["sha256"][0].as_py() == DIGEST.hex()
    assert table["source_sha256"].to_pylist() == ["x"] * 5
    assert table.schema.field("latitude").type == pyarrow.float64()
    assert table.schema.field("mtime_ns").type == pyarrow.int64()


def test_texts_have_none(tmp_path: Path) -> None:
    vector = np.eye(1, 4, dtype=np.float32)[0]
    destination = open_destination(str(tmp_path), "parquet", "float32", 4, "texts")
    destination.write(0, [OutputRow("a.txt/0", vector, {"caption": "a dog"}, None)])
    assert not {*NAMES} & {*read_table(tmp_path / "part-00000.parquet").column_names}


def test_columns_of_earlier_versions_and_of_others_are_read() -> None:
    old: dict[str, Any] = {name: [value] for name, value in VALUES.items()}
    others: dict[str, Any] = {"camera": [5], "lens": ["x" * 201], "utc_offset": ["Zurich"], "duration": [float("nan")]}
    expected = [ImageMetadata(DIGEST, Exif(3, 4), FileState(7, 8))]
    assert image_metadata(old, 1) == image_metadata(old | others, 1) == expected


@pytest.mark.parametrize(
    "changed",
    [
        *({"sha256": value} for value in (None, "", "AB" * 32, "0" * 63, b"0" * 64, 5)),
        *({"width": value} for value in (None, -1, 1 << 31, 3.0, True)),
        *({"taken": value} for value in ("2024", "2024-05-01T12:30:00\0", "2024-05-01 12:30:00", 5)),
        *({"taken": value} for value in ("9999-99-99T99:99:99", "0000-00-00T00:00:00", "2024-02-30T00:00:00")),
        *({"latitude": value} for value in (float("nan"), float("inf"), 1e308, 90.1, "47")),
        *({"longitude": value} for value in (float("nan"), -180.1)),
        *({"size": value} for value in (-1, 7.0, "7", 1 << 63)),
        *({"mtime_ns": value} for value in (None, 1 << 63, 0.5)),
    ],
)
def test_what_is_written_by_others_is_none(changed: dict[str, Any]) -> None:
    assert image_metadata({name: [value] for name, value in VALUES.items()}, 1) != [None]
    assert image_metadata({name: [value] for name, value in (VALUES | changed).items()}, 1) == [None]


def test_the_hash_of_img2dataset_is_of_a_download() -> None:
    assert image_metadata({name: [VALUES[name]] for name in ("sha256", "width", "height")}, 1) == [None]
