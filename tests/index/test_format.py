"""Indexes that earlier versions have written are read."""

import json
import os
import runpy
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index, SearchResult, Where
from numpyclip.index.database import schema
from numpyclip.index.database.sql import number
from numpyclip.index.open_store import open_store
from numpyclip.index.repair import check_index
from numpyclip.index.vectors import hnsw

GOLDEN = Path(__file__).parents[1] / "golden" / "index"  # of precision int8, written before the first release
PHOTOS = "/tmp/golden-photos"


@pytest.fixture
def golden(tmp_path: Path, tiny: CLIP) -> Index:
    return Index(shutil.copytree(GOLDEN, tmp_path / "index", ignore=shutil.ignore_patterns("*.json")), tiny)


def test_an_index_of_the_first_format_is_searched_as_it_was(golden: Index) -> None:
    expected = json.loads((GOLDEN / "expected.json").read_text())

    def assert_same(result: SearchResult, name: str) -> None:
        found = [match.to_dict() for match in result]
        assert [record.keys() for record in found] == [record.keys() for record in expected[name]]
        for record, old in zip(found, expected[name], strict=True):
            assert record == {key: pytest.approx(value, abs=1e-5) for key, value in old.items()}

    result = golden.search("a bird", 10)
    assert_same(result, "pictures")
    assert result.cutoff == expected["cutoff"]
    assert_same(golden.search("a bird", 10, where=Where(f"{PHOTOS}/more", after="2021")), "more")
    assert_same(golden.search("a bird", 10, modality="texts"), "texts")
    assert vars(golden.store.counts()) == expected["counts"]
    assert [list(problem) for problem in golden.store.problems()] == expected["problems"]
    assert {folder: list(ignored) for folder, ignored in golden.store.folders().items()} == expected["folders"]
    assert sorted(golden.store.files(PHOTOS)) == expected["files"]


def test_an_index_of_the_first_format_is_written(golden: Index, tiny: CLIP) -> None:
    golden.add_texts(["a boat"])
    with golden.store.writing():
        assert golden.store.forget_folder(f"{PHOTOS}/more") == 3
        assert golden.store.compact() == 2
    assert len(golden.search("a bird", 10)) == 2
    assert {match.text for match in golden.search("a boat", 10, modality="texts")} == {"a bird", "a house", "a boat"}


