"""Calibrating an index on queries whose right pictures are known."""

import shutil
from dataclasses import astuple
from pathlib import Path

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.index import Index, Where, calibrate
from numpyclip.index.stored_calibration import is_calibrated, remove_calibration, stored_calibration
from numpyclip.tasks.background import Background, Calibration


@pytest.fixture
def filled(index: Index, photos: Path) -> Index:
    index.update([photos])
    return index


def named(photos: Path) -> dict[str, list[str]]:
    """Each picture by its own name."""
    return {path.stem.replace("-", " "): [str(path)] for path in sorted(photos.rglob("*.png"))}


def test_searches_use_it_afterwards_and_no_longer_when_it_is_removed(filled: Index, photos: Path, tiny: CLIP) -> None:
    before = filled.search("a bird")
    report = calibrate(filled, named(photos))
    assert (report.queries, report.right, report.pictures, report.shown) == (6, 6, 6, 6)
    found = stored_calibration(filled.store, tiny)
    assert found != Calibration()
    after = filled.search("a bird")
    assert after[0].probability != before[0].probability
    assert after[0].probability == Background(tiny).calibrated(found).probabilities(
        after[0].embedding[None], tiny.embed_texts("a bird")
    )
    assert after.cutoff == Background(tiny).calibrated(found).cutoff(6)
    assert is_calibrated(filled.store)
    assert remove_calibration(filled.store)
    assert not remove_calibration(filled.store)
    again = filled.search("a bird")
    assert (again[0].probability, again.cutoff) == (before[0].probability, before.cutoff)


def test_right_pictures_are_files_folders_copies_and_conditions(
    filled: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = sorted(path for path in photos.iterdir() if path.is_file())
    shutil.copy(first, photos / "copy.png")
    filled.update()
    monkeypatch.chdir(photos)
    places: dict[str, list[str | Path | Where]] = {
        "one": ["more", first.name],
        "two": [Where(folder="more")],
        "three": [photos / "copy.png", others[0]],
    }
    report = calibrate(filled, places, store=False)
    assert (report.right, report.pictures) == (5, 6)
    assert not is_calibrated(filled.store)


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ({"a": ["more"], "b": ["more"]}, "queries: 2; expected 3 at least"),
        ({"a": ["more"], "b": ["more"], "c + d": ["more"]}, "'c \\+ d' is a sum"),
        ({"a": ["more"], "b": ["more"], "c": "more"}, "'c': its pictures are 'more'; expected a list"),
        ({"a": ["more"], "b": ["more"], "c": []}, "'c': has no right pictures"),
        ({"a": ["more"], "b": ["more"], "c": [""]}, "'c': '' is no path"),
        ({"a": ["more"], "b": ["more"], "c": ["a\0b"]}, "'c': 'a\\\\x00b' is no path"),
        ({"a": ["more"], "b": ["more"], "c": ["gone.png"]}, "'c': .*gone.png is not in the index; expected a picture"),
        ({"a": ["more"], "b": ["more"], "c": ["nowhere/gone.png"]}, "'c': .*gone.png is not in the index"),
        ({"a": ["more"], "b": ["more"], "c": [Where(after="2999")]}, "'c': the index has no picture with after 2999"),
        ({"a": ["more"], "b": ["more"], "c": ["."]}, "'c': all pictures of the index are right"),
    ],
)
def test_what_cannot_be_calibrated_on(
    filled: Index, photos: Path, monkeypatch: pytest.MonkeyPatch, queries: dict[str, list[str]], message: str
) -> None:
    monkeypatch.chdir(photos)
    with pytest.raises(InputError, match=message):
        calibrate(filled, queries)
    assert not is_calibrated(filled.store)


def test_what_was_fitted_is_what_is_stored(filled: Index, photos: Path, tiny: CLIP) -> None:
    calibrate(filled, named(photos))
    once = stored_calibration(filled.store, tiny)
    calibrate(filled, named(photos))  # which starts from the default again
    assert astuple(stored_calibration(filled.store, tiny)) == pytest.approx(astuple(once))
