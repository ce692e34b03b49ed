"""Damaged files of an index: never another answer, but an error that says how to repair it, and then it is whole."""

import hashlib
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import StoreError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index
from numpyclip.index.database.sql import set_meta
from numpyclip.index.database.sqlite import SQLiteDatabase
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.repair import check_index
from numpyclip.index.vectors import Recall, hnsw


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image]) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, picture in sorted(emoji.items())[:6]:
        picture.save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory, tiny: CLIP) -> Path:
    place = tmp_path_factory.mktemp("whole") / "index"
    with Index(place, tiny, create=True, vectors="int8") as index:
        index.update([photos])
        index.add_texts(["a bird", "a house"])
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "index")


def found(index: Index) -> list[str | None]:
    return [match.path for match in index.search(index.model.embed_texts(["a bird"])[0])]


def flip(file: Path, at: int = 700) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def zero_page(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: 2 << 12] + bytes(4096) + data[3 << 12 :])


def swap(file: Path) -> None:
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes(data[middle : 2 * middle] + data[:middle])


def to_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = [
    flip,
    cut,
    pytest.param(to_fifo, marks=pytest.mark.skipif(os.name == "nt", reason="none there")),
    pytest.param(zero, marks=pytest.mark.exhaustive),
    pytest.param(swap, marks=pytest.mark.exhaustive),
    pytest.param(to_folder, marks=pytest.mark.exhaustive),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["000000.float32", "000000.float32-checksums", "000000.int8", "000000.int8-checksums"])
def test_damaged_embeddings_are_dropped_and_computed_again(
    place: Path, tiny: CLIP, name: str, damage: Callable[[Path], None]
) -> None:
    with Index(place, tiny) as index:
        expected = found(index)
    file = place / "pictures-1" / name
    damage(file) if damage is not flip else flip(file, 17)
    with (
        Index(place, tiny) as index,
        pytest.raises(StoreError, match=f"{name.removesuffix('-checksums')}.*index --check"),
    ):
        found(index)
    assert check_index(place)
    assert check_index(place) == []
    with Index(place, tiny) as index:
        assert index.update().embedded > 0
        assert found(index) == expected


@pytest.mark.parametrize("damage", [zero_page, *DAMAGES[1:]])
def test_a_damaged_database_is_made_again(
    place: Path, photos: Path, tiny: CLIP, damage: Callable[[Path], None]
) -> None:
    with Index(place, tiny) as index:
        expected = found(index)
    for name in ("index.sqlite.damaged", "index.sqlite.damaged-2"):
        damage(place / "index.sqlite")
        with pytest.raises(StoreError, match="index --check"):
            Index(place, tiny)
        assert f"it is now {name}. " in check_index(place)[0]
        with Index(place, tiny) as index:
            index.update([photos])
            index.add_texts(["a bird", "a house"])
            assert found(index) == expected
            assert {match.text for match in index.search("a bird", modality="texts")} == {"a bird", "a house"}
        assert check_index(place) == []


def test_a_damaged_name_in_a_database_is_shown_in_the_message(place: Path, photos: Path, tiny: CLIP) -> None:
    file = place / "index.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET name = CAST(x'c07f' AS TEXT), sql = 'CREATE' WHERE name = 'pictures'"
        )
    SQLiteDatabase(place).forget_checksum()
    with pytest.raises(StoreError, match=r"malformed database schema \(\\xc0.*index --check"):
        Index(place, tiny)
    assert check_index(place)
    with Index(place, tiny) as index:
        assert index.update([photos]).embedded == 6


