import json
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Run


def test_sheet_draws_a_folder_and_reports_what_cannot_be_read(run: Run, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    status, out, err = run("sheet", album, "-o", output, "--columns", "4")
    assert (status, out) == (3, f"{output}\n")
    assert err.startswith(f"numpyclip: {album / 'broken.jpg'}: cannot be read as an image")
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


def test_json_has_the_path_of_the_page(run: Run, album: Path, tmp_path: Path) -> None:
    page = json.loads(run("sheet", album, "-o", tmp_path / "a.png", "--json").out)
    assert page == {"path": str(tmp_path / "a.png")}


def test_wrong_arguments_are_named(run: Run, bird: Path) -> None:
    assert "nothing to draw" in run("sheet", "-o", "x.png").err
    assert "required: -o" in run("sheet", bird).err
