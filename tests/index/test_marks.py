"""Favourites, stars, tags and albums."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.errors import InputError, StoreError
from numpyclip.image_marks import KINDS, Mark
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index, Where, check_index
from numpyclip.index.marks import checked_mark
from numpyclip.index.marks_file import FORMAT, VERSION, import_marks
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store
from numpyclip.lock import exclusive
from tests.index.filled import HERE, digest_of, picture

A, B, C = map(digest_of, "abc")


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with closing(open_store(place, create=True)) as store:
        for name in "abc":
            picture(store, name)
        yield store


def found(store: Store, **where: object) -> list[str]:
    (matches,) = store.search("pictures", HERE[None], 10, Where(**where))  # type: ignore[arg-type]
    return sorted(Path(str(match.path)).name for match in matches)


def test_marks_are_looked_up_counted_and_searched(store: Store) -> None:
    store.mark([A, B], "favourite")
    store.mark([A], "rating", "3")
    store.mark([B], "rating", "5")
    store.mark([B, C], "tag", "  Zu\u0308rich ")
    store.mark([C], "album", "Summer")
    assert store.marks_of([A, C, b"?" * 32]) == {
        A: [Mark("favourite"), Mark("rating", "3")],
        C: [Mark("album", "Summer"), Mark("tag", "Zürich")],
        b"?" * 32: [],
    }
    assert store.marks() == {
        "favourite": {"": 2},
        "rating": {"3": 1, "5": 1},
        "tag": {"Zürich": 2},
        "album": {"Summer": 1},
    }
    assert found(store, favourite=True) == ["a", "b"]
    assert found(store, rating=3) == ["a", "b"]
    assert found(store, rating=4) == ["b"]
    assert found(store, tag="Zürich") == ["b", "c"]
    assert found(store, tag="Zürich", favourite=True) == ["b"]
    assert found(store, album="Summer") == ["c"]
    assert found(store, album="Winter") == []
    assert store.counts(Where(tag="Zürich")).pictures == 2


def test_names_are_found_whatever_the_case_and_tags_with_what_is_below(store: Store) -> None:
    store.mark([A], "tag", "Animals/Birds")
    store.mark([B], "tag", "animals")
    store.mark([C], "tag", "animals-not")
    store.mark([C], "album", "{0} of ÉVRY")
    assert found(store, tag="animals") == found(store, tag="ANIMALS") == ["a", "b"]
    assert found(store, tag="animals/birds") == ["a"]
    assert found(store, tag="birds") == []
    assert found(store, album="{0} OF évry") == ["c"]
    assert found(store, album="évry") == []
    assert store.counts(Where(tag="Animals")).pictures == store.count_searched(Where(tag="Animals")) == 2
    assert len(store.browse(Where(tag="Animals")).matches) == 2


def test_marks_of_pictures_without_a_file_are_counted(store: Store) -> None:
    assert store.marked_without_file() == 0
    for digest in (A, digest_of("gone"), digest_of("other")):
        store.mark([digest], "tag", "x")
        store.mark([digest], "favourite")
    assert store.marked_without_file() == 2


def test_marks_follow_a_file_that_gets_another_content(store: Store) -> None:
    store.mark([A], "tag", "x")
    store.mark([A], "rating", "4")
    edited = picture(store, "edited", paths=["/photos/a"])
    assert store.marks_of([A, edited]) == {key: [Mark("rating", "4"), Mark("tag", "x")] for key in (A, edited)}
    assert found(store, tag="x") == ["a"]
    store.mark([edited], "rating", "5")
    store.unmark([edited], "tag", "x")
    picture(store, "a")  # as it was, with its own rating
    assert store.marks_of([A])[A] == [Mark("rating", "4"), Mark("tag", "x")]


def test_marks_do_not_follow_to_a_photograph_of_another_date(store: Store) -> None:
    first, second = Exif(1, 1, "2024-05-01T12:00:00"), Exif(1, 1, "2025-05-01T12:00:00")
    store.mark([picture(store, "first", first, paths=["/card/1.jpg"])], "tag", "x")
    other = picture(store, "second", second, paths=["/card/1.jpg"])
    assert store.marks_of([other])[other] == []
    store.mark([other], "tag", "y")
    edited = picture(store, "edited", second, paths=["/card/1.jpg"])
    without_date = picture(store, "without date", paths=["/card/1.jpg"])
    assert store.marks_of([edited, without_date]) == {key: [Mark("tag", "y")] for key in (edited, without_date)}


def test_marks_stay_with_a_content_that_another_file_has_or_that_is_known(store: Store) -> None:
    store.mark([A], "tag", "x")
    picture(store, "a", paths=["/photos/copy"])
    edited = picture(store, "edited", paths=["/photos/a"])
    assert store.marks_of([edited])[edited] == []
    again = picture(store, "again", paths=["/photos/copy"])
    assert store.marks_of([again])[again] == [Mark("tag", "x")]
    store.mark([B], "tag", "y")
    picture(store, "c", paths=["/photos/b"])  # moved there
    assert store.marks_of([C])[C] == []


def test_marks_of_files_that_change_their_names_are_not_mixed_up(store: Store) -> None:
    store.mark([A], "tag", "x")
    store.mark([B], "tag", "y")
    with store.writing():
        state = FileState(2, 3)
        new = {digest_of("new"): NewPicture(Exif(1, 1), {"": HERE})}
        names = {"/photos/a": digest_of("new"), "/photos/b": A, "/photos/d": B, "/photos/e": A}
        store.write(Changes([Filed(path, state, digest) for path, digest in names.items()], new))
    assert store.marks_of([A, B, digest_of("new")]) == {
        A: [Mark("tag", "x")],
        B: [Mark("tag", "y")],
        digest_of("new"): [],
    }


def test_marks_are_taken_back(store: Store) -> None:
    for name in ("one", "two"):
        store.mark([A, B], "tag", name)
    store.mark([A], "favourite")
    store.unmark([A], "tag", "one")
    store.unmark([B], "tag")
    store.unmark([A, B], "favourite")
    store.unmark([C], "album", "none")
    assert store.marks_of([A, B]) == {A: [Mark("tag", "two")], B: []}


def test_a_picture_has_one_rating(store: Store) -> None:
    for rating in "2553":
        store.mark([A], "rating", rating)
    assert store.marks_of([A]) == {A: [Mark("rating", "3")]}
    store.mark([A], "tag", "x")
    store.mark([A], "tag", "x")
    assert store.marks()["tag"] == {"x": 1}


def counted(monkeypatch: pytest.MonkeyPatch, store: Store) -> list[int]:
    """Count the transactions of marks."""
    begun: list[int] = []
    marking = store._database.marking

    def count() -> Any:
        begun.append(1)
        return marking()

    monkeypatch.setattr(store._database, "marking", count)
    return begun


def test_all_that_is_said_is_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = counted(monkeypatch, store)
    store.mark([A, B], "rating", "1")
    said = [(A, Mark("tag", " x ")), (A, Mark("rating", "2")), (B, Mark("favourite")), (A, Mark("rating", "4"))]
    store.mark_all(iter([*said, (A, Mark("tag", "x"))]))
    assert store.marks_of([A, B]) == {
        A: [Mark("rating", "4"), Mark("tag", "x")],
        B: [Mark("favourite"), Mark("rating", "1")],
    }
    with pytest.raises(InputError, match="expected a name"):
        store.mark_all([(C, Mark("tag", "y")), (C, Mark("tag", "\n"))])
    assert store.marks_of([C]) == {C: []}
    store.mark_all([])
    assert len(begun) == 2


def test_a_file_of_marks_is_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [{"sha256": digest.hex(), "tags": [f"tag {n}", "all"], "rating": n} for n, digest in enumerate((A, B), 1)]
    begun = counted(monkeypatch, store)
    import_marks(store, json.dumps({"format": FORMAT, "version": VERSION, "images": images}).encode(), "x.json")
    assert len(begun) == 1
    assert store.marks_of([A, B])[B] == [Mark("rating", "2"), Mark("tag", "all"), Mark("tag", "tag 2")]


REFUSED = [
    ("tag", "", "expected a name of 1 to 200 characters"),
    ("tag", " ", "expected a name"),
    ("album", "a\0b", "without control characters"),
    ("tag", "\ud800", "expected a name"),
    ("tag", "x" * 201, "expected a name"),
    *(("tag", tag, "has an empty level") for tag in ("beach/", "/beach", "a//b", "a/ /b")),
    ("album", "\ufffe", "expected a name"),
    ("rating", "6", "expected an integer from 1 to 5"),
    ("rating", "0", "expected an integer from 1 to 5"),
    ("rating", "good", "expected an integer from 1 to 5"),
    ("favourite", "yes", "a favourite has no name"),
    ("colour", "red", "expected one of favourite, rating, tag, album"),
]


def test_what_cannot_be_said_is_refused(store: Store) -> None:
    for kind, name, message in REFUSED:
        with pytest.raises(InputError, match=message):
            store.mark([A], kind, name)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is no SHA-256"):
        store.mark([b"short"], "favourite")
    assert store.marks() == {kind: {} for kind in KINDS}


def test_marks_survive_a_move_and_a_removal(index: Index, photos: Path) -> None:
    index.update([photos])
    first = index.search("a bird", 1)[0]
    assert first.digest is not None
    index.store.mark([first.digest], "tag", "bird")
    moved = photos / "moved.png"
    path = Path(str(first.path)).rename(moved)
    index.update()
    assert [match.path for match in index.search("a bird", where=Where(tag="bird"))] == [str(moved)]
    content = path.read_bytes()
    path.unlink()
    index.update()
    with index.store.writing():
        assert index.store.compact() == 1
    assert index.store.marks()["tag"] == {}
    assert list(index.store.all_marks()) == [(first.digest, Mark("tag", "bird"))]
    path.write_bytes(content)
    index.update()
    assert index.store.marks()["tag"] == {"bird": 1}
    assert [match.path for match in index.search("a bird", where=Where(tag="bird"))] == [str(moved)]


def test_marks_are_written_while_an_update_is_under_way(index: Index, photos: Path, place: str) -> None:
    index.update([photos])
    digest = index.search("a bird", 1)[0].digest
    assert digest is not None
    Image.new("RGB", (8, 8)).save(photos / "new.png")
    told: list[object] = []

    def marked(files: list[object]) -> list[object]:
        def mark() -> None:
            with closing(open_store(place)) as other:
                other.mark([digest], "favourite")
                told.append(other.marks()["favourite"])

        threads = [
            threading.Thread(target=mark),
            threading.Thread(target=lambda: index.store.mark([digest], "tag", "x")),
        ]
        for thread in threads:
            thread.start()
            thread.join()
        return files

    assert index.update(progress=marked).embedded == 1  # type: ignore[arg-type]
    assert told == [{"": 1}]
    assert index.store.marks_of([digest]) == {digest: [Mark("favourite"), Mark("tag", "x")]}
    assert len(index.search("a bird", 10)) == 7
    assert check_index(place) == []


def test_marks_are_written_by_many_at_once(store: Store, place: str) -> None:
    problems: list[Exception] = []

    def mark(number: int) -> None:
        try:
            with closing(open_store(place)) as own:
                for round_ in range(4):
                    own.mark([A, B, C][:: 1 if number % 2 else -1], "tag", f"tag {round_}")
                    own.mark([A], "rating", str(number + 1))
        except StoreError as error:
            problems.append(error)

    threads = [threading.Thread(target=mark, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.marks()["tag"] == {f"tag {round_}": 3 for round_ in range(4)}
    assert sum(store.marks()["rating"].values()) == 1
    assert check_index(place) == []


def test_a_writer_marks_in_its_own_thread(store: Store) -> None:
    with store.writing():
        store.mark([A], "favourite")
    assert store.marks()["favourite"] == {"": 1}


def test_marks_are_found_by_an_index(store: Store) -> None:
    if "://" in store.place:
        pytest.skip("PostgreSQL plans by statistics")
    with store._database.reading() as connection:
        for where in ("kind = 'tag' AND name = 'x'", "kind = 'rating' AND name >= '3'", "digest = x'00'"):
            plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT digest FROM marks WHERE {where}").fetchall()
            assert all("SEARCH marks" in row[-1] for row in plan)


def test_who_cannot_write_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(tmp_path / "index", create=True)) as store, exclusive(tmp_path / "index" / ".writing"):
        monkeypatch.setattr("os.access", lambda *_: False)
        with pytest.raises(StoreError, match="cannot be written; expected a folder of yours"):
            store.mark([A], "favourite")


def test_marks_wait_for_a_repair(store: Store) -> None:
    if "://" in store.place:
        pytest.skip("what PostgreSQL holds is not replaced")
    thread = threading.Thread(target=lambda: store.mark([A], "favourite"))
    database: Any = store._database
    with database.alone(), database.unmarked():
        thread.start()
        assert store.marks()["favourite"] == {}
    thread.join()
    assert store.marks()["favourite"] == {"": 1}


@pytest.mark.parametrize("rating", ["9" * 5000, "0", "6", "٤", "1e400", "nan", "", 3.0, None, b"3"])
def test_what_is_no_rating_is_refused(rating: Any) -> None:
    with pytest.raises(InputError, match="expected an integer from 1 to 5"):
        checked_mark("rating", rating)
