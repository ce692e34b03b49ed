"""Indexes of earlier versions get cameras and lenses without embedding again."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index, Where, reread_exif
from numpyclip.index.database.sql import meta, set_meta
from numpyclip.index.scope import Scope


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Three photographs, one of them twice."""
    folder = tmp_path / "cameras"
    folder.mkdir()
    for number in range(3):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Nikon", f"D{number}"
        exif[0x0132] = f"2020:01:0{number + 1} 12:00:00"
        Image.new("RGB", (64, 64), (80 * number, 0, 0)).save(folder / f"{number}.jpg", exif=exif)
    shutil.copy(folder / "0.jpg", folder / "copy.jpg")
    return folder


def as_if_upgraded(index: Index) -> None:
    with index.store.writing(), index.store._database.transaction() as connection:
        connection.execute("UPDATE pictures SET camera = NULL, taken = NULL")
        connection.execute("UPDATE files SET date = '2019-01-01T00:00:00'")
        (last,) = connection.execute("SELECT max(id) FROM pictures").fetchone()
        set_meta(connection, unread_exif=str(last))


def test_exif_data_is_read_once_again_without_embedding(
    index: Index, cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([cameras])
    expected = index.store.cameras()
    assert len(expected) == 3
    as_if_upgraded(index)
    assert index.store.cameras() == {}
    (cameras / "2.jpg").unlink()
    monkeypatch.setattr(reread_exif, "_AT_ONCE", 2)
    report = index.update(scope=Scope(only=frozenset([str(cameras / "1.jpg")])))
    assert index.store.cameras() == {}  # of an update of some files
    report = index.update()
    assert (report.embedded, report.unchanged, report.forgotten) == (0, 3, 1)
    assert index.store.cameras() == {"Nikon D0": 1, "Nikon D1": 1}
    assert index.store.timeline(Where(before="2020-01-02")) == {"2020-01": 1}
    monkeypatch.setattr(reread_exif, "read_exif", None)
    assert index.update().embedded == 0


def test_what_has_changed_or_is_no_longer_in_time_is_left(index: Index, cameras: Path) -> None:
    index.update([cameras])
    as_if_upgraded(index)
    with index.store.writing():
        reread_exif.reread_exif(index.store, Scope(is_over=lambda: True))
        assert index.store.cameras() == {}
        Image.new("RGB", (64, 64)).save(cameras / "1.jpg")
        reread_exif.reread_exif(index.store, Scope())
    assert index.store.cameras() == {"Nikon D0": 1, "Nikon D2": 1}


def test_files_of_a_disk_that_is_away_are_read_when_it_is_back(
    index: Index, cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([cameras])
    expected = index.store.cameras()
    as_if_upgraded(index)
    away = cameras.rename(cameras.parent / "away")
    monkeypatch.setattr(reread_exif, "_AT_ONCE", 2)
    index.update()
    assert index.store.cameras() == {}
    away.rename(cameras)
    (cameras / "1.jpg").rename(cameras.parent / "1.jpg")
    with index.store.writing():
        reread_exif.reread_exif(index.store, Scope())
        (cameras.parent / "1.jpg").rename(cameras / "1.jpg")
        assert index.store.cameras() == {"Nikon D0": 1, "Nikon D2": 1}
        monkeypatch.setattr(reread_exif, "_AT_ONCE", 1)
        reread_exif.reread_exif(index.store, Scope())
    assert index.store.cameras() == expected


def test_a_date_that_is_refused_now_becomes_that_of_the_name_or_the_file(index: Index, cameras: Path) -> None:
    for name, modified in (("IMG_20180203_120000.png", 1_500_000_000), ("a.png", 1_600_000_000)):
        Image.new("RGB", (64, len(name))).save(cameras / name)
        os.utime(cameras / name, (modified, modified))
    index.update([cameras])
    expected = index.store.timeline()
    assert {"2018-02", "2020-09"} < expected.keys()
    as_if_upgraded(index)
    index.update()
    assert index.store.timeline() == expected


def test_an_upgrade_asks_for_it(tmp_path: Path, tiny: CLIP) -> None:
    golden = Path(__file__).parents[1] / "golden" / "index"
    place = shutil.copytree(golden, tmp_path / "index", ignore=shutil.ignore_patterns("*.json"))
    with Index(place, tiny) as index, index.store.writing(), index.store._database.reading() as connection:
        (last,) = connection.execute("SELECT max(id) FROM pictures").fetchone()
        assert meta(connection, "unread_exif") == str(last)