def rounded(value: Any) -> Any:
    """Round numbers in JSON, which differ between machines in their last digits."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return {key: rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


GOLDEN_2 = GOLDEN.with_name("index-2")  # with all that version 2 has; see tools/make_golden_index.py
PHOTOS_2 = "/tmp/golden-photos-2"


@pytest.fixture
def golden_2(tmp_path: Path, tiny: CLIP) -> Index:
    return Index(shutil.copytree(GOLDEN_2, tmp_path / "index-2", ignore=shutil.ignore_patterns("*.json")), tiny)


def test_an_index_of_the_second_format_is_searched_as_it_was(golden_2: Index) -> None:
    described = runpy.run_path(str(GOLDEN.parents[2] / "tools" / "make_golden_index.py"))["described"]

    assert rounded(described(golden_2)) == rounded(json.loads((GOLDEN_2 / "expected.json").read_text()))


def test_an_index_of_the_second_format_is_sound_and_written(golden_2: Index) -> None:
    assert check_index(golden_2.store.place) == []
    golden_2.add_texts(["a boat"])
    with golden_2.store.writing():
        assert golden_2.store.forget_folder(f"{PHOTOS_2}/more") == 2
        assert golden_2.store.compact() == 1
    assert len(golden_2.search("a bird", 10)) == 3
    assert len(golden_2.search("a boat", 10, modality="texts")) == 4


def test_its_graph_is_used(golden_2: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("usearch")
    calls: list[int] = []
    search = hnsw.HNSW.nearest
    monkeypatch.setattr(hnsw.HNSW, "nearest", lambda *args: calls.append(1) or search(*args))  # type: ignore[func-returns-value]
    assert golden_2.search("a bird", 1)[0].path == f"{PHOTOS_2}/album/copy.jpg"
    assert calls == [1]


def test_an_index_of_the_first_format_becomes_one_of_the_second(golden: Index) -> None:
    place = Path(golden.store.place)
    before = [match.to_dict() for match in golden.search("a bird", 10, modality="texts")]
    assert not list(place.rglob("*-checksum*"))
    golden.add_texts([])
    assert (place / "index.sqlite-checksum").exists()
    assert (place / "pictures-1" / "000000.int8-checksums").exists()
    assert [match.to_dict() for match in golden.search("a bird", 10, modality="texts")] == before
    assert check_index(place) == []


@pytest.mark.parametrize("version", [1, 2])
def test_an_index_of_an_earlier_format_becomes_one_of_this(version: int, request: pytest.FixtureRequest) -> None:
    index = request.getfixturevalue("golden" if version == 1 else "golden_2")
    place = Path(index.store.place)
    before = asked(index), browsed(index), sorted(match.path for match in index.store.everything("pictures"))
    index.add_texts([])
    with closing(sqlite3.connect(place / "index.sqlite")) as upgraded, closing(sqlite3.connect(":memory:")) as new:
        new.executescript(schema.SQLITE)
        assert upgraded.execute("PRAGMA user_version").fetchone() == (3,)
        of_table = "SELECT name FROM pragma_table_info(?)"  # types were other words for the same
        for table in ("files", "marks", "meta", "pictures", "texts", "vectors"):
            assert upgraded.execute(of_table, (table,)).fetchall() == new.execute(of_table, (table,)).fetchall()
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
        assert upgraded.execute(sql).fetchall() == new.execute(sql).fetchall()
    assert (asked(index), browsed(index), sorted(match.path for match in index.store.everything("pictures"))) == before
    assert check_index(place) == []


def test_what_an_earlier_index_has_not_is_empty_until_it_is_written(first: str, tiny: CLIP) -> None:
    with Index(first, tiny) as index:
        before = asked(index), browsed(index)
        for where in (Where(camera="x"), Where(tag="x"), Where(favourite=True), Where(rating=1), Where(album="x")):
            assert index.search("a bird", where=where) == []
        assert index.store.cameras() == index.store.lenses() == index.store.marks()["tag"] == {}
        digest = index.search("a bird", 1)[0].digest
        assert digest is not None
        index.store.mark([digest], "tag", "bird")
        assert [match.digest for match in index.search("a bird", where=Where(tag="bird"))] == [digest]
        assert (asked(index), browsed(index)) == before
    assert check_index(first) == []


def browsed(index: Index) -> Any:
    """Return what there is without a search."""
    store = index.store
    return [match.to_dict() for match in store.browse().matches], store.timeline(), store.places()


POSTGRES = GOLDEN.with_name("index-postgres")  # a dump of the schema, written by the last commit of version 1


@pytest.fixture(params=["folder", "postgres"])
def first(request: pytest.FixtureRequest) -> str:
    """Where an index of the first format is."""
    if request.param == "folder":
        return str(request.getfixturevalue("golden").store.place)
    psycopg = pytest.importorskip("psycopg")
    address: str = request.getfixturevalue("empty_postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute((POSTGRES / "index.sql").read_text("utf-8"))
    return address


def asked(index: Index) -> dict[str, Any]:
    """Return what is asked of an index, as JSON has it."""
    query, store = index.model.embed_texts(["a bird"])[0], index.store
    folders = store.folders()
    return {
        "pictures": [match.to_dict() for match in index.search(query, 10)],
        "more": [match.to_dict() for match in index.search(query, 10, where=Where(f"{min(folders)}/more"))],
        "texts": [match.to_dict() for match in index.search(query, 10, modality="texts")],
        "counts": vars(store.counts()),
        "problems": [list(problem) for problem in store.problems()],
        "folders": {folder: list(ignored) for folder, ignored in folders.items()},
        "files": {folder: sorted(store.files(folder)) for folder in (min(folders), f"{min(folders)}/more")},
        "model": store.model_name,
    }


@pytest.mark.parametrize("first", ["postgres"], indirect=True)
@pytest.mark.parametrize("version", [2, 3])
def test_an_index_of_the_second_or_third_format_in_postgresql(
    first: str, version: int, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        key = "CREATE UNIQUE INDEX files_key ON files (sha256(directory), name)"
        steps = {2: (*schema._POSTGRES_TO_2, key), 3: (*schema._POSTGRES_TO_2, *schema._POSTGRES_TO_3)}[version]
        upgrade = (*steps, f"UPDATE meta SET value = '{version}' WHERE key = 'version'")
        patch.setitem(schema.POSTGRES_UPGRADES, 1, upgrade)
        with closing(open_store(first)) as store, store.writing():
            pass
    with Index(first, tiny) as index:
        before = asked(index), browsed(index)
        index.store.remove_hnsw()
        assert (asked(index), browsed(index)) == before
        with index.store._database.reading() as connection:
            (options,) = connection.execute("SELECT reloptions FROM pg_class WHERE relname = 'vectors'").fetchone()
            assert options == ["toast_tuple_target=8160"]
            assert connection.execute("SELECT to_regclass('files_below')").fetchone()[0] == "files_below"
            assert number(connection, "version") == 4
            (key,) = connection.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'files_key'").fetchone()
            assert "length(name) > 1024" in key


@pytest.mark.parametrize("first", ["postgres"], indirect=True)
def test_an_index_of_the_first_format_in_postgresql(first: str, tiny: CLIP) -> None:
    expected = rounded(json.loads((POSTGRES / "expected.json").read_text("utf-8")))
    with Index(first, tiny) as index:
        assert rounded(asked(index)) == expected
        assert index.add_texts(["a bird", "a boat", "\ud800"]) == 2
    with Index(first, tiny) as index:
        found = rounded(asked(index))
        assert {match["text"] for match in found["texts"]} == {"a bird", "a house", "é 🐦", "a boat", "\ud800"}
        assert {**found, "texts": 0, "counts": {**found["counts"], "texts": 3}} == {**expected, "texts": 0}


def test_who_reads_goes_on_reading_after_an_upgrade(first: str, tiny: CLIP) -> None:
    with Index(first, tiny) as reader, Index(first, tiny) as writer:
        for _ in range(8):  # of statements that are repeated a driver may keep plans
            before = asked(reader)
        writer.add_texts([])
        assert asked(reader) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked to be killed")
@pytest.mark.parametrize("statements", [1, 3, 5])
def test_an_upgrade_that_is_killed_has_not_been(
    first: str, tiny: CLIP, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    with Index(first, tiny) as index:
        before = asked(index)
    monkeypatch.setitem(schema.SQLITE_UPGRADES, 1, Deadly(schema.SQLITE_UPGRADES[1][:statements]))
    monkeypatch.setitem(schema.POSTGRES_UPGRADES, 1, Deadly(schema.POSTGRES_UPGRADES[1][:statements]))
    child = os.fork()
    if not child:
        try:
            with closing(open_store(first)) as store, store.writing():
                pass
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    monkeypatch.undo()
    with Index(first, tiny) as index:
        assert asked(index) == before
        index.add_texts([])
        assert asked(index) == before
    assert check_index(first) == []


class Deadly(tuple[str, ...]):
    """Statements after which a process ends."""

    def __iter__(self) -> Iterator[str]:
        yield from super().__iter__()
        os.kill(os.getpid(), signal.SIGKILL)
