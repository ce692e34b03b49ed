"""Parts of the output: every layout, atomic, and what untrusted columns become."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")

import pyarrow
import pyarrow.ipc
from pyarrow.parquet import ParquetFile, read_table

from numpyclip.destinations.image_columns import NAMES
from numpyclip.destinations.read import read_embeddings
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError

DIM = 4


def row(key: str, error: str | None = None, **columns: Any) -> OutputRow:
    vector = np.random.default_rng(len(key)).standard_normal(DIM).astype(np.float32)
    return OutputRow(key, None if error else vector / np.linalg.norm(vector), columns, error)


def vector(each: OutputRow) -> Any:
    assert each.embedding is not None
    return each.embedding


def rows(count: int) -> list[OutputRow]:
    return [row("x" * (n + 1), "cannot be read" if n % 3 == 2 else None, caption=f"text {n}") for n in range(count)]


def written(place: Path, some: list[OutputRow], dtype: Any = "float32") -> Any:
    destination = open_destination(str(place), "parquet", dtype, DIM, "images")
    errors = sum(each.embedding is None for each in some)
    assert destination.write(0, some) == (len(some), errors)
    return read_table(place / "part-00000.parquet")


def columns(place: Path, *values: Any) -> list[Any]:
    """What values of one carried column are in the file."""
    some = [row("x" * (n + 1), c=value) for n, value in enumerate(values)]
    found: list[Any] = written(place, some)["c"].to_pylist()
    return found


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_part_has_a_row_for_each_input_in_order(tmp_path: Path, dtype: Any) -> None:
    table = written(tmp_path / "out", rows(5), dtype)
    assert table.column_names == ["key", "embedding", "error", *NAMES, "caption"]
    assert table.schema.field("embedding").type == pyarrow.list_(getattr(pyarrow, dtype)(), DIM)
    assert table["key"].to_pylist() == [each.key for each in rows(5)]
    assert table["error"].to_pylist() == [None, None, "cannot be read", None, None]
    assert table["caption"].to_pylist() == [f"text {n}" for n in range(5)]
    embeddings = table["embedding"].to_pylist()
    assert embeddings[2] == [None] * DIM
    for each, found in zip(rows(5), embeddings, strict=True):
        if each.embedding is not None:
            np.testing.assert_array_equal(np.array(found, "f4"), each.embedding.astype(dtype).astype("f4"))


def test_large_parts_are_several_batches_and_row_groups(tmp_path: Path) -> None:
    vector = np.eye(1, DIM, dtype=np.float32)[0]
    many = (OutputRow(str(n), vector, {"late": n} if n > 2000 else {}, None) for n in range(9000))
    assert open_destination(str(tmp_path / "out"), "parquet", "float32", DIM, "images").write(7, many) == (9000, 0)
    file = ParquetFile(tmp_path / "out" / "part-00007.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [8192, 808]
    table = file.read()
    assert table["key"].to_pylist() == [str(n) for n in range(9000)]
    assert table["late"].to_pylist() == [n if n > 2000 else None for n in range(9000)]


def test_images_that_are_carried_along_are_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.destinations.spool._MOST_BYTES", 1000)
    assert columns(tmp_path / "out", *[bytes(400)] * 8) == [bytes(400)] * 8
    file = ParquetFile(tmp_path / "out" / "part-00000.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 3, 2]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / name, rows(5))
    one, two = ((tmp_path / name / "part-00000.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_part_without_rows_is_a_part(tmp_path: Path) -> None:
    for layout in ("parquet", "clip-retrieval"):
        destination = open_destination(str(tmp_path / layout), layout, "float32", DIM, "images")
        assert destination.write(0, []) == (0, 0)
        assert destination.done() == {0}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((1, None, 3), [1, None, 3]),
        ((1, 2.5), [1.0, 2.5]),
        ((None, None), [None, None]),
        ((1, "a", True, 2.5), ["1", "a", "true", "2.5"]),
        (([1, 2], [], None), [[1, 2], [], None]),
        (({"a": [1]}, {}), ['{"a": [1]}', "{}"]),
        (([[1], ["a"]], "b"), ['[[1], ["a"]]', "b"]),
        ((2**70, 1), [str(2**70), "1"]),
        (("\udcff", "a"), ["\\udcff", "a"]),
        ((b"\xff", b"a"), [b"\xff", b"a"]),
        ((b"\xff", 1), ["\\xff", "1"]),
        ((float("inf"), 1), [float("inf"), 1.0]),
    ],
)
def test_values_keep_their_types_or_become_text(tmp_path: Path, values: Any, found: Any) -> None:
    assert columns(tmp_path / "out", *values) == found


@pytest.mark.parametrize(
    ("early", "late", "found"),
    [
        (1, "a", "1"),
        (None, [b"a"], None),
        ([], [b"a"], []),
        (1, 2.5, 1.0),
        (True, "a", "true"),
        ("a", b"b", b"a"),
        ([1], "a", "[1]"),
        (2**60 + 1, 0.5, float(2**60)),
    ],
)
def test_types_that_differ_between_batches_agree_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: Any, late: Any, found: Any
) -> None:
    monkeypatch.setattr("numpyclip.destinations.spool.ROWS", 1)
    assert columns(tmp_path / "out", early, late) == [found, late]


def test_carried_columns_do_not_replace_those_of_the_program(tmp_path: Path) -> None:
    carried = {"key": 1, "source_key": 2, "error": "3", "embedding": 4, "sha256": "of a download"}
    table = written(tmp_path / "out", [OutputRow("a.jpg", row("a").embedding, carried, None)])
    assert {name: table[name][0].as_py() for name in table.column_names if name != "embedding"} == {
        "key": "a.jpg",
        "error": None,
        **dict.fromkeys(NAMES),
        "source_sha256": "of a download",
        "source_key": 1,
        "source_source_key": 2,
        "source_error": "3",
        "source_embedding": 4,
    }


@pytest.mark.skipif(os.name == "nt", reason="names are text")
def test_names_that_are_no_text_are_kept_as_bytes(tmp_path: Path) -> None:
    table = written(tmp_path / "out", [row(os.fsdecode(b"na\xffme.png")), row("a.png")])
    assert table["key"].to_pylist() == ["na\\udcffme.png", "a.png"]
    assert table["key_bytes"].to_pylist() == [b"na\xffme.png", None]


@pytest.mark.parametrize("size", [1, 1024])
def test_samples_cannot_make_any_number_of_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("numpyclip.destinations.spool.ROWS", size)
    names = [{f"{n}_{m}": m for m in range(200)} for n in range(9)]
    some = [OutputRow(str(n), row("a").embedding, {**names[n], "same": n}, None) for n in range(9)]
    with pytest.warns(
        UserWarning, match="more than 1000 columns: '4_1.*' and others are left out. Choose which"
    ) as told:
        table = written(tmp_path / "out", some)
    assert (len(told), len(table.column_names), table["same"].to_pylist()) == (1, 1000, list(range(9)))
    assert table["3_7"].to_pylist() == [7 if n == 3 else None for n in range(9)]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def test_a_value_that_is_nested_too_deeply_is_said_to_be(tmp_path: Path) -> None:
    (found,) = columns(tmp_path / "out", deep(100_000))
    assert found == "(nested too deeply)"


def test_clip_retrievals_files_have_equal_rows_and_the_errors_apart(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float16", DIM, "images")
    assert destination.write(3, iter(rows(5))) == (5, 1)
    out = tmp_path / "out"
    embeddings = np.load(out / "img_emb" / "img_emb_0003.npy")
    good = [each for each in rows(5) if each.embedding is not None]
    np.testing.assert_array_equal(embeddings, np.stack([vector(each) for each in good]).astype("f2"))
    table = read_table(out / "metadata" / "metadata_0003.parquet")
    assert table["image_path"].to_pylist() == [each.key for each in good]
    assert table["caption"].to_pylist() == ["text 0", "text 1", "text 3", "text 4"]
    errors = read_table(out / "errors" / "errors_0003.parquet").to_pylist()
    assert errors == [{"key": "xxx", "error": "cannot be read", "caption": "text 2"}]
    assert destination.done() == {3}


def test_clip_retrievals_texts_are_captions(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "texts")
    destination.write(0, [row("lines.txt:1", caption="a dog", lang="en")])
    assert np.load(tmp_path / "out" / "text_emb" / "text_emb_0000.npy").shape == (1, DIM)
    table = read_table(tmp_path / "out" / "metadata" / "metadata_0000.parquet")
    assert table.to_pylist() == [{"caption": "a dog", "lang": "en"}]


def test_files_of_a_run_that_was_killed_do_not_stay(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "images")
    outcomes = [
        ([row("a", "no"), row("ab")], ["errors/errors_0000.parquet", "img_emb/img_emb_0000.npy"]),
        ([row("a"), row("ab")], ["img_emb/img_emb_0000.npy"]),
        ([row("a", "no"), row("ab", "no")], ["errors/only_errors_0000.parquet"]),
    ]
    for some, names in outcomes:
        destination.write(0, some)
        (tmp_path / "out" / "metadata" / "metadata_0000.parquet").unlink(missing_ok=True)  # as if it was killed
        found = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert sorted(found) == names


@pytest.mark.parametrize("first", [[row("a"), row("ab")], [row("a", "no"), row("ab", "no")]])
@pytest.mark.parametrize("second", [[row("a", "no"), row("ab")], [row("a", "no"), row("ab", "no")]])
def test_a_part_that_is_written_again_is_not_complete_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: list[OutputRow], second: list[OutputRow]
) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "images")
    destination.write(0, first)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("numpyclip.destinations.spool.Spool.write", killed)
        destination.write(0, second)
    assert destination.done() == set()


def test_a_part_that_is_written_again_in_vain_stays(tmp_path: Path) -> None:
    def failing() -> Iterator[OutputRow]:
        yield row("a", "no")
        raise InputError("the end")

    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "images")
    destination.write(0, [row("a")])
    with pytest.raises(InputError, match="the end"):
        destination.write(0, failing())
    assert destination.done() == {0}
    assert len(list(read_embeddings(str(tmp_path / "out")))) == 1


def test_a_part_that_two_runs_have_written_in_turns_is_not_read(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "images")
    metadata = tmp_path / "out" / "metadata" / "metadata_0000.parquet"
    destination.write(0, [row("a", "no"), row("ab"), row("abc")])
    of_one = metadata.read_bytes()
    destination.write(0, [row("a"), row("ab", "no"), row("abc")])
    assert len(list(read_embeddings(str(tmp_path / "out")))) == 1
    metadata.write_bytes(of_one)
    with pytest.raises(InputError, match=r"metadata_0000.parquet: does not match the embeddings in .*img_emb_0000"):
        list(read_embeddings(str(tmp_path / "out")))


def test_a_part_of_errors_alone_does_not_disturb_others(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "out"), "clip-retrieval", "float32", DIM, "images")
    for number, some in enumerate([rows(2), [row("a", "no")], rows(2)]):
        destination.write(number, some)
    assert destination.done() == {0, 1, 2}
    assert [path.name for path in sorted((tmp_path / "out").rglob("*_000?.*"))] == [
        "only_errors_0001.parquet",
        *("img_emb_0000.npy", "img_emb_0002.npy"),
        *("metadata_0000.parquet", "metadata_0002.parquet"),
    ]


LAYOUTS = ["parquet", "clip-retrieval"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_is_there_when_it_is_complete_and_not_before(tmp_path: Path, layout: Any) -> None:
    destination = open_destination(str(tmp_path / "out"), layout, "float32", DIM, "images")
    assert destination.done() == set()

    def failing() -> Iterator[OutputRow]:
        yield from rows(2000)
        assert destination.done() == set()
        raise InputError("the end")

    with pytest.raises(InputError, match="the end"):
        destination.write(0, failing())
    assert destination.done() == set()
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    destination.write(12, rows(3))
    assert destination.done() == {12}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_files_are_no_parts(tmp_path: Path, layout: Any) -> None:
    destination = open_destination(str(tmp_path), layout, "float32", DIM, "images")
    (tmp_path / "metadata").mkdir()
    for name in ("part-00000.parquet.tmp", "part-0.parquet", "part-000001.parquet", "_manifest.json", "x.parquet"):
        (tmp_path / name).touch()
        (tmp_path / "metadata" / name.replace("part-0", "metadata_")).touch()
    (tmp_path / "metadata" / "metadata_00001.parquet").touch()
    (tmp_path / "metadata" / "metadata_1.parquet").touch()
    assert destination.done() == set()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("inner", ["texts", "metadata/texts", "errors/texts"])
def test_parts_of_a_destination_within_are_not_its_own(tmp_path: Path, layout: Any, inner: str) -> None:
    outer = open_destination(str(tmp_path), layout, "float32", DIM, "images")
    (tmp_path / inner).parent.mkdir(exist_ok=True)
    within = open_destination(str(tmp_path / inner), layout, "float32", DIM, "texts")
    within.write(0, [row("a.txt/0", caption="a dog")])
    within.write(1, [row("a.txt/6", "too long")])
    assert outer.done() == set()
    outer.write(1, rows(2))
    assert outer.done() == {1}


KILLED = """
import os, signal, sys
import numpy as np
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
place, layout, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])

