import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

DROP_HOUSES = ("filter", "--drop", "a house", "-m", "tiny", "--threshold", "0.3")


def names(out: str) -> set[str]:
    return {Path(line.split("\t")[0]).name for line in out.splitlines()}


def test_what_is_kept_is_printed_and_what_cannot_be_read_reported(run: Run, album: Path) -> None:
    status, out, err = run("filter", album, "--keep", "a bird", "-m", "tiny", "--threshold", "0.1")
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    assert "bird.png" in names(out)
    assert "house.PNG" not in names(out)


def test_json_tells_of_dropped_ones_too(run: Run, album: Path) -> None:
    _, out, _ = run("filter", album, "--drop", "a house", "-m", "tiny", "--json", "--threshold", "0.3")
    found = {Path(entry["path"]).name: entry for entry in map(json.loads, out.splitlines())}
    assert {name: entry["kept"] for name, entry in found.items()} == {
        "bird.png": True,
        "house.PNG": False,
        "camera.webp": True,
    }
    assert all(entry["query"] == "a house" and 0 <= entry["probability"] <= 1 for entry in found.values())


def test_moving_is_a_dry_run_without_yes(run: Run, album: Path) -> None:
    folder = album / "kept"
    words = (*DROP_HOUSES, album, "--move", folder)
    _, out, err = run(*words)
    assert f"{album}/sub/camera.webp\t{folder}/sub/camera.webp" in out
    assert "a dry run, nothing was done; add --yes to move." in err
    assert not folder.exists()
    _, again, err = run(*words, "--yes")
    assert again == out
    assert "dry run" not in err
    assert sorted(path.name for path in folder.rglob("*.*")) == ["bird.png", "camera.webp"]
    assert not (album / "bird.png").exists()
    assert (album / "house.PNG").exists()


def test_what_was_copied_into_the_folder_is_not_copied_again(run: Run, album: Path) -> None:
    words = (*DROP_HOUSES, album, "--copy", album / "kept", "--yes")
    first, second = run(*words), run(*words)
    assert names(first.out) == names(second.out) == {"bird.png", "camera.webp"}
    assert "kept" in first.out
    assert "kept" not in second.out  # they are there already
    assert sorted(path.name for path in (album / "kept").rglob("*.*")) == ["bird.png", "camera.webp"]


def test_a_picture_that_cannot_be_moved_is_reported_and_stays(run: Run, album: Path) -> None:
    (album / "kept").mkdir()
    (album / "kept" / "sub").write_bytes(b"a file where a folder is needed")
    status, _, err = run(*DROP_HOUSES, album, "--move", album / "kept", "--yes")
    assert status == 3
    assert "camera.webp: move into" in err
    assert (album / "sub" / "camera.webp").exists()
    assert (album / "kept" / "bird.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to filter"),
        (["a.png"], "no query: give one with --keep or --drop"),
        (["a.png", "--keep", "a + b"], "--cosine-threshold"),
        (["a.png", "--keep", "a", "--threshold", "2"], "threshold is 2.0"),
        (["a.png", "--keep", "a", "--threshold", "0.2", "--cosine-threshold", "0.2"], "not allowed with"),
        (["a.png", "--keep", "a", "--move", "x", "--copy", "y"], "not allowed with"),
        (["a.png", "--keep", "a", "--yes"], "--yes has nothing to do"),
        (["a.png", "--keep", "a", "--move", __file__], "expected a folder"),
    ],
)
def test_wrong_arguments_are_named(run: Run, words: list[str], message: str) -> None:
    result = run("filter", *words, "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert message in result.err
