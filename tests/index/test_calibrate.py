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
    """Pictures by their own names; five for which these are better than the default."""
    found = {path.stem.replace("-", " "): [str(path)] for path in sorted(photos.rglob("*.png"))}
    del found["blowfish"]
    return found


def test_searches_use_it_afterwards_and_no_longer_when_it_is_removed(filled: Index, photos: Path, tiny: CLIP) -> None:
    before = filled.search("a bird")
    report = calibrate(filled, named(photos))
    assert (report.queries, report.right, report.pictures, report.shown) == (5, 5, 6, 5)
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
        ({"a": ["more"], "b": ["more"], "c": "more"}, "'c': its images are 'more'; expected a list"),
        ({"a": ["more"], "b": ["more"], "c": []}, "'c': has no right images"),
        ({"a": ["more"], "b": ["more"], "c": [""]}, "'c': '' is no path"),
        ({"a": ["more"], "b": ["more"], "c": ["a\0b"]}, "'c': 'a\\\\x00b' is no path"),
        ({"a": ["more"], "b": ["more"], "c": ["gone.png"]}, "'c': .*gone.png is not in the index; expected an image"),
        ({"a": ["more"], "b": ["more"], "c": ["nowhere/gone.png"]}, "'c': .*gone.png is not in the index"),
        ({"a": ["more"], "b": ["more"], "c": [Where(after="2999")]}, "'c': the index has no image with after 2999"),
        ({"a": ["more"], "b": ["more"], "c": ["."]}, "'c': all images of the index are right"),
    ],
)
def test_what_cannot_be_calibrated_on(
    filled: Index, photos: Path, monkeypatch: pytest.MonkeyPatch, queries: dict[str, list[str]], message: str
) -> None:
    monkeypatch.chdir(photos)
    with pytest.raises(InputError, match=message):
        calibrate(filled, queries)
    assert not is_calibrated(filled.store)


def test_what_is_worse_than_the_default_takes_nothing_s_place(filled: Index, photos: Path, tiny: CLIP) -> None:
    right = named(photos)
    assert calibrate(filled, right).is_better
    before = stored_calibration(filled.store, tiny)
    (blowfish,) = photos.rglob("blowfish.png")
    report = calibrate(filled, {**right, "blowfish": [blowfish]})
    assert report.after.misjudged > report.before.misjudged or report.after.error > report.before.error
    assert not report.is_better
    assert stored_calibration(filled.store, tiny) == before


def test_what_is_named_twice_counts_once_and_there_may_be_a_thousand_queries(filled: Index, photos: Path) -> None:
    right = named(photos)
    twice = {text: paths * 2 for text, paths in right.items()}
    assert calibrate(filled, twice, store=False) == calibrate(filled, right, store=False)
    many = {f"a bird {number}": right["bird"] for number in range(1001)}
    with pytest.raises(InputError, match=r"queries: 1,001; expected at most 1,000"):
        calibrate(filled, many)


def test_of_several_embeddings_of_a_right_picture_the_best_counts(filled: Index, photos: Path, tiny: CLIP) -> None:
    right, before = named(photos), calibrate(filled, named(photos), store=False)
    with filled.store.writing():
        number = filled.store.number_at(right["bird"][0])
        assert number is not None
        filled.store.write_embeddings("pictures", [(number, "pad")], tiny.embed_texts("a pad"), migrating=False)
    assert calibrate(filled, right, store=False) == before


def test_what_was_fitted_is_what_is_stored(filled: Index, photos: Path, tiny: CLIP) -> None:
    calibrate(filled, named(photos))
    once = stored_calibration(filled.store, tiny)
    calibrate(filled, named(photos))  # which starts from the default again
    assert astuple(stored_calibration(filled.store, tiny)) == pytest.approx(astuple(once))
