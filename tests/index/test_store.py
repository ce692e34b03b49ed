import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, StoreError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index, Where, rows
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture


@pytest.mark.parametrize("digest", [b"\0" * 32, None])
def test_a_file_needs_its_picture(index: Index, photos: Path, digest: bytes | None) -> None:
    index.update([photos])
    before = index.store.counts()
    with index.store.writing(), pytest.raises(InputError, match=r"ghost\.png: no image has its digest"):
        index.store.write(Changes([Filed(str(photos / "ghost.png"), FileState(1, 1), digest)]))
    assert index.store.counts() == before
    assert "ghost.png" not in index.store.files(str(photos))


def test_embeddings_are_found_by_what_is_in_files(index: Index, photos: Path) -> None:
    assert index.store.embeddings_of([b"\0" * 32]) == {}
    index.update([photos])
    digests = [state.digest for state in index.store.files(str(photos)).values() if state.digest]
    found = index.store.embeddings_of([*digests, b"\0" * 32, digests[0]])
    assert found.keys() == set(digests)
    by_digest = {
        index.store.files(str(Path(str(m.path)).parent))[Path(str(m.path)).name].digest: m.embedding
        for m in index.search("a bird", 10)
    }
    for digest, embedding in found.items():
        np.testing.assert_array_equal(embedding, by_digest[digest])


def test_what_is_searched_is_counted_exactly_if_it_is_little(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index.store.count_searched() == 0
    index.update([photos])
    shutil.copy(next(photos.glob("*.png")), photos / "copy.png")
    index.update()
    wheres = (Where(), 6), (Where(photos / "more"), 3), (Where(after="2999"), 0)
    assert [index.store.count_searched(where) for where, _ in wheres] == [pictures for _, pictures in wheres]
    monkeypatch.setattr(rows, "COUNTED", 2)
    assert 2 <= index.store.count_searched() < 1000  # PostgreSQL has no statistics yet
    assert 2 <= index.store.count_searched(Where(photos / "more")) < 1000
    assert index.store.count_searched(Where(after="2999")) == 0


def test_how_many_are_searched_is_known_without_reading_them(
    empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(open_store(empty_postgres, create=True)) as store:
        changes = Changes()
        for number in range(4000):
            digest = number.to_bytes(32, "big")
            changes.filed.append(Filed(f"/{number % 10}/{number}.jpg", FileState(1, number * 10**15), digest))
            changes.pictures[digest] = NewPicture(Exif(1, 1), {"": np.array([1, 0], np.float32)})
        with store.writing():
            store.begin(Fingerprint("0" * 64, "", "", "", "float32"), 2)
            store.write(changes)
        with store._database.building() as connection:
            connection.execute("ANALYZE files")
        expected = {where: store.count_searched(where) for where in (Where(), Where("/3"), Where(after="1996"))}
        assert expected[Where()] == 4000
        monkeypatch.setattr(rows, "COUNTED", 100)
        for where, count in expected.items():
            assert store.count_searched(where) == pytest.approx(count, rel=0.2)


def test_texts_have_no_folder_and_no_date(index: Index) -> None:
    index.add_texts(["a bird"])
    for where in (Where("photos"), Where(after="2024")):
        with pytest.raises(InputError, match="texts have no folder and no date"):
            index.search("a bird", where=where, modality="texts")
    with pytest.raises(InputError, match="modality is 'sounds'"):
        index.search("a bird", modality="sounds")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="where is 'docs'; expected Where"):
        index.search("a bird", where="docs")  # type: ignore[arg-type]


def test_nobody_writes_twice_at_once(index: Index) -> None:
    with index.store.writing(), pytest.raises(StoreError, match="another process is writing"), index.store.writing():
        pass
    with index.store.writing():
        pass


def test_nothing_is_compacted_during_a_migration(index: Index, photos: Path) -> None:
    index.update([photos])
    with index.store.writing():
        index.store.start_migration(index.model.fingerprint, 64)
        with pytest.raises(StoreError, match="a migration is in progress"):
            index.store.compact()


def test_an_index_is_written_on_one_line(index: Index, photos: Path) -> None:
    index.update([photos])
    assert repr(index) == f"<Index {index.store.place}: 6 images, 0 texts>"


def test_a_store_is_changed_within_its_writing(index: Index) -> None:
    with pytest.raises(StoreError, match=r"outside of `Store\.writing`"):
        index.store.set_folder("/photos", [])
    with index.store.writing(), pytest.raises(StoreError, match="no migration is in progress"):
        index.store.finish_migration()


def test_a_picture_is_found_by_its_paths(index: Index, photos: Path) -> None:
    index.update([photos])
    path = str(next(photos.glob("*.png")))
    shutil.copy(path, photos / "copy.png")
    index.update()
    found = index.store.picture_at(path)
    assert found is not None
    assert path in (found.path, *found.copies)
    copy = index.store.picture_at(f"{photos}/./copy.png")
    assert copy is not None
    assert copy.id == found.id
    for odd in ("", "\0", "/", str(photos), str(photos / "none.png"), "https://x.org/a.jpg", "\ud800.png"):
        assert index.store.picture_at(odd) is None