@pytest.mark.exhaustive
def test_only_what_is_damaged_in_a_database_is_lost(tmp_path: Path) -> None:
    embeddings = np.random.default_rng(0).standard_normal((3000, 32), np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    digests = [hashlib.sha256(embedding.tobytes()).digest() for embedding in embeddings]
    file = tmp_path / "index" / "index.sqlite"
    with closing(open_store(file.parent, create=True)) as store, store.writing():
        store.begin(Fingerprint(*"12345"), 32)
        pictures = (NewPicture(Exif(1, 1), {"": embedding}) for embedding in embeddings)
        filed = [Filed(f"/photos/{digest.hex()}", FileState(1, 2), digest) for digest in digests]
        store.write(Changes(filed, dict(zip(digests, pictures, strict=True))))
    whole, pages = file.read_bytes(), file.stat().st_size >> 12
    for page in range(2, pages, pages // 7):
        file.write_bytes(whole[: page << 12] + bytes(4096) + whole[(page + 1) << 12 :])
        assert check_index(file.parent)
        with closing(open_store(file.parent)) as store:
            found = store.embeddings_of(digests)
            assert len(found) >= 2700
            assert all(np.array_equal(found[d], e) for d, e in zip(digests, embeddings, strict=True) if d in found)
            assert store.counts().files >= 2700


@pytest.mark.skipif(os.name == "nt", reason="there are none")
@pytest.mark.parametrize(
    "name", [".writing", ".building", "index.sqlite-wal", "index.sqlite-shm", "index.sqlite-checksum"]
)
def test_no_named_pipe_blocks(place: Path, photos: Path, tiny: CLIP, name: str) -> None:
    (place / name).unlink(missing_ok=True)
    os.mkfifo(place / name)
    with pytest.raises(StoreError, match="is no regular file"), Index(place, tiny) as index:
        index.update([photos])
    assert check_index(place) == [f"{name} was no regular file: removed"]
    with Index(place, tiny) as index:
        assert index.update([photos]).unchanged == 6


def test_a_change_by_another_program_is_told_and_costs_nothing(place: Path, tiny: CLIP) -> None:
    with Index(place, tiny) as index:
        expected = found(index)
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("UPDATE pictures SET width = 1")
    with pytest.raises(StoreError, match="or changed by another program"):
        Index(place, tiny)
    assert "all of it is kept" in check_index(place)[0]
    assert check_index(place) == []
    with Index(place, tiny) as index:
        assert found(index) == expected
        assert index.update().embedded == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE files SET name = 7 WHERE name = (SELECT min(name) FROM files)",
        "UPDATE files SET size = 'large'",
        "UPDATE files SET date = x'00'",
        "UPDATE pictures SET latitude = 'north'",
        "UPDATE pictures SET taken = x'00'",
        "UPDATE pictures SET digest = 5 WHERE id = 1",
        "UPDATE folders SET ignored = '{'",
        "UPDATE folders SET ignored = '[1]'",
        "UPDATE folders SET path = 'text'",
        "UPDATE texts SET text = x'ff'",
        "UPDATE texts SET text = 7",
        "DELETE FROM texts WHERE id = 1",
        "UPDATE vectors SET row = 1 << 62 WHERE row = 1",
        "UPDATE vectors SET row = 'first' WHERE row = 1",
        "UPDATE vectors SET item = 'first' WHERE row = 1",
        "UPDATE meta SET value = 'many' WHERE key = 'embed_dim'",
        "UPDATE meta SET value = '-1' WHERE key = 'embed_dim'",
        "DELETE FROM meta WHERE key = 'embed_dim'",
        "UPDATE meta SET value = 'zero' WHERE key = 'generation'",
        "UPDATE meta SET value = 'float8' WHERE key = 'precision'",
        "UPDATE meta SET value = '{}' WHERE key = 'fingerprint'",
        "UPDATE meta SET value = x'00' WHERE key = 'fingerprint'",
    ],
)
def test_values_of_a_damaged_database_are_checked_when_they_are_read(
    place: Path, photos: Path, tiny: CLIP, statement: str
) -> None:
    """As after a writer was killed, so that there is no checksum."""
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        database.execute(statement)
    (place / "index.sqlite-checksum").unlink()
    with pytest.raises(StoreError, match="index --check"), Index(place, tiny) as index:
        found(index)
        index.search("a bird", modality="texts")
        index.store.folders()
        index.store.files(str(photos))
    assert check_index(place)
    with Index(place, tiny) as index:
        index.update([photos])
        index.add_texts(["a bird", "a house"])
        assert len(found(index)) == 6
        assert len(index.search("a bird", modality="texts")) == 2
    assert check_index(place) == []


def test_a_text_that_was_altered_is_embedded_once(place: Path, tiny: CLIP) -> None:
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("UPDATE texts SET text = ? WHERE id = 1", (b"a frog",))
        database.execute("DELETE FROM vectors WHERE side = 'texts' AND item = 1")
    (place / "index.sqlite-checksum").unlink()
    with Index(place, tiny) as index:
        index.update()
        assert index.store.pending_texts(9, migrating=False) == []
        assert index.store.counts().texts == 2
    assert "is not the text that was added" in check_index(place)[0]
    with Index(place, tiny) as index:
        assert [match.text for match in index.search("a house", modality="texts")] == ["a house"]


