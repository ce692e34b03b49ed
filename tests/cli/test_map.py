import json
import re
from pathlib import Path

from tests.cli.conftest import Run


def test_map_is_one_page_with_every_picture(run: Run, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "map.html"
    status, out, err = run("map", album, "-o", output, "-m", "tiny")
    assert (status, out) == (3, "")
    assert err.splitlines()[1:] == ["numpyclip: 1 file left out: 1 .txt"]
    data = re.search(r'id="pictures">(.*?)</script>', output.read_text("ascii"), re.DOTALL)
    assert data is not None
    pictures = json.loads(data[1])
    assert [Path(name).name for _, _, name, _ in pictures] == ["bird.png", "house.PNG", "camera.webp"]
    assert all(uri.startswith("data:image/webp;base64,") for *_, uri in pictures)
    again = output.read_bytes()
    run("map", album, "-o", output, "-m", "tiny")
    assert output.read_bytes() == again


def test_map_says_what_it_leaves_out(run: Run, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "map.html"
    result = run("map", album, "-o", output, "-m", "tiny", "--limit", "2")
    assert "the first 2 images only" in result.err
    assert output.read_text("ascii").count("data:image/webp") == 2


def test_json_has_the_coordinates_of_every_picture(run: Run, album: Path, tmp_path: Path) -> None:
    found = json.loads(run("map", album, "-o", tmp_path / "a.html", "-m", "tiny", "--json").out)
    assert found["path"] == str(tmp_path / "a.html")
    assert {Path(entry["path"]).name for entry in found["pictures"]} == {"bird.png", "house.PNG", "camera.webp"}
    assert all(len(entry["coordinates"]) == 2 for entry in found["pictures"])


def test_nothing_is_written_without_pictures(run: Run, tmp_path: Path) -> None:
    assert "nothing to map" in run("map", "-o", tmp_path / "x.html").err
    status, out, err = run("map", tmp_path / "none.png", "-o", tmp_path / "x.html", "-m", "tiny")
    assert (status, out) == (2, "")
    assert "not written" in err
