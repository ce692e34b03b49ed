"""Many processes add to an index in PostgreSQL at the same time; in a folder one."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, StoreError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store

WRITERS = 4
MADE_WITH = Fingerprint("0" * 64, "", "", "", "float32")


def at_once(work: Callable[[int], int]) -> list[int]:
    """Do work as several writers do, from the same moment on."""
    start = Barrier(WRITERS)

    def wait_and_work(number: int) -> int:
        start.wait(60)
        return work(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(wait_and_work, range(WRITERS)))


@pytest.fixture
def stores(empty_postgres: str) -> Iterator[list[Store]]:
    stores = [open_store(empty_postgres, create=True) for _ in range(WRITERS)]
    yield stores
    for store in stores:
        store.close()


def test_many_make_an_index_at_once(empty_postgres: str) -> None:
    def make(number: int) -> int:
        with closing(open_store(empty_postgres, create=True)) as store, store.writing(shared=True):
            store.begin(replace(MADE_WITH, weights=str(number) * 64), 4)
        return number

    at_once(make)
    with closing(open_store(empty_postgres)) as store:
        assert store.fingerprint is not None  # that of the fastest


@pytest.fixture
def of_adder(empty_postgres: str) -> Iterator[str]:
    """An index, opened with no more rights than those to its rows."""
    import psycopg

    open_store(empty_postgres, create=True).close()
    with psycopg.connect(empty_postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE numpyclip_adder")
        connection.execute("GRANT USAGE ON SCHEMA numpyclip TO numpyclip_adder")
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA numpyclip TO numpyclip_adder")
        yield f"{empty_postgres}{'&' if '?' in empty_postgres else '?'}options=-crole%3Dnumpyclip_adder"
        connection.execute("DROP OWNED BY numpyclip_adder")
        connection.execute("DROP ROLE numpyclip_adder")


def test_who_adds_need_not_own_the_tables(of_adder: str, photos: Path, tiny: CLIP) -> None:
    with Index(of_adder, tiny, create=True) as index:
        assert index.update([photos]).embedded == 6
        assert index.add_texts(["a house"]) == 1
        assert len(index.search("a bird")) == 6


def test_those_that_add_share_the_lock(stores: list[Store]) -> None:
    first, second, third, _ = stores
    with first.writing(shared=True), second.writing(shared=True):
        with pytest.raises(StoreError, match="another process is writing"), third.writing():
            pass
        with pytest.raises(StoreError, match="another process is writing"), first.writing(shared=True):
            pass
    with third.writing(), pytest.raises(StoreError, match="another process is writing"), second.writing(shared=True):
        pass
    with second.writing(shared=True):
        pass


def test_a_graph_is_built_while_others_add_but_not_while_one_is_alone(stores: list[Store]) -> None:
    builder, adder, alone, _ = stores
    with builder._database.building():
        with adder.writing(shared=True):
            pass
        with pytest.raises(StoreError, match="or building its graph"), alone.writing():
            pass
        with pytest.raises(StoreError, match="another process is building a graph"):
            alone.remove_hnsw()
    with alone.writing():
        assert not alone.remove_hnsw()  # as `--check` does
        with pytest.raises(StoreError, match="another process is writing"):
            builder.remove_hnsw()


def test_what_many_add_at_once_is_there_once(stores: list[Store]) -> None:
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(60)]
    embedding = np.array([1, 0, 0, 0], np.float32)

    def add(number: int) -> int:
        store, order, new = stores[number], np.random.default_rng(number).permutation(60).tolist(), 0
        with store.writing(shared=True):
            store.begin(MADE_WITH, 4)
            for start in range(0, 60, 10):
                changes = Changes()
                for picture in order[start : start + 10]:
                    changes.filed.append(Filed(f"/photos/{picture}.jpg", FileState(1, number), digests[picture]))
                    changes.pictures[digests[picture]] = NewPicture(Exif(1, 1), {"": embedding})
                new += store.write(changes)
                store.set_folder("/photos", [])
                store.write_texts([f"text {picture}" for picture in order[:20]], np.tile(embedding, (20, 1)))
        return new

    assert sum(at_once(add)) == 60
    counts = stores[0].counts()
    assert (counts.files, counts.pictures) == (60, 60)
    assert len(list(stores[0].everything("pictures"))) == 60
    assert len(list(stores[0].everything("texts"))) == counts.texts
    assert list(stores[0].folders()) == ["/photos"]


def test_many_embed_at_once_what_has_no_embedding(stores: list[Store]) -> None:
    numbers, embeddings = list(range(1, 401)), np.tile(np.array([1, 0, 0, 0], np.float32), (400, 1))
    with stores[0].writing():
        stores[0].begin(MADE_WITH, 4)
        stores[0].write_texts([f"text {number}" for number in numbers], embeddings)
        with stores[0]._database.transaction() as connection:
            connection.execute("DELETE FROM vectors")

    def embed(number: int) -> int:
        with stores[number].writing(shared=True):
            for some in np.array_split(np.random.default_rng(number).permutation(numbers), 4):
                stores[number].write_embeddings(
                    "texts", [(item, "") for item in some.tolist()], embeddings[: len(some)], migrating=False
                )
        return number

    at_once(embed)
    assert len(list(stores[0].everything("texts"))) == 400


def test_an_index_is_updated_while_another_adds(empty_postgres: str, photos: Path, tiny: CLIP) -> None:
    with Index(empty_postgres, tiny, create=True) as first, Index(empty_postgres, tiny) as second:
        with first.adding():
            assert second.update([photos]).embedded == 6
            assert second.add_texts(["a bird"]) == 1
            mixing = Index(second.store, tiny, mix_precisions=True)
            with pytest.raises(StoreError, match="another process is writing"):
                mixing.add_texts(["a house"])
        assert first.update([photos]).unchanged == 6


def test_another_model_that_was_faster_is_noticed(place: str, photos: Path, tiny: CLIP) -> None:
    with Index(place, tiny, create=True) as index:
        with closing(open_store(place)) as other, other.writing():
            other.begin(MADE_WITH, 4)
        with pytest.raises(InputError, match=r"another model|of 4 dimensions"):
            index.update([photos])
        assert index.store.counts().files == 0
