from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import InputError, StoreError
from numpyclip.images.find import FileState
from numpyclip.index import Index, Where
from numpyclip.index.records import Changes, Filed


@pytest.mark.parametrize("digest", [b"\0" * 32, None])
def test_a_file_needs_its_picture(index: Index, photos: Path, digest: bytes | None) -> None:
    index.update([photos])
    before = index.store.counts()
    with index.store.writing(), pytest.raises(InputError, match=r"ghost\.png: no picture has its digest"):
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
        with pytest.raises(StoreError, match="a migration is under way"):
            index.store.compact()


def test_an_index_is_written_on_one_line(index: Index, photos: Path) -> None:
    index.update([photos])
    assert repr(index) == f"<Index {index.store.place}: 6 pictures, 0 texts>"


def test_a_store_is_changed_within_its_writing(index: Index) -> None:
    with pytest.raises(StoreError, match=r"outside of `Store\.writing`"):
        index.store.set_folder("/photos", [])
    with index.store.writing(), pytest.raises(StoreError, match="no migration is under way"):
        index.store.finish_migration()
