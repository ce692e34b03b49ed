import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.index import Index, Where


@pytest.mark.parametrize("written", ["photos", "./photos", "photos/", "photos//more/..", "photos/.", Path("photos")])
def test_a_folder_is_found_however_it_is_written(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Where(written) == Where(str(tmp_path / "photos"))
    assert Where(os.path.join(tmp_path, written)).folder == str(tmp_path / "photos")  # noqa: PTH118


@pytest.mark.skipif(os.name == "nt", reason="two slashes begin the name of a server")
def test_two_slashes_at_the_start_are_one() -> None:
    assert Where("//home/photos").folder == "/home/photos"


def test_relative_folders_are_searched_updated_and_forgotten(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    assert index.update(["photos/"]).embedded == 6
    assert len(index.search("a bird", where=Where("photos/more/"))) == 3
    assert list(index.store.folders()) == [str(photos)]
    with index.store.writing():
        assert index.store.forget_folder("photos/more/") == 3
    assert len(index.search("a bird", where=Where("photos"))) == 3


def test_an_empty_folder_is_none() -> None:
    with pytest.raises(InputError, match="folder is empty"):
        Where("")


def test_a_folder_that_is_no_path_is_refused() -> None:
    with pytest.raises(InputError, match="no path can be"):
        Where("\ud800")


@pytest.mark.parametrize(
    "date",
    [
        "2024-02-30",
        "2023-02-29",
        "2024-13",
        "2024-00",
        "0000",
        "2024-05-01T24",
        "2024-05-01T12:60",
        "24",
        "yesterday",
        "",
        "٢٠٢٤",  # digits, but not those of the dates in an index
        "2024-05-01T12:30:00Z",
        2024,
        datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=14))),
    ],
)
@pytest.mark.parametrize("name", ["after", "before"])
def test_dates_that_do_not_exist_are_refused(name: str, date: object) -> None:
    with pytest.raises(InputError, match=f"^{name}: .* is no date"):
        Where(**{name: date})  # type: ignore[arg-type]


def test_a_number_is_no_year() -> None:
    with pytest.raises(InputError, match=r"2024 is no date \(not a string\); expected one such as '2024'"):
        Where(after=2024)  # type: ignore[arg-type]


def test_dates_are_beginnings_of_moments() -> None:
    for date in ("2024", "2024-02", "2024-02-29", "2024-02-29T23", "2024-02-29T23:59", "2024-02-29T23:59:59"):
        assert Where(after=date).after == date
    assert Where(after=datetime.date(2024, 5, 1), before=datetime.datetime(2024, 5, 1, 12)) == Where(
        after="2024-05-01", before="2024-05-01T12:00:00"
    )
    now = datetime.datetime.now()
    assert Where(after=now).after == now.isoformat()[:19]
    assert Where(after=now.astimezone(datetime.timezone.utc)) == Where(after=now)  # in local time, as those of files


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *(
            ({name: value}, f"{name} is .*; expected a name")
            for name in ("tag", "album", "camera")
            for value in ("", 5)
        ),
        *(({"rating": value}, "expected an integer from 1 to 5") for value in (0, 6, 2.5, "3", True)),
        *(({"favourite": value}, "expected True or False") for value in (1, None, "yes")),
        *(({"within": value}, "within is .*; expected south") for value in ((1, 2, 3), (3, 2, 1, 4), (0, 0, 91, 0), 5)),
        *(({"within": value}, "within is .*; expected south") for value in ((0, -181, 1, 0), (0, float("nan"), 1, 0))),
        *(({"around": value}, "around is .*; expected latitude") for value in ((1, 2), (91, 0, 1), (0, 181, 1), "123")),
        *(
            ({"around": value}, "around is .*; expected latitude")
            for value in ((0, 0, 0), (0, 0, -1), (0, 0, float("inf")))
        ),
    ],
)
def test_what_no_condition_is_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Where(**wrong)


def test_conditions_are_equal_however_they_are_written() -> None:
    assert Where(tag=" Zu\u0308rich ", around=[1, 2, 3], within=(1, 2, 3, 4), rating=np.int64(3)) == Where(  # type: ignore[arg-type]
        tag="Zürich", around=(1.0, 2.0, 3.0), within=(1.0, 2.0, 3.0, 4.0), rating=3
    )
