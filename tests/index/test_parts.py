"""A picture with several embeddings: views of it, or moments of a video."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index, Match, Where, rows
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.repair import check_index
from numpyclip.index.store import Store
from numpyclip.model.ops import Array
from tests.index.filled import HERE, at, digest_of, picture

VIDEO = {f"{second}.5": at(second) for second in range(40, 20, -1)}
VIEWS = {"": at(50), "left": at(10), "right": at(80)}


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with closing(open_store(place, create=True)) as store:
        picture(store, "one.jpg", parts={"": at(30)})
        picture(store, "pan.jpg", Exif(4, 1), VIEWS)
        picture(store, "clip.mp4", Exif(2, 2, duration=41), VIDEO)
        picture(store, "far.jpg", parts={"": at(90)})
        yield store


def found(store: Store, n: int = 10, where: Where = Where(), query: Array = HERE) -> list[Match]:  # noqa: B008
    (matches,) = store.search("pictures", query[np.newaxis], n, where)
    return matches


def named(matches: list[Match]) -> list[tuple[str, str]]:
    return [(Path(str(match.path)).name, match.part) for match in matches]


ALL = [("pan.jpg", "left"), ("clip.mp4", "21.5"), ("one.jpg", ""), ("far.jpg", "")]


def test_each_picture_is_found_once_by_its_nearest_part(store: Store) -> None:
    for n in (1, 2, 3, 4, 10):
        assert named(found(store, n)) == ALL[:n]


def test_conditions_leave_out_whole_pictures(store: Store) -> None:
    picture(store, "other.jpg", parts={"left": at(1), "right": at(2)}, paths=["/other/other.jpg"])
    assert named(found(store, 3, Where("/photos"))) == ALL[:3]
    assert named(found(store, 3, Where("/other"))) == [("other.jpg", "left")]


def test_a_match_has_the_embedding_of_its_part(store: Store) -> None:
    first, second, *_ = found(store)
    np.testing.assert_array_equal(first.embedding, at(10))
    assert first.cosine == pytest.approx(np.cos(np.radians(10)))
    assert (first.seconds, first.moments) == (None, ())
    assert second.seconds == 21.5
    assert [moment.seconds for moment in second.moments] == [22.5, 23.5, 24.5, 25.5, 26.5]
    cosines = [moment.cosine for moment in second.moments]
    assert cosines == pytest.approx(np.cos(np.radians(range(22, 27))))
    assert second.to_dict()["moments"][0] == {"seconds": 22.5, "cosine": pytest.approx(0.927184)}  # type: ignore[index]
    assert (second.to_dict()["seconds"], second.to_dict()["duration"]) == (21.5, 41)


def test_embeddings_of_other_moments_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [match.moments for match in found(store, 4)]
    monkeypatch.setattr(store._vectors, "take", None)
    assert [match.moments for match in found(store, 4)] == expected
    assert [moment.seconds for moment in found(store, 1, Where("/photos"), at(21))[0].moments] == [22.5, 23.5, 24.5]


def test_embeddings_by_number_are_of_the_first_part(store: Store) -> None:
    numbers = {Path(str(match.path)).name: match.id for match in found(store)}
    looked_up = store.embeddings_by_number([numbers["far.jpg"], numbers["pan.jpg"], 12345])
    assert list(looked_up) == sorted([numbers["far.jpg"], numbers["pan.jpg"]])
    np.testing.assert_array_equal(looked_up[numbers["pan.jpg"]], store.picture(numbers["pan.jpg"]).embedding)  # type: ignore[union-attr]


def test_nothing_is_counted_twice(store: Store) -> None:
    counts = store.counts()
    assert (counts.files, counts.pictures) == (4, 4)
    assert store.count_searched() == 4
    assert store.parts_of([digest_of("pan.jpg"), digest_of("nothing")]) == {digest_of("pan.jpg"): set(VIEWS)}
    assert list(store.embeddings_of([digest_of("pan.jpg"), digest_of("clip.mp4")])) == [digest_of("pan.jpg")]
    assert [(match.path, match.part) for match in store.everything("pictures")] == [
        ("/photos/one.jpg", ""),
        *(("/photos/pan.jpg", part) for part in ("", "left", "right")),
        *(("/photos/clip.mp4", part) for part in sorted(VIDEO)),
        ("/photos/far.jpg", ""),
    ]


def test_what_is_compared_is_counted_by_embeddings(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.count_compared() == 2 + len(VIEWS) + len(VIDEO)
    picture(store, "other.jpg", parts={"left": at(1), "right": at(2)}, paths=["/other/a.jpg", "/other/b.jpg"])
    assert store.count_compared(Where("/other")) == 2
    assert store.count_compared(Where(before="0100")) == 0
    monkeypatch.setattr(rows, "COUNTED", 2)
    assert store.count_compared() >= 2


def test_the_best_of_many_moments_has_to_be_better(tmp_path: Path, tiny: CLIP) -> None:
    embeddings = tiny.embed_texts([f"number {number}" for number in range(12)])
    with Index(tmp_path / "index", tiny, create=True) as index:
        for number in range(2):
            parts = {str(each): embedding for each, embedding in enumerate(embeddings[6 * number :][:6])}
            digest = digest_of(str(number))
            with index.adding():
                index.begin()
                filed = [Filed(f"/{number}.mp4", FileState(1, 1), digest)]
                index.store.write(Changes(filed, {digest: NewPicture(Exif(1, 1), parts)}))
        result = index.search("a bird")
        assert (len(result), result.searched) == (2, 2)
        assert result.cutoff == index.background.cutoff(12) > index.background.cutoff(2)


def test_a_part_is_looked_up_by_its_name(store: Store) -> None:
    pan, video = found(store)[0].id, found(store)[1].id
    for number, asked, part in ((pan, "", ""), (pan, "left", "left"), (video, "", "21.5"), (video, "30.5", "30.5")):
        match = store.picture(number, asked)
        assert match is not None
        assert match.part == part
    assert store.picture(pan, "30.5") is None


def test_a_picture_that_is_there_gets_further_parts_once(store: Store) -> None:
    with store.writing():
        before = store.counts()
    picture(store, "one.jpg", parts={"": at(5), "pad": at(2)})
    picture(store, "one.jpg", parts={"pad": at(3)})
    assert named(found(store, 1)) == [("one.jpg", "pad")]
    assert found(store, 1)[0].cosine == pytest.approx(np.cos(np.radians(2)))
    assert store.counts() == before
    np.testing.assert_array_equal(store.embeddings_of([digest_of("one.jpg")])[digest_of("one.jpg")], at(30))


def test_what_no_part_is_called_is_refused(store: Store) -> None:
    for part in ["Left", "1.", "-1", "1e3", "left 2", "٣", "9" * 20, "x" * 40]:
        with pytest.raises(InputError, match="is no part of an image"):
            picture(store, "new.jpg", parts={part: HERE})


def test_compacting_keeps_all_parts(store: Store) -> None:
    before = [(match.path, match.part, match.embedding.tolist()) for match in store.everything("pictures")]
    with store.writing():
        store.forget_folder("/nowhere")
        assert store.compact() == 0
    assert [(match.path, match.part, match.embedding.tolist()) for match in store.everything("pictures")] == before
    assert named(found(store)) == ALL


def test_a_picture_that_goes_takes_all_its_parts(store: Store, place: str) -> None:
    with store.writing():
        assert store.forget_folder("/photos/pan.jpg") == 0
        store.drop_pictures([found(store)[0].id])
    assert named(found(store)) == ALL[1:]
    assert check_index(place) == []


def test_a_picture_with_a_damaged_part_is_embedded_again(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "index", create=True)) as store:
        picture(store, "one.jpg")
        picture(store, "pan.jpg", parts=VIEWS)
    shard = tmp_path / "index" / "pictures-1" / "000000.float32"
    data = bytearray(shard.read_bytes())
    data[2 * 12 : 2 * 12 + 4] = b"\xff" * 4  # the second part
    shard.write_bytes(data)
    assert check_index(tmp_path / "index")[0] == "damaged embeddings of pictures: 1"
    with closing(open_store(tmp_path / "index")) as store:
        assert not store.knows(digest_of("pan.jpg"))
        assert named(found(store)) == [("one.jpg", "")]
        picture(store, "pan.jpg", parts=VIEWS)
        assert named(found(store)) == [("one.jpg", ""), ("pan.jpg", "left")]


def test_a_migration_is_told_the_parts_and_takes_them_together(store: Store) -> None:
    other = Fingerprint("1" * 64, "", "", "", "float32")
    with store.writing():
        store.start_migration(other, 3)
        pending = store.pending_pictures(10)
        assert [sorted(each.parts) for each in pending] == [[""], sorted(VIEWS), sorted(VIDEO), [""]]
        for each in pending:
            keys = [(each.number, part) for part in each.parts]
            store.write_embeddings("pictures", keys, np.tile(HERE, (len(keys), 1)))
        assert store.pending_pictures(10) == []
        store.finish_migration()
    assert len(list(store.everything("pictures"))) == 1 + len(VIEWS) + len(VIDEO) + 1
    assert len(found(store)) == 4


def test_a_graph_finds_the_nearest_part_of_each_picture(place: str) -> None:
    if "://" not in place:
        pytest.importorskip("usearch")
    rng = np.random.default_rng(0)
    with closing(open_store(place, create=True)) as store:
        vectors = rng.standard_normal((600, 3), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        parts = [{str(row): vectors[row] for row in range(start, start + 6)} for start in range(0, 600, 6)]
        for number, each in enumerate(parts):
            picture(store, str(number), parts=each)
        before = named(found(store, 12))
        assert len({name for name, _ in before}) == 12
        assert store.build_hnsw().is_good
        assert named(found(store, 12)) == before
        assert len(named(found(store, 100))) == 100


def test_a_damaged_database_is_repaired_with_its_parts_and_marks(tmp_path: Path) -> None:
    place = tmp_path / "index"
    with closing(open_store(place, create=True)) as store:
        picture(store, "pan.jpg", Exif(4, 1, camera="Nikon D750"), VIEWS)
        store.mark([digest_of("pan.jpg")], "tag", "sea")
    with closing(sqlite3.connect(place / "index.sqlite")) as connection:
        connection.execute("UPDATE meta SET value = 'float64' WHERE key = 'precision'")
        connection.commit()
    assert "3 embeddings" in check_index(place)[0]
    with closing(open_store(place)) as store:
        assert named(found(store)) == [("pan.jpg", "left")]
        assert store.parts_of([digest_of("pan.jpg")]) == {digest_of("pan.jpg"): set(VIEWS)}
        assert store.cameras() == {"Nikon D750": 1}
        assert store.marks()["tag"] == {"sea": 1}