def some():
    for n in range(3000):
        if n == rows:
            os.kill(os.getpid(), signal.SIGKILL)
        yield OutputRow(str(n), np.eye(1, 4, dtype=np.float32)[0], {}, None)

if rows < 0:  # while a file is written
    import numpyclip.destinations.spool as spool
    spool._cast = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_destination(place, layout, "float32", 4, "images").write(0, some())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("at", [2500, -1])
def test_a_killed_process_leaves_no_part_and_the_next_nothing_else(tmp_path: Path, layout: Any, at: int) -> None:
    place = tmp_path / "out"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(place), layout, str(at)])
    assert ended.returncode == -signal.SIGKILL
    destination = open_destination(str(place), layout, "float32", DIM, "images")
    assert destination.done() == set()
    assert destination.write(0, rows(3)) == (3, 1)
    assert destination.done() == {0}
    names = sorted(path.name for path in place.rglob("*") if path.is_file())
    assert names == (
        ["part-00000.parquet"]
        if layout == "parquet"
        else ["errors_0000.parquet", "img_emb_0000.npy", "metadata_0000.parquet"]
    )


def test_a_full_disk_is_an_error_that_names_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    destination = open_destination(str(tmp_path / "out"), "parquet", "float32", DIM, "images")
    with pytest.raises(NumPyCLIPError, match=r"part-00000\.parquet: cannot be written \(No space left"):
        destination.write(0, rows(3))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_that_is_full_of_waiting_rows_is_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyarrow.ipc, "new_stream", full)
    destination = open_destination(str(tmp_path / "out"), layout, "float32", DIM, "images")
    named = "part-00000.parquet" if layout == "parquet" else "metadata"
    with pytest.raises(NumPyCLIPError, match=rf"out/{named}: cannot be written \(No space left"):
        destination.write(0, rows(3))
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_mistyped_folder_is_not_made(tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "no" / "out"), "parquet", "float32", DIM, "images")
    with pytest.raises(NumPyCLIPError, match="no/out: cannot be written"):
        destination.write(0, rows(3))


def test_without_pyarrow_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=rf'{tmp_path}: .*pip install "numpyclip\[parquet\]"'):
        open_destination(str(tmp_path), "parquet", "float32", DIM, "images")