def test_rows_of_zeros_and_nan_are_noticed_in_an_index_without_checksums(place: Path, tiny: CLIP) -> None:
    """When version 1 is upgraded: what was never an embedding is dropped."""
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("DELETE FROM meta WHERE key = 'row_checksums'")
    for file in (place / "index.sqlite-checksum", *(place / "pictures-1").glob("*-checksums")):
        file.unlink()
    shard = place / "pictures-1" / "000000.float32"
    rows = np.fromfile(shard, np.float32).reshape(6, -1)
    rows[1], rows[2, 5] = 0, np.nan
    rows.tofile(shard)
    with Index(place, tiny) as index:
        assert index.update().embedded == 2
        assert len(found(index)) == 6
    assert check_index(place) == []


def test_the_checksum_comes_with_the_end_of_writing(place: Path, tiny: CLIP) -> None:
    checksum = place / "index.sqlite-checksum"
    before = checksum.read_text()
    with Index(place, tiny) as index, index.store.writing():
        assert not checksum.exists()
        with index.store._database.transaction() as connection:
            set_meta(connection, note="1")
    assert checksum.read_text() != before


def test_an_index_that_was_copied_is_the_same(place: Path, tiny: CLIP, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "copy")
    assert check_index(tmp_path / "copy") == []
    with Index(tmp_path / "copy", tiny) as index:
        assert len(found(index)) == 6


