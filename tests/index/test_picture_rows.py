"""Dates of files in an index: what their pictures say, else their names, else their modification times."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from tests.videos.made_videos import RED, scenes, write_video

NAMED, NOON = "IMG_20190501_123000.png", "2019-05-01T12:30:00"


@pytest.fixture(params=["folder", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "index") if request.param == "folder" else request.getfixturevalue("empty_postgres")


@pytest.fixture
def dates(place: str, tiny: CLIP, photos: Path) -> Callable[[], dict[str, str | None]]:
    """Index a folder, and return the date of each picture by the name of its first file."""

    def updated() -> dict[str, str | None]:
        with Index(place, tiny, create=True) as index:
            index.update([photos])
            return {Path(str(match.path)).name: match.date for match in index.store.browse().matches}

    return updated


def old(path: Path) -> Path:
    os.utime(path, (10**9, 10**9))
    return path


def test_the_date_in_a_name_is_that_of_the_file(dates: Callable[[], dict[str, str | None]], photos: Path) -> None:
    bird = old(next(photos.glob("b*.png")))
    assert str(dates()[bird.name]).startswith("2001")
    shutil.copy2(bird, photos / NAMED)
    bird.unlink()
    assert dates()[NAMED] == NOON
    (photos / NAMED).rename(bird)
    assert str(dates()[bird.name]).startswith("2001")


def test_files_of_earlier_versions_get_it(
    dates: Callable[[], dict[str, str | None]], place: str, photos: Path, tiny: CLIP
) -> None:
    next(photos.glob("b*.png")).rename(photos / NAMED)
    before = dates()
    with Index(place, tiny) as index, index.store.writing(), index.store._database.transaction() as connection:
        connection.execute("UPDATE files SET date = '2001-01-01T00:00:00'")
        connection.execute("DELETE FROM meta WHERE key = 'dates'")
    after = dates()
    assert after.pop(NAMED) == before.pop(NAMED) == NOON
    assert {str(date) for date in after.values()} == {"2001-01-01T00:00:00"}


def test_of_videos_too(tmp_path: Path, tiny: CLIP) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "VID_20190501_123000.mp4", scenes((1, RED)))
    with Index(tmp_path / "index", tiny, create=True) as index:
        index.update([tmp_path / "videos"])
        (match,) = index.store.browse().matches
        assert match.date == NOON
