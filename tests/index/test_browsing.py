"""What there is in an index, by date, place, camera and lens."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.index import Where, browsing
from numpyclip.index.browsing import Browsed
from numpyclip.index.database.conditions import conditions
from numpyclip.index.open_store import open_store
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store
from tests.index.filled import HERE, at, digest_of, picture


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with closing(open_store(place, create=True)) as store:
        yield store


def taken(date: str, **more: Any) -> Exif:
    return Exif(1, 1, f"{date}T12:00:00" if len(date) == 10 else date, **more)


def names(browsed: Browsed) -> list[str]:
    return [Path(str(match.path)).name for match in browsed.matches]


def without_a_date(store: Store, name: str) -> None:
    picture(store, name)
    with store.writing():
        store.write(Changes([Filed(f"https://x.org/{name}", NO_FILE, digest_of(name))], forgotten=[f"/photos/{name}"]))


def test_the_newest_come_first_and_those_without_a_date_last(store: Store) -> None:
    without_a_date(store, "undated")
    for date in ("2021-03-01", "2024-05-01", "2019-01-01", "2024-05-02"):
        picture(store, date, taken(date))
    picture(store, "file", mtime=1_600_000_000)  # September 2020
    everything = ["2024-05-02", "2024-05-01", "2021-03-01", "file", "2019-01-01", "undated"]
    browsed = store.browse()
    assert names(browsed) == everything
    assert browsed.cursor is None
    assert browsed.matches[0].date == "2024-05-02T12:00:00"
    assert browsed.matches[0].cosine == 1
    assert names(store.browse(n=6)) == everything
    assert names(store.browse(after="2021-03")) == everything[3:]
    assert names(store.browse(after="2022")) == everything[2:]
    assert names(store.browse(Where(after="2020", before="2024-05-02"))) == everything[1:4]
    assert store.timeline() == {"2024-05": 2, "2021-03": 1, "2020-09": 1, "2019-01": 1, "": 1}
    assert store.timeline(Where(after="2024")) == {"2024-05": 2}


@pytest.mark.parametrize("n", [1, 3, 4])
def test_pages_go_on_where_the_last_ended_whatever_is_added(store: Store, n: int) -> None:
    for number in range(10):
        picture(store, str(number), taken("2024-05-01" if number < 5 else f"2023-05-{number:02}"))
    whole = names(store.browse())
    page = store.browse(n=n)
    read, added = names(page), 0
    while page.cursor is not None:
        picture(store, f"new {added}", taken("2024-06-01"))
        added += 1
        page = store.browse(n=n, after=page.cursor)
        assert len(page.matches) <= n
        read += names(page)
    assert read == whole
    assert sorted(whole) == sorted(map(str, range(10)))


def test_a_picture_is_where_the_first_of_its_copies_is(store: Store) -> None:
    picture(store, "copied", paths=["/photos/a", "/photos/b"], mtime=1_600_000_000)
    picture(store, "copied", paths=["/photos/c"], mtime=1_700_000_000)
    picture(store, "copied", paths=["/photos/0"], mtime=1_500_000_000)  # July 2017
    picture(store, "other", taken("2019-01-01"))
    assert [store.browse(n=1, after=after).matches[0].path for after in ("2025", "2018")] == [
        "/photos/other",
        "/photos/0",
    ]
    browsed = store.browse()
    assert [match.path for match in browsed.matches] == ["/photos/other", "/photos/0"]
    assert browsed.matches[1].date == "2017-07-14T02:40:00"
    assert len(browsed.matches[1].copies) == 3
    assert store.timeline() == {"2019-01": 1, "2017-07": 1}
    assert [match.date for match in store.browse(Where(after="2020")).matches] == ["2020-09-13T12:26:40"]


def test_a_copy_without_a_date_does_not_count(store: Store) -> None:
    without_a_date(store, "both")
    picture(store, "both", paths=["/photos/both"], mtime=1_600_000_000)
    assert [match.date for match in store.browse().matches] == ["2020-09-13T12:26:40"]
    assert store.timeline() == {"2020-09": 1}


def test_a_video_is_browsed_once(store: Store) -> None:
    picture(store, "clip.mp4", taken("2024-05-01", duration=9.0), {"0": at(1), "4.5": at(2)})
    (match,) = store.browse().matches
    assert (match.part, match.seconds) == ("0", 0)
    assert match.exif is not None
    assert match.exif.duration == 9


def test_what_is_no_cursor_and_no_count_is_refused(store: Store) -> None:
    cursors: list[Any] = ["", "May", "2024-05/x", "2024/1/2", "2024-5", "2024-05-01T12:00:00/" + "9" * 19, 2024]
    for cursor in cursors:
        with pytest.raises(InputError, match="is no cursor"):
            store.browse(after=cursor)
    wrong: list[Any] = [0, -1, 1.5, True]
    for n in wrong:
        with pytest.raises(InputError, match="expected an integer above 0"):
            store.browse(n=n)
    assert store.browse(n=10**30) == ([], None)


def test_cameras_and_lenses_are_counted(store: Store) -> None:
    for number, (camera, lens) in enumerate(
        [("Nikon D750", "50 mm"), ("Canon", None), ("Nikon D750", None), (None, None)]
    ):
        picture(store, str(number), taken(f"2024-0{number + 1}-01", camera=camera, lens=lens))
    assert store.cameras() == {"Nikon D750": 2, "Canon": 1}
    assert list(store.cameras()) == ["Nikon D750", "Canon"]
    assert store.lenses() == {"50 mm": 1}
    assert store.cameras(Where(after="2024-02")) == {"Canon": 1, "Nikon D750": 1}
    assert names(store.browse(Where(camera="Nikon D750"))) == ["2", "0"]
    assert names(store.browse(Where(camera="Nikon D750", lens="50 mm"))) == ["0"]
    assert names(store.browse(Where(camera="d750", lens="50 MM"))) == ["0"]
    assert names(store.browse(Where(camera="D75_"))) == []
    with store.writing():
        store.forget_folder("/photos")
    assert store.cameras() == {}


PLACES = {
    "Zurich": (47.3769, 8.5417),
    "Uster": (47.3507, 8.7187),  # 13.7 km from there
    "Berne": (46.948, 7.4474),  # 95.5 km
    "Suva": (-18.1416, 178.4419),
    "Apia": (-13.8333, -171.7667),  # 1151 km from Suva, over the date line
    "Alert": (82.5018, -62.3481),
    "Vostok": (-78.4645, 106.8339),
    "Accra": (5.6037, -0.187),
    "nowhere": (0.0, 0.0),
}


@pytest.fixture
def places(store: Store) -> Store:
    for name, (latitude, longitude) in PLACES.items():
        picture(store, name, Exif(1, 1, latitude=latitude, longitude=longitude))
    picture(store, "unknown")
    return store


WITHIN: list[tuple[tuple[float, float, float, float], list[str]]] = [
    ((47, 8, 48, 9), ["Uster", "Zurich"]),
    ((47.3507, 8.7187, 47.3507, 8.7187), ["Uster"]),
    ((-20, 170, -10, -170), ["Apia", "Suva"]),
    ((-20, -170, -10, 170), []),
    ((-20, -180, -10, 180), ["Apia", "Suva"]),
    ((-90, -180, 90, 180), sorted(set(PLACES) - {"nowhere"})),
    ((-1, -1, 1, 1), []),
]
AROUND: list[tuple[tuple[float, float, float], list[str]]] = [
    ((47.3769, 8.5417, 0.01), ["Zurich"]),
    ((47.3769, 8.5417, 13.6), ["Zurich"]),
    ((47.3769, 8.5417, 13.8), ["Uster", "Zurich"]),
    ((47.3769, 8.5417, 95), ["Uster", "Zurich"]),
    ((47.3769, 8.5417, 96), ["Berne", "Uster", "Zurich"]),
    ((-18.1416, 178.4419, 1145), ["Suva"]),
    ((-18.1416, 178.4419, 1160), ["Apia", "Suva"]),
    ((-13.8333, -171.7667, 1160), ["Apia", "Suva"]),
    ((90, 0, 850), ["Alert"]),
    ((85, 117, 1390), ["Alert"]),  # over the pole: 12.5 degrees
    ((85, 117, 1380), []),
    ((-90, 77, 1300), ["Vostok"]),
    ((0, 0, 700), ["Accra"]),
    ((0, 0, 30_000), sorted(set(PLACES) - {"nowhere"})),
]


def test_pictures_within_a_rectangle_and_around_a_place(places: Store) -> None:
    chosen = [(Where(within=within), expected) for within, expected in WITHIN]
    chosen += [(Where(around=around), expected) for around, expected in AROUND]
    for where, expected in chosen:
        assert sorted(names(places.browse(where))) == expected, where


def test_places_are_cells_with_counts(places: Store) -> None:
    cells = places.places()
    assert sum(cell.pictures for cell in cells) == len(PLACES) - 1
    first = cells[0]
    assert (first.south, first.west, first.north, first.east, first.pictures) == (47, 8, 48, 9, 2)
    assert [first.latitude, first.longitude] == pytest.approx([47.3638, 8.6302])
    for cell in cells:
        assert len(places.browse(Where(within=cell[:4])).matches) == cell.pictures
    (zurich,) = places.places(Where(around=(47.3769, 8.5417, 1)))
    assert zurich[:4] == (47, 8, 48, 9)
    assert zurich.pictures == 1


def test_the_edges_of_the_map_are_cells(store: Store) -> None:
    for name, place in (("pole", (90.0, 180.0)), ("other", (-90.0, -180.0)), ("beside", (89.9, 179.9))):
        picture(store, name, Exif(1, 1, latitude=place[0], longitude=place[1]))
    cells = store.places()
    assert [cell.pictures for cell in cells] == [2, 1]
    for cell in cells:
        assert cell.south < cell.north <= 90 and cell.west < cell.east <= 180
        assert len(store.browse(Where(within=cell[:4])).matches) == cell.pictures


def plan(store: Store, sql: str, values: list[Any]) -> str:
    with store._database.reading() as connection:
        return "\n".join(str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))


def everything_marked(store: Store) -> None:
    picture(store, "a", exif=Exif(1, 1, camera="x", lens="x"))
    store.mark([digest_of("a")], "tag", "x/y")
    store.mark([digest_of("a")], "album", "y")


BY_INDEX = [
    (Where(camera="x"), "pictures_by_camera"),
    (Where(lens="x"), "pictures_by_lens"),
    (Where(within=(1, 2, 3, 4)), "pictures_by_place"),
    (Where(around=(1, 2, 3)), "pictures_by_place"),
    (Where(tag="x"), "marks_by_name (kind=? AND name>? AND name<?)"),
    (Where(album="Y"), "marks_by_name (kind=? AND name=?)"),
    (Where(rating=3), "marks_by_name"),
    (Where(favourite=True), "marks_by_name"),
]


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_conditions_use_an_index(store: Store) -> None:
    everything_marked(store)
    for where, index in BY_INDEX:
        with store._database.reading() as connection:
            condition, values = conditions(connection, where)
        steps = plan(store, f"SELECT picture FROM files WHERE {condition}", values)
        assert index in steps
        assert "SCAN files" not in steps


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_browsing_reads_files_in_their_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(store, "a")
    seen: list[str] = []
    with store._database.reading() as connection:
        kind = type(connection)
    execute = kind.execute

    def explained(self: Any, sql: str, values: Any = ()) -> Any:
        if "DISTINCT date" in sql:
            seen.extend(str(row[-1]) for row in execute(self, f"EXPLAIN QUERY PLAN {sql}", values))
        return execute(self, sql, values)

    monkeypatch.setattr(kind, "execute", explained)
    store.browse(n=1)
    store.browse(n=1, after="2024")
    assert sum("files_by_date" in step for step in seen) == 2
    assert not any("ORDER BY" in step for step in seen)


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_postgresql_finds_by_its_indexes(store: Store) -> None:
    changes = Changes()
    for number in range(3000):
        digest = number.to_bytes(32, "big")
        exif = Exif(
            1, 1, f"20{number % 20:02}-01-01T00:00:00", number % 80, number % 170, f"camera {number}", f"lens {number}"
        )
        changes.filed.append(Filed(f"/{number}.jpg", FileState(1, 1), digest))
        changes.pictures[digest] = NewPicture(exif, {"": HERE})
    with store.writing():
        store.begin(Fingerprint("0" * 64, "", "", "", "float32"), 3)
        store.write(changes)
    for tag in ("x", "y"):
        store.mark([(ord(tag)).to_bytes(32, "big")], "tag", tag)
        store.mark([number.to_bytes(32, "big") for number in range(3000)], "tag", f"not {tag}")
    with store._database.building() as connection:
        for table in ("files", "pictures", "marks"):
            connection.execute(f"ANALYZE {table}")
        for where, index in (
            (Where(camera="camera 7"), "pictures_by_camera"),
            (Where(lens="lens 7"), "pictures_by_lens"),
            (Where(around=(47, 47, 10)), "pictures_by_place"),
            (Where(tag="x"), "marks_by_name"),
        ):
            condition, values = conditions(connection, where)
            rows = connection.execute(f"EXPLAIN SELECT picture FROM files WHERE {condition}", values)
            steps = "\n".join(line for (line,) in rows)
            assert index in steps
            assert "files_of_picture" in steps
    assert [match.path for match in store.browse(Where(camera="camera 7")).matches] == ["/7.jpg"]
    assert [match.path for match in store.browse(Where(tag="x")).matches] == [f"/{ord('x')}.jpg"]


def test_pages_are_the_same_whether_they_are_among_the_newest_files_or_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        name = f"{number:02}"
        exif = Exif(1, 1, f"2024-05-{number + 1:02}T12:00:00", camera="C" if number % 3 else "D")
        picture(store, name, exif, paths=[f"/photos/{number % 2}/{name}", f"/copies/{name}"])
        store.mark([digest_of(name)], "rating", str(1 + number % 5))
    wheres = [
        Where(camera="C"),
        Where("/photos/1"),
        Where("/photos/1", rating=3),
        Where(camera="D", before="2024-05-09"),
    ]

    def pages(where: Where) -> list[str | None]:
        found, cursor = [], None
        while True:
            matches, cursor = store.browse(where, 2, after=cursor)
            found += [match.path for match in matches]
            if cursor is None:
                return found

    expected = [pages(where) for where in wheres]
    assert [len(found) for found in expected] == [8, 6, 3, 3]
    for most in (1, 3, 4):
        monkeypatch.setattr(browsing, "_RECENT", most)
        assert [pages(where) for where in wheres] == expected


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_pictures_of_a_page_are_looked_up_one_by_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    everything_marked(store)
    for where, _ in BY_INDEX:
        with store._database.reading() as connection:
            condition, values = conditions(connection, where, by_row=True)
        steps = plan(store, f"SELECT picture FROM files WHERE picture = 1 AND {condition}", values)
        assert "LIST SUBQUERY" not in steps
        assert "SCAN" not in steps