@pytest.mark.parametrize("damage", [lambda graph: flip(graph, graph.stat().st_size // 2), to_folder])
def test_a_damaged_graph_is_built_again(place: Path, tiny: CLIP, damage: Callable[[Path], None]) -> None:
    pytest.importorskip("usearch")
    with Index(place, tiny) as index:
        index.store.build_hnsw()
        expected = found(index)
    (graph,) = place.glob("*.usearch")
    damage(graph)
    with Index(place, tiny) as index:
        assert found(index) == expected
    assert check_index(place) == ["HNSW index: built again, recall 100.0%"]
    assert check_index(place) == []
    assert len(list(place.glob("*.usearch"))) == 1


def test_a_database_that_is_gone_is_made_again(place: Path, photos: Path, tiny: CLIP) -> None:
    (place / "index.sqlite").unlink()
    for create in (False, True):
        with pytest.raises(StoreError, match=r"index\.sqlite: is missing.*index --check"):
            Index(place, tiny, create=create)
    (problem,) = check_index(place)
    assert problem.startswith("index.sqlite is missing. Kept are 0 folders, 0 texts and 0 embeddings; ")
    assert problem.endswith("`numpyclip index FOLDER` embeds the rest, or --import adds it")
    assert check_index(place) == []
    with Index(place, tiny) as index:
        assert index.update([photos]).embedded == 6
        assert len(found(index)) == 6


def test_a_database_of_a_killed_writer_that_is_empty(place: Path, tiny: CLIP) -> None:
    (place / "index.sqlite-checksum").unlink()
    os.truncate(place / "index.sqlite", 0)
    with pytest.raises(StoreError, match=r"is empty.*index --check"):
        Index(place, tiny)
    assert "is empty" in check_index(place)[0]
    assert check_index(place) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to be killed")
@pytest.mark.parametrize("step", ["_made", "forget_checksum"])
def test_a_repair_that_is_killed_is_repeated(
    place: Path, photos: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("UPDATE meta SET value = 'x' WHERE key = 'precision'")
    child = os.fork()
    if not child:
        setattr(SQLiteDatabase, step, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        try:
            check_index(place)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    (problem,) = check_index(place)
    assert "Kept are 1 folders, 2 texts and 8 embeddings; `numpyclip index` embeds the rest" in problem
    assert check_index(place) == []
    with Index(place, tiny) as index:
        assert list(index.store.folders()) == [str(photos)]
        assert index.update().embedded == 0
        assert len(index.search("a bird", modality="texts")) == 2
        assert len(found(index)) == 6


def test_a_database_that_is_being_written_is_not_judged(place: Path, tiny: CLIP) -> None:
    with Index(place, tiny) as index, index.store.writing(), pytest.raises(StoreError, match="another process is"):
        check_index(place)


def test_only_a_writer_leaves_a_checksum(tmp_path: Path, tiny: CLIP) -> None:
    Index(tmp_path / "index", tiny, create=True).close()
    assert not (tmp_path / "index" / "index.sqlite-checksum").exists()


def test_a_sound_graph_stays_where_it_cannot_be_used(
    place: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("usearch")
    with Index(place, tiny) as index:
        index.store.build_hnsw()
    for name in ("usearch", "usearch.index"):
        monkeypatch.setitem(sys.modules, name, None)
    assert check_index(place) == []
    (graph,) = place.glob("*.usearch")
    with Index(place, tiny) as index:
        assert len(found(index)) == 6
    assert 'exhaustive: an HNSW index needs usearch: pip install "numpyclip[graph]"' in caplog.text
    flip(graph, graph.stat().st_size // 2)
    (problem,) = check_index(place)
    assert problem.startswith("HNSW index: removed; searches are exhaustive: an HNSW index needs usearch")
    assert check_index(place) == []


def test_a_graph_that_is_built_again_and_misses_too_much_is_said_to_be_gone(
    place: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch")
    with Index(place, tiny) as index:
        index.store.build_hnsw()
    (graph,) = place.glob("*.usearch")
    flip(graph, graph.stat().st_size // 2)
    monkeypatch.setattr(hnsw, "measure", lambda *_: Recall(0.5, 0.4, 3, 10, 4096))
    assert check_index(place) == ["HNSW index: removed; a new one has recall 40.0%, below 90%: searches are exhaustive"]


def test_a_repair_leaves_alone_what_is_not_the_index_s(place: Path) -> None:
    album = place / "pictures-2020"
    album.mkdir()
    (album / "000001.jpg").write_bytes(b"dear to somebody")
    (album / "wedding.jpg").write_bytes(b"dear to somebody")
    zero(place / "index.sqlite")
    check_index(place)
    assert sorted(file.name for file in album.iterdir()) == ["000001.jpg", "wedding.jpg"]


def test_a_graph_that_is_cut_short_while_it_is_used(place: Path, tiny: CLIP) -> None:
    """What reads memory that is mapped of a file behind its end is killed."""
    pytest.importorskip("usearch")
    with Index(place, tiny) as index:
        index.store.build_hnsw()
        expected = found(index)
        (graph,) = place.glob("*.usearch")
        os.truncate(graph, 100)
        assert found(index) == expected
        assert index.store.has_damaged_hnsw()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_shards_that_are_links_are_whole(place: Path, tiny: CLIP, tmp_path: Path) -> None:
    shard = place / "pictures-1" / "000000.float32"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    notes = place / "pictures-1" / "notes"
    notes.mkdir()
    assert check_index(place) == []
    flip(shard, 17)
    assert check_index(place)
    assert shard.is_symlink()
    assert notes.is_dir()
    with Index(place, tiny) as index:
        assert index.update().embedded == 1
        assert len(found(index)) == 6


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_a_folder_is_no_shard(place: Path, tiny: CLIP, tmp_path: Path) -> None:
    shard = place / "pictures-1" / "000000.float32"
    shard.unlink()
    shard.symlink_to(tmp_path)
    assert check_index(place)
    assert place.is_dir()
    with Index(place, tiny) as index:
        assert index.update().embedded == 6


def test_a_row_that_no_shard_has_takes_no_disk_space(place: Path) -> None:
    with closing(sqlite3.connect(place / "index.sqlite")) as database, database:
        database.execute("UPDATE vectors SET row = 300000 WHERE row = 5 AND side = 'pictures'")
    (place / "index.sqlite-checksum").unlink()
    assert check_index(place)
    assert [file.name for file in place.glob("pictures-1/*.float32")] == ["000000.float32"]


@pytest.mark.parametrize(("at", "value"), [(18, 3), (18, 255), (19, 3), (0, 0), (22, 33)])
def test_a_damaged_header_costs_nothing(place: Path, tiny: CLIP, at: int, value: int) -> None:
    with Index(place, tiny) as index:
        expected = found(index)
    file = place / "index.sqlite"
    written = file.read_bytes()
    file.write_bytes(written[:at] + bytes([value]) + written[at + 1 :])
    with pytest.raises(StoreError, match="index --check"):
        Index(place, tiny)
    assert check_index(place) == ["index.sqlite had a damaged header, which is restored"]
    assert check_index(place) == []
    with Index(place, tiny) as index:
        assert found(index) == expected
        assert index.update().embedded == 0
