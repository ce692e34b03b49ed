import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, MissingPackageError, StoreError
from numpyclip.index import Index
from numpyclip.index.open_store import open_store


def test_wrong_places_are_named(tmp_path: Path, tiny: CLIP) -> None:
    with pytest.raises(StoreError, match="holds no index"):
        Index(tmp_path / "nowhere", tiny)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("…")
    with pytest.raises(StoreError, match=r"is not empty \(it holds thesis.txt\)"):
        Index(tmp_path / "full", tiny, create=True)
    index = Index(tmp_path / "full" / ".." / "index", tiny, create=True)
    assert index.store.place == str(tmp_path / "index")
    with pytest.raises(InputError, match="the folder of the index itself"):
        index.update([tmp_path / "index"])
    with pytest.raises(InputError, match="has vectors of float32, not int8; leave vectors out"):
        Index(tmp_path / "index", tiny, vectors="int8")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_an_index_behind_a_link_is_not_indexed(tmp_path: Path, tiny: CLIP) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "index")
    with pytest.raises(InputError, match="the folder of the index itself"):
        Index(tmp_path / "link", tiny, create=True).update([tmp_path / "index"])


def test_a_database_of_another_program_or_version_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "index"
    open_store(place, create=True)
    with closing(sqlite3.connect(place / "index.sqlite")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="is an index of version 99; expected 3: update NumPyCLIP"):
        open_store(place)
    with closing(sqlite3.connect(place / "index.sqlite")) as database:
        database.execute("PRAGMA application_id = 1")
    with pytest.raises(StoreError, match="of another program"):
        open_store(place)
    (place / "index.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"not a database.*index --check"):
        open_store(place)


def test_a_shard_that_was_cut_short_is_named(tmp_path: Path, photos: Path, tiny: CLIP) -> None:
    index = Index(tmp_path / "index", tiny, create=True)
    index.update([photos])
    shard = tmp_path / "index" / "pictures-1" / "000000.float32"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"000000.float32: has 3071 bytes; expected 3072 for 6 embeddings"):
        index.search("a bird")
    shard.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        index.search("a bird")


def test_postgresql_is_told_by_its_address(empty_postgres: str, tiny: CLIP) -> None:
    with pytest.raises(StoreError, match="holds no index"):
        open_store(empty_postgres)
    with pytest.raises(InputError, match="PostgreSQL holds float32"):
        open_store(empty_postgres, create=True, vectors="int8")
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/nowhere: .*[^.?][.?] What the index"):
        open_store("postgresql://me:secret@127.0.0.1:1/nowhere")


def test_psycopg_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingPackageError, match=r'pip install "numpyclip\[postgres\]"') as caught:
        open_store("postgresql://me:secret@127.0.0.1/nowhere")
    assert "secret" not in str(caught.value)
