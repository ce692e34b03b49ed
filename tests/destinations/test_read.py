"""Reading embeddings back: of every layout, here and by URL, and what untrusted files can be."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

import pyarrow
import pyarrow.dataset
from pyarrow.parquet import read_table, write_table

from numpyclip.destinations.image_columns import NAMES
from numpyclip.destinations.manifest import NAME, Manifest, claim
from numpyclip.destinations.parquet_parts import write_parquet
from numpyclip.destinations.read import embedding_files, fingerprint_at, read_embeddings, read_file
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.errors import InputError
from numpyclip.sources.part import Kind
from tests.object_store import ObjectStore

DIM = 4
KINDS: list[Kind] = ["images", "texts"]
LAYOUTS = ["parquet", "clip-retrieval"]
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((600, DIM)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


def row(n: int) -> OutputRow:
    """One of which each tenth has an error."""
    return OutputRow(f"/{n}.jpg", *((None, {"n": n}, "no image") if n % 10 == 9 else (VECTORS[n], {"n": n}, None)))


def rows(start: int, stop: int) -> list[OutputRow]:
    return list(map(row, range(start, stop)))


def manifest(**changed: Any) -> Manifest:
    values: dict[str, Any] = {"layout": "parquet", "kind": "images", "dtype": "float32", "embed_dim": DIM}
    others = {"fingerprint": '{"weights": "0a"}', "options": {}, "parts": 2, "parts_sha256": ""}
    return Manifest(**{**values, **others, **changed})


def written(place: str, layout: Any = "parquet", kind: Any = "images", dtype: Any = "float32") -> str:
    claim(place, manifest(layout=layout, kind=kind, dtype=dtype))
    destination = open_destination(place, layout, dtype, DIM, kind)
    destination.write(1, rows(300, 600))
    destination.write(0, rows(0, 300))
    return place


def everything(place: str, *options: Any) -> tuple[list[str], Any, dict[str, list[Any]]]:
    """What is read, put together."""
    found = list(read_embeddings(place, *options))
    assert all(len(keys) == len(embeddings) <= 256 for keys, embeddings, _ in found)
    columns = {
        name: [value for _, _, some in found for value in some[name]] for name in found[0][2] if name not in NAMES
    }
    return [key for keys, _, _ in found for key in keys], np.concatenate([each for _, each, _ in found]), columns


GOOD = [n for n in range(600) if n % 10 != 9]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", ["here", "memory://bucket/out"])
def test_what_is_written_is_read_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, layout: Any
) -> None:
    if place == "here":
        place = str(tmp_path / "out")
    else:
        ObjectStore(monkeypatch)
    keys, embeddings, columns = everything(written(place, layout), "images", DIM)
    assert keys == [f"/{n}.jpg" for n in GOOD]
    np.testing.assert_array_equal(embeddings, VECTORS[GOOD])
    assert columns == {"n": GOOD}
    assert everything(place)[0] == keys
    assert list(read_embeddings(place, "texts")) == []
    assert fingerprint_at(place) == '{"weights": "0a"}'


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [NAME, "nothing"])
def test_files_have_the_numbers_of_their_parts(tmp_path: Path, layout: Any, name: str) -> None:
    out = Path(written(str(tmp_path / "out"), layout))
    (out / name).unlink(missing_ok=True)
    for pattern in ("*-00000.parquet", "*/*_0000.*"):
        for file in out.glob(pattern):
            file.unlink()
    assert [file.number for file in embedding_files(str(out))] == [1]


def test_other_programs_read_the_folder(tmp_path: Path) -> None:
    dataset = pyarrow.dataset.dataset(written(str(tmp_path / "out")), format="parquet")
    found = dataset.to_table(filter=pyarrow.dataset.field("error").is_null())
    assert found["key"].to_pylist() == [f"/{n}.jpg" for n in GOOD]
    assert dataset.count_rows() == 600


@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_precision_is_unit_length_again(tmp_path: Path, layout: Any) -> None:
    _, embeddings, _ = everything(written(str(tmp_path / "out"), layout, dtype="float16"))
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embeddings, VECTORS[GOOD], atol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_texts_are_their_own_keys(tmp_path: Path, layout: Any) -> None:
    claim(str(tmp_path), manifest(layout=layout, kind="texts"))
    some = [OutputRow("a.txt/0", VECTORS[0], {"caption": "a dog"}, None), OutputRow("a.txt/6", None, {}, "too long")]
    open_destination(str(tmp_path), layout, "float32", DIM, "texts").write(0, some)
    assert everything(str(tmp_path))[0] == ["a dog"]
    assert list(read_embeddings(str(tmp_path), "images")) == []


@pytest.mark.skipif(os.name == "nt", reason="names are text")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_that_are_no_text_come_back(tmp_path: Path, layout: Any) -> None:
    names = [os.fsdecode(b"na\xffme.png"), "b.png"]
    claim(str(tmp_path), manifest(layout=layout))
    destination = open_destination(str(tmp_path), layout, "float32", DIM, "images")
    destination.write(0, [OutputRow(name, VECTORS[0], {}, None) for name in names])
    keys, _, columns = everything(str(tmp_path))
    assert (keys, columns) == ([f"{Path.cwd()}/{name}" for name in names], {})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_relative_paths_begin_where_they_were_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    destination = open_destination(str(tmp_path / "out"), layout, "float32", DIM, "images")
    names = ["a.jpg", "0.tar/s/a", "/b.jpg", "s3://b/c.jpg"]
    destination.write(0, [OutputRow(name, VECTORS[0], {}, None) for name in names])
    monkeypatch.chdir(tmp_path)
    there = f"{tmp_path}/there"
    assert everything(str(tmp_path / "out"))[0] == [f"{there}/a.jpg", f"{there}/0.tar/s/a", "/b.jpg", "s3://b/c.jpg"]


def test_whole_paths_tell_nothing_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(str(tmp_path / "out"))
    assert b"numpyclip.folder" not in (tmp_path / "out" / "part-00000.parquet").read_bytes()


def test_a_part_is_read_alone(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path), "parquet", "float32", DIM, "texts", '{"weights": "0a"}')
    destination.write(0, [OutputRow("a.txt/0", VECTORS[0], {"caption": "a dog"}, None)])
    part = str(tmp_path / "part-00000.parquet")
    assert fingerprint_at(part) == '{"weights": "0a"}'
    assert everything(part, "texts")[0] == ["a dog"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_of_parts_have_as_many_digits_as_they_need(tmp_path: Path, layout: Any) -> None:
    claim(str(tmp_path), manifest(layout=layout))
    destination = open_destination(str(tmp_path), layout, "float32", DIM, "images")
    numbers = [9_999, 10_000, 99_999, 100_000, 1_000_000]
    for number in reversed(numbers):
        destination.write(number, [OutputRow(f"/{number}.jpg", VECTORS[0], {}, None)])
    assert destination.done() == set(numbers)
    assert everything(str(tmp_path))[0] == [f"/{number}.jpg" for number in numbers]


def test_parts_in_flight_are_not_read(tmp_path: Path) -> None:
    place = written(str(tmp_path / "out"), "clip-retrieval")
    (tmp_path / "out" / "metadata" / "metadata_0000.parquet").unlink()  # as of a run that was killed
    assert everything(place)[0] == [f"/{n}.jpg" for n in GOOD if n >= 300]


def test_embeddings_of_a_destination_within_are_not_its_own(tmp_path: Path) -> None:
    place = written(str(tmp_path / "out"), "clip-retrieval")
    keys = everything(place)[0]
    claim(f"{place}/texts", manifest(layout="clip-retrieval", kind="texts"))
    within = open_destination(f"{place}/texts", "clip-retrieval", "float32", DIM, "texts")
    within.write(0, [OutputRow("a.txt/0", VECTORS[0], {"caption": "a dog"}, None)])
    assert everything(place)[0] == keys
    assert list(read_embeddings(place, "texts")) == []


def test_a_single_file_tells_what_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ObjectStore(monkeypatch)
    for place in (str(tmp_path / "x.parquet"), "memory://bucket/x.parquet"):
        for kind in KINDS:
            some = iter(rows(0, 300))
            assert write_parquet(place, some, "float32", DIM, '{"weights": "0a"}', kind) == (300, 30)
            keys, embeddings, _ = everything(place, kind)
            assert keys == [f"/{n}.jpg" for n in range(300) if n % 10 != 9]
            np.testing.assert_array_equal(embeddings, VECTORS[GOOD[:270]])
            assert fingerprint_at(place) == '{"weights": "0a"}'
    assert list(read_embeddings(place, "images")) == []
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_errors_alone_are_no_embeddings(tmp_path: Path) -> None:
    some = [OutputRow(str(n), None, {}, "no") for n in range(300)] + [row(0)]
    open_destination(str(tmp_path), "parquet", "float32", DIM, "images").write(0, some)
    assert everything(str(tmp_path), "images", DIM)[0] == ["/0.jpg"]


def table(**columns: Any) -> Callable[[Path], object]:
    def spoil(out: Path) -> None:
        lists = VECTORS[:2].tolist()
        values = {name: column for name, column in {"key": ["a", "b"], "embedding": lists, **columns}.items() if column}
        write_table(pyarrow.table(values), out / "part-00000.parquet")

    return spoil


def test_lists_of_other_types_are_read(tmp_path: Path) -> None:
    offsets = pyarrow.array([0, DIM, 2 * DIM])
    halves = pyarrow.ListArray.from_arrays(offsets.cast("int32"), VECTORS[:2].astype(np.float16).ravel())
    large = pyarrow.LargeListArray.from_arrays(offsets.cast("int64"), VECTORS[:2].astype(np.float64).ravel())
    for column in (halves, large):
        table(embedding=column)(tmp_path)
        np.testing.assert_allclose(everything(str(tmp_path))[1], VECTORS[:2], atol=1e-3)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e30, 1e-30])
def test_directions_of_any_length_are_read(tmp_path: Path, scale: float) -> None:
    numbers = VECTORS[:2].astype(np.float64) * scale
    table(embedding=numbers.tolist())(tmp_path)
    np.testing.assert_allclose(everything(str(tmp_path))[1], VECTORS[:2], rtol=1e-6)
    open_destination(str(tmp_path / "pairs"), "clip-retrieval", "float32", DIM, "images").write(0, rows(0, 2))
    np.save(tmp_path / "pairs" / "img_emb" / "img_emb_0000.npy", numbers)
    metadata = tmp_path / "pairs" / "metadata" / "metadata_0000.parquet"
    write_table(read_table(metadata).replace_schema_metadata(None), metadata)  # as others write it
    np.testing.assert_allclose(everything(str(tmp_path / "pairs"))[1], VECTORS[:2], rtol=1e-6)


def test_columns_that_python_has_no_value_for_are_read(tmp_path: Path) -> None:
    times = pyarrow.array([1, None], pyarrow.timestamp("ns"))
    invalid = pyarrow.Array.from_buffers(pyarrow.string(), 2, pyarrow.array([b"\xff", b"b"]).buffers())
    table(time=times, text=invalid)(tmp_path)
    _, _, columns = everything(str(tmp_path))
    assert columns["text"] == ["\\xff", "b"]
    assert columns["time"][1] is None


@pytest.mark.parametrize(
    ("kind", "fingerprint", "said"),
    [
        ("images", '{"file_dtype": "float16", "weights": "0a"}', None),
        ("images", '{"weights": "0b"}', "another model than the first part"),
        ("images", None, "another model than the first part"),
        ("images", "[", "another model than the first part"),
        ("texts", '{"weights": "0a"}', "has embeddings of texts; expected images, as in the first part"),
    ],
)
def test_parts_of_one_folder_are_of_one_model(tmp_path: Path, kind: Any, fingerprint: Any, said: str | None) -> None:
    facts = '{"weights": "0a", "file_dtype": "float32"}'
    open_destination(str(tmp_path), "parquet", "float32", DIM, "images", facts).write(0, rows(0, 5))
    open_destination(str(tmp_path), "parquet", "float32", DIM, kind, fingerprint).write(1, rows(5, 9))
    if said is None:
        assert len(everything(str(tmp_path))[0]) == 9
    else:
        with pytest.raises(InputError, match=rf"part-00001\.parquet: .*{said}"):
            everything(str(tmp_path))


def test_rows_without_a_key_are_left_out(tmp_path: Path) -> None:
    table(key=[None, "b"], error=["", None])(tmp_path)
    assert everything(str(tmp_path))[0] == ["b"]
    (file,) = embedding_files(str(tmp_path))
    told: list[str] = []
    assert len(list(read_file(file, report=told.append))) == 1
    assert told == []  # that of the error is known


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"key": ["", None]}, "2"),
        ({"key": ["a", ""]}, "1"),
        ({"embedding": [None, VECTORS[0].tolist()]}, "1"),
        ({"embedding": pyarrow.nulls(2, pyarrow.list_(pyarrow.float32()))}, "2"),
    ],
)
def test_rows_that_are_left_out_are_counted(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    table(**columns)(tmp_path)
    (file,) = embedding_files(str(tmp_path))
    told: list[str] = []
    kept = sum(len(keys) for keys, _, _ in read_file(file, DIM, report=told.append))
    assert (told, kept) == (
        [f"{file.table}: rows without a key or an embedding are left out: {said}; expected both in each."],
        2 - int(said),
    )


def test_keys_count_where_their_bytes_are_none(tmp_path: Path) -> None:
    table(key_bytes=[1, 2])(tmp_path)
    assert everything(str(tmp_path))[0] == ["a", "b"]
    table(key_bytes=[b"", b"/na\xffme"])(tmp_path)
    assert everything(str(tmp_path))[0] == ["a", os.fsdecode(b"/na\xffme")]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / "part-00000.parquet").write_bytes(b"PAR1"), "is not a parquet file"),
        (lambda out: (out / "part-00000.parquet").write_bytes(damaged(out)), r"part-00000\.parquet: cannot be read"),
        (lambda out: os.mkfifo(renamed(out)), "is a named pipe"),
        (table(key=None), "has no column key"),
        (table(embedding=None), "has no column embedding"),
        (table(embedding=["a", "b"]), "is of type string; expected lists of floats"),
        (table(embedding=[["a"], ["b"]]), r"is of type list<.*string>; expected lists of floats"),
        (table(embedding=[[1.0], [1.0, 0.0]]), "has embeddings of 1 and 2 dimensions"),
        (table(embedding=[[1.0], [1.0]]), "has embeddings of 1 dimensions; expected 4, as of this model"),
        (table(embedding=pyarrow.array([[], []], pyarrow.list_(pyarrow.float32()))), "has embeddings of 0 dimensions"),
        (table(embedding=[[0.0] * DIM] * 2), "an embedding is zero or not finite"),
        (table(embedding=[[float("nan")] * DIM] * 2), "an embedding is zero or not finite"),
        (table(embedding=[[None, 1.0, 0.0, 0.0]] * 2), "an embedding is zero or not finite"),
        (table(key=[1, 2]), "the column key is of type int64; expected text"),
        (lambda out: twice(out), "has two columns of the same name"),
        (lambda out: shutil.rmtree(out), "out: does not exist; expected what `numpyclip embed` has written"),
        (lambda out: to_text(out), "out: is neither a folder nor a .parquet file"),
        (lambda out: renamed(out), r"has neither part-\*\.parquet nor img_emb"),
        (lambda out: (out / NAME).write_text("{"), "is not JSON"),
    ],
)
def test_damaged_parts_are_refused(tmp_path: Path, spoil: Any, message: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    table()(out)
    spoil(out)
    with pytest.raises(InputError, match=message):
        list(read_embeddings(str(out), None, DIM))


def damaged(out: Path) -> bytes:
    content = bytearray((out / "part-00000.parquet").read_bytes())
    content[4:60] = bytes(56)
    return bytes(content)


def renamed(out: Path) -> Path:
    (out / "part-00000.parquet").unlink()
    return out / "part-00000.parquet"


def to_text(out: Path) -> None:
    shutil.rmtree(out)
    out.write_text("a")


def twice(out: Path) -> None:
    found = read_table(out / "part-00000.parquet")
    write_table(found.append_column("key", found["key"]), out / "part-00000.parquet")


def npy(**changed: Any) -> Callable[[Path], object]:
    """Write a header that says what it likes."""
    facts = {"descr": "<f4", "fortran_order": False, "shape": (2, DIM), **changed}

    def spoil(file: Path) -> None:
        with file.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, facts)
            stream.write(VECTORS[:2].tobytes())

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b""), "cannot be read"),
        (lambda file: file.write_bytes(b"\x93NUMPY\x01\x00\xff\xff("), "cannot be read"),
        (lambda file: file.write_bytes(b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16), "cannot be read"),
        (lambda file: file.write_bytes(b"\x93NUMPY\x03\x00"), "cannot be read"),
        (npy(shape=(2,)), r"is float32 of shape \(2,\); expected embeddings"),
        (npy(shape=(-2, DIM)), "expected embeddings"),
        (npy(shape=(2, 0)), "expected embeddings"),
        (npy(shape=(2, 1 << 40)), "expected embeddings"),
        (npy(shape=(2, 1 << 16)), "ends before its 2 rows do"),
        (npy(shape=(1 << 60, DIM)), "has 2 rows, and .* 1152921504606846976"),
        (npy(fortran_order=True), "in Fortran order; expected embeddings"),
        (npy(descr="|O"), "is object of shape"),
        (npy(descr="<i4"), "is int32 of shape"),
    ],
)
def test_damaged_arrays_are_refused(tmp_path: Path, spoil: Any, message: str) -> None:
    destination = open_destination(str(tmp_path), "clip-retrieval", "float32", DIM, "images")
    destination.write(0, rows(0, 2))
    spoil(tmp_path / "img_emb" / "img_emb_0000.npy")
    with pytest.raises(InputError, match=message):
        list(read_embeddings(str(tmp_path)))


def test_a_fingerprint_is_found_in_each_format(tmp_path: Path) -> None:
    assert fingerprint_at(str(tmp_path)) is None
    (tmp_path / "numpyclip.json").write_text("{}")
    assert fingerprint_at(str(tmp_path)) == "{}"
    (tmp_path / "numpyclip.json").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"numpyclip\.json: cannot be read"):
        fingerprint_at(str(tmp_path))
    claim(str(tmp_path / "out"), manifest())
    assert json.loads(fingerprint_at(str(tmp_path / "out")) or "") == {"weights": "0a"}
