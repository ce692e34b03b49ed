import json
from pathlib import Path

from tests.cli.conftest import Run

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


def test_a_caption_says_how_it_was_found(run: Run) -> None:
    status, out, err = run("caption", ALBUM / "bicycle.png", "-m", "tiny")
    assert (status, err) == (0, "")
    path, method, probability, text = out.rstrip("\n").split("\t")
    assert (path, method) == (str(ALBUM / "bicycle.png"), "phrases")
    assert 0 <= float(probability) <= 1
    assert "a bicycle" in text


def test_a_folder_gets_the_nearest_captions_but_for_what_cannot_be_read(run: Run, album: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text("a house\na bird\na camera\n")
    status, out, err = run("caption", album, "--labels", captions, "-m", "tiny", "--json")
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    found = {Path(entry["path"]).name: entry for entry in map(json.loads, out.splitlines())}
    assert {name: entry["caption"] for name, entry in found.items()} == {
        "bird.png": "a bird",
        "house.PNG": "a house",
        "camera.webp": "a camera",
    }
    assert {entry["method"] for entry in found.values()} == {"nearest"}


def test_the_help_says_which_methods_there_are(run: Run) -> None:
    out = run("caption", "--help").out
    assert all(f'"{method}"' in out for method in ("generated", "phrases", "nearest"))
