"""Parquet files become rows: whatever the column of images or texts is called and holds."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.resumed_stream import ResumedStream
from numpyclip.sources.parquet import read_parquet, row_groups
from numpyclip.sources.part import Part, ReadOptions, Row
from tests.object_store import ObjectStore
from tests.shard_files import parquet

pyarrow = pytest.importorskip("pyarrow", reason="parquet files need pyarrow: pip install 'numpyclip[parquet]'")

IMAGES = ReadOptions("images")
TEXTS = ReadOptions("texts")


def read(source: Path | str, options: ReadOptions = IMAGES, start: int = 0, stop: int | None = None) -> list[Row]:
    return list(read_parquet(Part(0, "parquet", str(source), start, stop), options))


def write(tmp_path: Path, columns: dict[str, Any], group: int | None = None) -> Path:
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet(columns, group))
    return path


def test_bytes_are_images_and_other_columns_are_carried_along(tmp_path: Path) -> None:
    path = write(tmp_path, {"Image": [b"A", None, b""], "label": [1, 2, None], "key": ["x", "y", "z"]})
    rows = read(path)
    assert [(row.key, row.content) for row in rows] == [
        (f"{path}/0", b"A"),
        (f"{path}/1", None),
        (f"{path}/2", None),
    ]
    assert [row.columns for row in rows] == [
        {"label": label, "key": key} for label, key in ((1, "x"), (2, "y"), (None, "z"))
    ]
    assert str(rows[1].error).endswith("a.parquet/1: has no image.")


def test_hugging_face_images_are_bytes_or_paths(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(b"B")
    images = [{"bytes": b"A", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}, {"bytes": None, "path": None}, None]
    rows = read(path := write(tmp_path, {"image": images}))
    assert [(row.key, row.content) for row in rows] == [
        (f"{path}/0", b"A"),
        (str(tmp_path / "b.jpg"), str(tmp_path / "b.jpg")),
        (f"{path}/2", None),
        (f"{path}/3", None),
    ]
    assert [row.columns.get("path") for row in rows] == ["a.jpg", "b.jpg", None, None]


def test_paths_and_urls_are_keys(tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.jpg").touch()
    store.put("memory://data/in/b.jpg", b"B")
    table = {"URL": ["b.jpg", "memory://data/in/b.jpg", "memory://none.jpg", "file:///etc/passwd", None]}
    rows = read(store.put("memory://data/in/a.parquet", parquet(table)))
    places = ["memory://data/in/b.jpg", *table["URL"][1:4], "memory://data/in/a.parquet/4"]
    assert [row.key for row in rows] == places
    assert [row.content for row in rows] == [b"B", b"B", None, None, None]
    assert "there is no such file" in str(rows[2].error)
    assert "file:///etc/passwd: is refused in a list; expected a URL of one of http, https" in str(rows[3].error)
    rows = read(write(tmp_path, {"path": ["here.jpg", "/abs.jpg"], "url": ["x", "y"]}))
    assert [(row.key, row.content) for row in rows] == [("here.jpg", "here.jpg"), ("/abs.jpg", "/abs.jpg")]
    assert rows[0].columns == {"url": "x"}


def test_texts_are_captions_in_the_output(tmp_path: Path) -> None:
    path = write(tmp_path, {"TEXT": ["a dog", None], "caption": [1, 2], "image": [b"A", b"B"]})
    rows = read(path, TEXTS)
    assert [(row.key, row.content, row.columns) for row in rows] == [
        (f"{path}/0", "a dog", {"caption": "a dog", "source_caption": 1}),
        (f"{path}/1", None, {"source_caption": 2}),
    ]
    assert str(rows[1].error).endswith("a.parquet/1: has no text.")


@pytest.mark.parametrize(
    ("columns", "options", "content"),
    [
        ({"pixels": [b"A"], "n": [1]}, IMAGES, b"A"),
        ({"what": [{"bytes": b"A", "path": None}], "name": ["n"]}, IMAGES, b"A"),
        ({"one": [b"A"], "two": [b"B"]}, ReadOptions("images", column="two"), b"B"),
        ({"image": [b"A"], "mine": ["/a.jpg"]}, ReadOptions("images", column="mine"), "/a.jpg"),
        ({"image": ["/a.jpg"], "jpg": [b"A"]}, IMAGES, b"A"),
        ({"question": ["a"], "n": [1]}, TEXTS, "a"),
        ({"text": ["a"], "mine": ["b"]}, ReadOptions("texts", column="mine"), "b"),
    ],
)
def test_the_column_is_found(columns: dict[str, Any], options: ReadOptions, content: Any, tmp_path: Path) -> None:
    assert read(write(tmp_path, columns), options)[0].content == content


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            {"one": [b"A"], "two": [b"B"]},
            IMAGES,
            "has the columns one: binary, two: binary; expected one of image, .* column='...'",
        ),
        (
            {"image": [1]},
            IMAGES,
            "has the columns image: int64; expected one of image, .*, once and of bytes or strings, or",
        ),
        ({"image": [b"A"]}, ReadOptions("images", column="img"), "expected one column img of bytes or strings"),
        ({"n": [1]}, ReadOptions("texts", column="n"), "expected one column n of strings"),
        ({"a": ["x"], "b": ["y"]}, TEXTS, "expected one of caption, text, .*, once and of strings, or"),
        (
            {"image": [b"A"]},
            ReadOptions("images", columns=("n",)),
            "expected one column n of a type that can be written",
        ),
        ({}, IMAGES, "has no columns; expected one of image"),
    ],
)
def test_a_column_that_is_not_there_is_told(
    columns: dict[str, Any], options: ReadOptions, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        read(write(tmp_path, columns), options)


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    twice = pyarrow.Table.from_arrays([pyarrow.array([b"A"])] * 2, ["image", "image"])
    pyarrow.parquet.write_table(twice, tmp_path / "a.parquet")
    for options in (IMAGES, ReadOptions("images", column="image")):
        with pytest.raises(InputError, match="has the columns image: binary, image: binary; expected one "):
            read(tmp_path / "a.parquet", options)


@pytest.mark.parametrize("kind", ["large", "view", "dictionary"])
def test_bytes_and_strings_may_be_stored_in_any_way(tmp_path: Path, kind: str) -> None:
    def stored(values: list[Any], plain: str) -> Any:
        array = pyarrow.array(values)
        if kind == "dictionary":
            return array.dictionary_encode()
        if (make := getattr(pyarrow, f"large_{plain}" if kind == "large" else f"{plain}_view", None)) is None:
            pytest.skip("pyarrow has no such type")
        return array.cast(make())

    path = write(tmp_path, {"image": stored([b"A", b"B"], "binary"), "text": stored(["a", "b"], "string")})
    assert [(row.content, row.columns) for row in read(path)] == [(b"A", {"text": "a"}), (b"B", {"text": "b"})]
    assert [row.content for row in read(path, TEXTS)] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "  ", "\n\u3000"])
def test_a_text_of_spaces_is_none(tmp_path: Path, text: str) -> None:
    (row,) = read(write(tmp_path, {"text": [text]}), TEXTS)
    assert (row.content, str(row.error).rpartition("/")[2]) == (None, "0: has no text.")


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("zone", ["America/New_York", "Nowhere/Land", "+02:00"])
def test_times_of_any_time_zone_are_in_utc(tmp_path: Path, unit: str, zone: str) -> None:
    times = pyarrow.array([0, None], pyarrow.timestamp(unit, zone))
    path = write(tmp_path, {"image": [b"A"] * 2, "time": times})
    values = [row.columns["time"] for row in read(path)]
    assert values == [datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc), None]
    assert values[0].tzinfo == datetime.timezone.utc  # not a zone of that name, which not every machine knows, either


def test_columns_are_carried_if_they_can_be_written_again(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
    carried = {
        "int": pyarrow.array([1], pyarrow.int16()),
        "list": [[1.5, None]],
        "struct": [{"a": "b"}],
        "kind": pyarrow.array(["x"]).dictionary_encode(),
        "day": pyarrow.array([1767323045000006789], pyarrow.timestamp("ns")),
        "price": [decimal.Decimal("1.50")],
        "null": pyarrow.array([None], pyarrow.string()),
    }
    left_out = {
        "mask": [b"M"],
        "map": pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        "nested": [{"bytes": b"N"}],
    }
    path = write(tmp_path, {"image": [b"A"], **carried, **left_out})
    (row,) = read(path)
    assert row.columns == {
        "int": 1,
        "list": [1.5, None],
        "struct": {"a": "b"},
        "kind": "x",
        "day": day,
        "price": decimal.Decimal("1.50"),
        "null": None,
    }
    pyarrow.table({name: [value] for name, value in row.columns.items()})
    (row,) = read(path, ReadOptions("images", columns=("mask", "int")))
    assert row.columns == {"mask": b"M", "int": 1}


def not_utf_8(*contents: bytes | None) -> Any:
    array = pyarrow.array(contents, pyarrow.binary())
    buffers = array.buffers()
    return pyarrow.StringArray.from_buffers(len(array), buffers[1], buffers[2], buffers[0])


def test_an_odd_value_costs_no_image(tmp_path: Path) -> None:
    def kept(odd: Any) -> list[Any]:
        rows = read(write(tmp_path, {"image": [b"A", b"B"], "odd": odd}))
        assert [row.content for row in rows] == [b"A", b"B"]
        return [row.columns["odd"] for row in rows]

    year = 2**31 - 1  # the last day of dates, in the year 5881580
    lists = pyarrow.ListArray.from_arrays
    assert kept(pyarrow.array([year, 1], pyarrow.date32())) == [None, datetime.date(1970, 1, 2)]
    assert kept(pyarrow.array([2**62, 0], pyarrow.timestamp("us"))) == [None, datetime.datetime(1970, 1, 1)]
    assert kept(lists([0, 2, 3], pyarrow.array([year, 0, 1], pyarrow.date32())))[0] == [None, datetime.date(1970, 1, 1)]
    assert kept(lists([0, 1, 2], not_utf_8(b"caf\xe9", b"b"))) == [["caf\\xe9"], ["b"]]
    nanoseconds = pyarrow.array([1_500, 2_000], pyarrow.timestamp("ns"))
    times = [datetime.datetime(1970, 1, 1, 0, 0, 0, number) for number in (1, 2)]
    assert kept(lists([0, 1, 2], nanoseconds)) == [[time] for time in times]
    times_of = pyarrow.StructArray.from_arrays([nanoseconds], ["time"])
    assert kept(times_of) == [{"time": time} for time in times]
    of_names = {"path": not_utf_8(b"caf\xe9", b"b"), "day": pyarrow.array([year, 0], pyarrow.date32())}
    structs = pyarrow.StructArray.from_arrays(list(of_names.values()), list(of_names))
    assert kept(structs)[0] == {"path": "caf\\xe9", "day": None}


def test_a_path_that_is_not_utf_8_costs_no_image(tmp_path: Path) -> None:
    images = [pyarrow.array([b"A", b"B"], pyarrow.binary()), not_utf_8(b"caf\xe9.jpg", b"b.jpg")]
    rows = read(write(tmp_path, {"image": pyarrow.StructArray.from_arrays(images, ["bytes", "path"])}))
    assert [(row.content, row.columns["path"]) for row in rows] == [(b"A", "caf\\xe9.jpg"), (b"B", "b.jpg")]


def test_texts_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    texts = not_utf_8(b"caf\xe9", b"b", None)
    rows = read(write(tmp_path, {"image": [b"A", b"B", b"C"], "text": texts}))
    assert [row.columns["text"] for row in rows] == ["caf\\xe9", "b", None]


def test_parts_are_row_groups(tmp_path: Path) -> None:
    path = write(tmp_path, {"image": [b"%d" % number for number in range(25)]}, group=4)
    runs = list(row_groups(str(path), IMAGES, 10))
    assert runs == [(0, 3, 12), (3, 6, 12), (6, 7, 1)]
    rows = [row for start, stop, _ in runs for row in read(path, start=start, stop=stop)]
    assert [row.key for row in rows] == [f"{path}/{number}" for number in range(25)]
    assert [row.content for row in rows] == [b"%d" % number for number in range(25)]
    assert list(row_groups(str(write(tmp_path, {"image": pyarrow.array([], pyarrow.binary())})), IMAGES, 10)) == []


def test_a_damaged_row_group_is_a_row_and_the_next_is_read(tmp_path: Path) -> None:
    contents = [bytes([number]) * 4000 for number in range(12)]
    data = bytearray(
        parquet({"image": contents}, group=4, compression="none", use_dictionary=False, write_batch_size=8)
    )
    place = data.index(contents[4])
    data[place - 60 : place + 8] = b"\xff" * 68  # the header of a page, in the second row group
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    rows = read(path)
    assert [row.key for row in rows] == [f"{path}/{number}" for number in (0, 1, 2, 3, 4, 8, 9, 10, 11)]
    assert [row.content for row in rows if row.error is None] == contents[:4] + contents[8:]
    assert "a.parquet: rows 4 to 7 are damaged" in str(rows[4].error)


@pytest.mark.parametrize("content", [b"", b"PAR1 no more", b"PAR1" + b"\xff" * 40 + b"\xff\xff\xff\x7fPAR1"])
def test_what_is_no_parquet_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(InputError, match="is not a parquet file"):
        read(tmp_path / "a.parquet")


def test_connections_that_break_cost_nothing(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [bytes([number]) * 50_000 for number in range(20)]
    url = store.put("memory://a/a.parquet", parquet({"image": contents}, group=5, compression="none"))
    store.breaks = [100_000] * 4
    assert [row.content for row in read(url)] == contents
    assert store.breaks == []
    store.breaks = [0] * 10
    with pytest.raises(InputError, match="connection was reset"):
        read(url)


def test_large_row_groups_are_not_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [bytes([number % 256]) * 100_000 for number in range(200)]
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet({"image": contents}, compression="none", use_dictionary=False, write_batch_size=8))
    asked: list[int] = []
    opened = ResumedStream.readinto

    def readinto(stream: Any, buffer: Any) -> int:
        asked.append(len(buffer))
        return opened(stream, buffer)

    monkeypatch.setattr(ResumedStream, "readinto", readinto)
    assert len(read(path)) == 200
    assert max(asked) < 6 << 20
