"""The commands that draw: explain, sheet, map, classify --plot."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run


def test_explain_prints_the_hottest_place_and_draws_every_text(run: Run, bird: Path, tmp_path: Path) -> None:
    output = tmp_path / "heat.png"
    status, out, err = run("explain", bird, "a bird", "a dog", "-m", "tiny", "-o", output)
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[2] for row in rows] == ["a bird", "a dog"]
    assert all(0 <= int(place) < 64 for row in rows for place in row[:2])
    with Image.open(output) as page:
        assert page.size == (12 + 3 * 268, 12 + 268 + 18)


def test_explain_writes_the_maps_as_numbers_too(run: Run, bird: Path, tmp_path: Path) -> None:
    output = tmp_path / "heat.npy"
    status, out, _ = run("explain", bird, "a bird", "-m", "tiny", "-o", output, "--json", "--grid", "4")
    heat = np.load(output)
    assert (status, heat.shape, heat.dtype) == (0, (1, 64, 64), np.float32)
    y, x = np.unravel_index(heat[0].argmax(), heat[0].shape)
    assert json.loads(out) == {"path": str(bird), "text": "a bird", "hottest": [x, y]}


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["explain", "{bird}"], 2, "one or more texts"),
        (["explain", "{bird}", "a", "--grid", "3"], 2, "grid is 3"),
        (["explain", "{bird}", "a", "-o", "x.jpg"], 2, "does not end in"),
        (["explain", "none.png", "a"], 1, "none.png"),
        (["sheet", "-o", "x.png"], 2, "nothing to draw"),
        (["sheet", "{bird}"], 2, "required: -o"),
        (["map", "-o", "x.html"], 2, "nothing to map"),
        (["map", "none.png", "-o", "{bird}.html"], 1, "not written"),
    ],
)
def test_wrong_words_are_named(run: Run, bird: Path, words: list[str], status: int, message: str) -> None:
    words = [word.format(bird=bird) for word in words]
    result = run(*words, *([] if words[0] == "sheet" else ["-m", "tiny"]))
    assert (result.status, result.out) == (status, "")
    assert message in result.err


def test_classify_plots_one_picture(run: Run, bird: Path, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "chart.png"
    assert run("classify", bird, "a bird", "a dog", "-m", "tiny", "--plot", output).status == 0
    with Image.open(output) as chart:
        assert chart.size == (624, 288)
    output.unlink()
    result = run("classify", album, "a bird", "a dog", "-m", "tiny", "--plot", output)
    assert (result.status, result.out) == (2, "")
    assert "numpyclip sheet" in result.err
    assert not output.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["sheet", "{bird}", "-o", "{bird}"],
        ["sheet", "{bird.parent}", "-o", "{bird}"],
        ["sheet", "-", "-o", "{bird}"],
        ["sheet", "{bird.parent}", "-o", "{bird.parent}/page.png", "--rows", "1", "--columns", "1"],
        ["explain", "{bird}", "a bird", "-o", "{bird}", "-m", "tiny"],
        ["classify", "{bird}", "a bird", "a dog", "--plot", "{bird}", "-m", "tiny"],
        ["classify", "{bird.parent}", "--labels", "{labels}", "-o", "{labels}", "-m", "tiny"],
        ["classify", "{bird.parent}", "--labels", "{labels}", "--confusion", "{bird}", "-m", "tiny"],
    ],
)
def test_what_is_read_is_not_overwritten(words: list[str], run: Run, bird: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    copies = [folder / "bird.png", folder / "page-2.png"]
    for copy in copies:
        copy.write_bytes(bird.read_bytes())
    labels = tmp_path / "labels.csv"
    labels.write_text("bird\ndog\n")
    words = [word.format(bird=copies[0], labels=labels) for word in words]
    result = run(*words, stdin=str(copies[0]).encode())
    assert result.status == 2
    assert "choose another" in result.err
    assert all(copy.read_bytes() == bird.read_bytes() for copy in copies)
    assert labels.read_text() == "bird\ndog\n"


@pytest.mark.parametrize(
    "words",
    [
        ["map", "none.png", "-o", "{none}.html", "-m", "none.pt"],
        ["learn", "{folder}", "-o", "{none}.npz", "-m", "none.pt"],
        ["explain", "none.png", "a", "-o", "{none}.png", "-m", "none.pt"],
        ["classify", "none.png", "a", "-o", "{none}.csv", "-m", "none.pt"],
        ["sheet", "none.png", "-o", "{none}.png"],
    ],
)
def test_a_folder_that_is_not_there_is_named_before_anything_is_read(
    words: list[str], run: Run, tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    result = run(*(word.format(none=tmp_path / "none" / "x", folder=tmp_path) for word in words))
    assert (result.status, result.out) == (1, "")
    assert f"{tmp_path / 'none' / 'x'}" in result.err
    assert "cannot be written (No such file or directory)" in result.err


def test_sheet_draws_a_folder_and_reports_what_cannot_be_read(run: Run, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    status, out, err = run("sheet", album, "-o", output, "--columns", "4")
    assert (status, out) == (3, f"{output}\n")
    assert err.startswith(f"numpyclip: {album / 'broken.jpg'}: cannot be read as a picture")
    with Image.open(output) as page:
        assert page.size == (12 + 4 * 172, 12 + 172 + 18)


def test_sheet_takes_the_lines_of_classify_and_writes_several_pages(run: Run, bird: Path, tmp_path: Path) -> None:
    lines = f"{bird}\t0.9\ta bird\n{bird}\n{bird}\t0.8\ta dog\n".encode()
    output = tmp_path / "sheet.png"
    status, out, err = run("sheet", "-", "-o", output, "--columns", "1", "--rows", "2", stdin=lines)
    assert (status, err) == (0, "")
    assert out.splitlines() == [str(output), str(tmp_path / "sheet-2.png")]
    for path, height in zip(out.splitlines(), (12 + 2 * (172 + 36), 12 + 172 + 36), strict=True):
        with Image.open(path) as page:
            assert page.height == height


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
    assert "the first 2 pictures only" in result.err
    assert output.read_text("ascii").count("data:image/webp") == 2


def test_pages_are_told_as_json(run: Run, album: Path, tmp_path: Path) -> None:
    page = json.loads(run("sheet", album, "-o", tmp_path / "a.png", "--json").out)
    assert page == {"path": str(tmp_path / "a.png")}
    found = json.loads(run("map", album, "-o", tmp_path / "a.html", "-m", "tiny", "--json").out)
    assert found["path"] == str(tmp_path / "a.html")
    assert {Path(entry["path"]).name for entry in found["pictures"]} == {"bird.png", "house.PNG", "camera.webp"}
    assert all(len(entry["coordinates"]) == 2 for entry in found["pictures"])
