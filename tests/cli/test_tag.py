import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


def test_tags_are_printed_best_first(run: Run) -> None:
    status, out, err = run("tag", ALBUM / "bicycle.png", "-m", "tiny", "-n", "3")
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0][0] == str(ALBUM / "bicycle.png")
    assert rows[0][2] == "bicycle"
    assert 1 <= len(rows) <= 3
    assert float(rows[0][1]) == max(float(row[1]) for row in rows)


def test_a_folder_is_tagged_as_json_from_ones_own_words_but_for_what_cannot_be_read(
    run: Run, album: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("bird\nqwxz vbn\n")
    status, out, err = run("tag", album, "--labels", words, "-m", "tiny", "--json", "--threshold", "0.5")
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    found = {Path(entry["path"]).name: entry["tags"] for entry in map(json.loads, out.splitlines())}
    assert set(found) == {"bird.png", "house.PNG", "camera.webp"}  # also those without a tag
    assert all({"tag", "probability"} == set(tag) for tags in found.values() for tag in tags)
    assert "qwxz vbn" not in [tag["tag"] for tags in found.values() for tag in tags]


@pytest.mark.parametrize("words", [["tag", "--labels"], ["caption", "--labels"]])
def test_words_are_beside_the_pictures_and_not_none(words: list[str], run: Run, tmp_path: Path) -> None:
    result = run(words[0], "-", words[1], "-", "-m", "tiny", stdin=b"dog\n")
    assert (result.status, result.out) == (2, "")
    assert "cannot both come from standard input" in result.err
    (tmp_path / "words.txt").write_text("\n \n")
    result = run(words[0], "a.png", words[1], tmp_path / "words.txt", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "words.txt: holds no " in result.err


def test_tags_are_written_into_sidecars_and_removed_again(run: Run, tmp_path: Path) -> None:
    picture, sidecar = tmp_path / "bicycle.png", tmp_path / "bicycle.png.xmp"
    picture.write_bytes((ALBUM / "bicycle.png").read_bytes())
    words = ("tag", picture, "-m", "tiny", "-n", "1", "--write-xmp")
    result = run(*words)
    assert (result.status, result.out) == (0, f"{picture}\t{sidecar}\t+automatic bicycle\n")
    assert "a dry run, 1 sidecar would be written" in result.err
    assert not sidecar.exists()
    assert run(*words, "--yes").status == 0
    assert b"<rdf:li>numpyclip/bicycle</rdf:li>" in sidecar.read_bytes()
    assert run(*words, "--yes").err == "numpyclip: 0 sidecars written.\n"
    assert run("tag", tmp_path, "--remove-xmp").out == f"{picture}\t{sidecar}\t-automatic bicycle\n"
    assert sidecar.exists()
    assert run("tag", tmp_path, "--remove-xmp", "--yes").status == 0
    assert not sidecar.exists()
    assert picture.read_bytes() == (ALBUM / "bicycle.png").read_bytes()


def test_no_sidecars_of_images_that_are_not_there(run: Run, tmp_path: Path) -> None:
    result = run("tag", tmp_path / "none.jpg", "--remove-xmp")
    assert result.status == 2
    assert "none.jpg: cannot be read (" in result.err
    Image.new("RGB", (9, 9)).save(tmp_path / "there.png")
    assert run("tag", tmp_path / "none.jpg", tmp_path / "there.png", "--remove-xmp").status == 3


@pytest.mark.parametrize("words", [["--yes"], ["--write-xmp", "--remove-xmp"]])
def test_options_of_sidecars_need_each_other(words: list[str], run: Run) -> None:
    assert run("tag", "a.png", *words, "-m", "tiny").status == 2
