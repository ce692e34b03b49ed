import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

PLACES = {"zurich.jpg": ((47, 22, 0), (8, 33, 0)), "texas.jpg": ((33, 39, 0), (-95, 33, 0))}


@pytest.fixture
def indexed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images, two of them taken somewhere, in an index that is the default one."""
    folder = tmp_path / "album"
    folder.mkdir()
    for number, (name, (latitude, longitude)) in enumerate(PLACES.items()):
        exif = Image.Exif()
        exif[0x0132] = f"202{number}:05:01 12:00:00"
        west = longitude[0] < 0
        exif[0x8825] = {1: "N", 2: latitude, 3: "W" if west else "E", 4: tuple(map(abs, longitude))}
        Image.new("RGB", (32, 32), (number * 90, 60, 0)).save(folder / name, exif=exif)
    Image.new("RGB", (32, 32), "blue").save(folder / "nowhere.png")
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(tmp_path / "index"))
    assert run("index", folder, "-m", "tiny").status == 0
    return folder


def names(out: str) -> list[str]:
    return [Path(line.split("\t")[-1]).name for line in out.splitlines()]


def test_images_are_found_by_what_a_person_says_of_them(run: Run, indexed: Path) -> None:
    run("mark", indexed / "texas.jpg", "--rating", "3", "--tag", "a/b", "--album", "X")
    run("mark", indexed / "zurich.jpg", "--rating", "5", "--favourite")
    for words, found in (
        (("--rating", "4"), ["zurich.jpg"]),
        (("--rating", "3"), ["texas.jpg", "zurich.jpg"]),
        (("--favourite",), ["zurich.jpg"]),
        (("--tag", "a/b", "--album", "X"), ["texas.jpg"]),
        (("--tag", "a/b", "--favourite"), []),
    ):
        result = run("search", *words)
        assert (names(result.out), result.status) == (found[::1], 0 if found else 1)
        assert sorted(names(run("search", "a photo", "--all", *words).out)) == sorted(found)


def test_without_words_the_newest_come_first_with_their_dates(run: Run, indexed: Path) -> None:
    result = run("search", "--folder", indexed, "--before", "2022")
    assert result.out.splitlines() == [
        f"2021-05-01T12:00:00\t{indexed / 'texas.jpg'}",
        f"2020-05-01T12:00:00\t{indexed / 'zurich.jpg'}",
    ]
    assert names(run("search", "--folder", indexed, "-n", "1", "--paths").out) == ["nowhere.png"]
    assert json.loads(run("search", "--before", "2021", "--json").out)["path"] == str(indexed / "zurich.jpg")
    nothing = run("search", "--before", "1990")
    assert (nothing.status, nothing.out) == (1, "")
    assert nothing.err.endswith("index: no image meets the conditions.\n")
    assert run("search", "--before", "2021", "--sheet", "a.png").status == 2
    assert names(run("search").out) == ["nowhere.png", "texas.jpg", "zurich.jpg"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--around=47.3,8.5,20"], ["zurich.jpg"]),
        (["--around=-47.3,8.5,20"], []),
        (["--within", "30,-100,40,-90"], ["texas.jpg"]),
        (["--place", "Zürich"], ["zurich.jpg"]),
        (["--place", "paris, us"], ["texas.jpg"]),
        (["--place", "Lauterbrunnen"], []),
    ],
)
def test_images_are_found_by_where_they_were_taken(
    words: list[str], found: list[str], run: Run, indexed: Path, gazetteer: None
) -> None:
    result = run("search", *words)
    assert names(result.out) == found
    assert result.err == "" if found else result.err.endswith("no image meets the conditions.\n")


def test_of_towns_of_one_name_that_with_images_is_searched_and_the_others_are_told(
    run: Run, indexed: Path, gazetteer: None
) -> None:
    result = run("search", "--place", "Paris")
    assert names(result.out) == ["texas.jpg"]
    said = "Paris: 2 towns have this name; searching Paris, TX, United States (1 image), not Paris, France (0)."
    assert said in result.err
    said = "searching Springfield, MO, United States (0 images), 7.1 km around its center, not"
    assert said in run("search", "--place", "Springfield").err
    none = run("search", "--place", "Lauterbrunnen")
    assert "Lauterbrunnen: searching Lauterbrunnen, BE, Switzerland, 3.5 km around its center.\n" in none.err


def test_a_country_is_searched_before_towns_of_that_name_and_said_so(run: Run, indexed: Path, gazetteer: None) -> None:
    result = run("search", "--place", "switzerland")
    assert names(result.out) == ["zurich.jpg"]
    assert "switzerland: searching the rectangle around its towns, --within=47" in result.err
    assert names(run("search", "--place", "France").out) == []
    assert names(run("search", "--place", "CH").out) == names(run("search", "--place", "CHE").out) == ["zurich.jpg"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--around", "1,2"], "expected latitude"),
        (["--around", "91,0,1"], "91"),
        (["--rating", "6"], "6"),
        (["--place", "Atlantis"], "no town of 1,000 inhabitants"),
        (["--place", "France", "--within", "1,2,3,4"], "cannot be combined with --within"),
        (["--place", "Paris", "--around", "1,2,3"], "not allowed with"),
        (["--tag", ""], "expected a name"),
    ],
)
def test_conditions_that_nothing_can_meet_are_errors(
    words: list[str], said: str, run: Run, indexed: Path, gazetteer: None
) -> None:
    result = run("search", *words)
    assert (result.status, result.out) == (2, "")
    assert said in result.err
