import json
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Run


def test_groups_are_printed_best_first(run: Run, album: Path) -> None:
    copy, larger = album / "copy.png", album / "sub" / "larger.png"
    copy.write_bytes((album / "bird.png").read_bytes())
    image = Image.open(album / "sub" / "camera.webp")
    image.resize((150, 150), Image.Resampling.BICUBIC).save(larger)
    status, out, err = run("duplicates", album, "-m", "tiny")
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(number, kind) for number, kind, _ in rows] == [("1", "best"), ("1", "file"), ("2", "best"), ("2", "near")]
    assert {Path(path).name for _, _, path in rows[:2]} == {"bird.png", "copy.png"}
    assert [Path(path).name for _, _, path in rows[2:]] == ["larger.png", "camera.webp"]

    _, out, _ = run("duplicates", album, "--exact", "--json")
    (group,) = map(json.loads, out.splitlines())
    assert [copy["kind"] for copy in group["copies"]] == ["best", "file"]


def test_wrong_arguments_are_named(run: Run, tmp_path: Path) -> None:
    assert "nothing to compare: name an image" in run("duplicates").err
    empty = run("duplicates", tmp_path, "--exact")
    assert (empty.status, empty.out) == (2, "")
    assert "found no images" in empty.err
