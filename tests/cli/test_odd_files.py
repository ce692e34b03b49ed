"""No property of one file ends a command: the others are done, the odd one is named, and the status says so."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from tests.cli.conftest import Run

DATES = {"2300": 10_413_792_000, "1969": -3600, "1901": -(2**31), "0": 0, "far": 2**40}
UNREADABLE = ["empty.png", "loop.png", "cut.png"]  # others are not regular files, and only counted
GOOD = ["bird.png", f"{'x' * 250}.png", "exif.jpg", *(f"{date}.png" for date in DATES)]


@pytest.fixture
def odd(tmp_path: Path, bird: Path) -> Path:
    """A folder of two classes: images with odd dates, names and EXIF data, and what is no image for many reasons."""
    folder = tmp_path / "odd"
    for label in ("bird", "dog"):
        (folder / label).mkdir(parents=True)
    content = bird.read_bytes()
    for name in GOOD:
        (folder / "bird" / name).write_bytes(content)
    exif = Image.Exif()
    exif.update({306: "0000:00:00 00:00:00", 274: 99, 0x8825: {2: (0.0, 0.0, 0.0)}, 0x8769: {36867: "9999:99:99"}})
    Image.open(bird).save(folder / "bird" / "exif.jpg", exif=exif)
    (folder / "dog" / "empty.png").write_bytes(b"")
    (folder / "dog" / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "dog" / "folder.png").mkdir()
    Image.open(bird).transpose(Image.Transpose.ROTATE_180).save(folder / "dog" / "other.png")
    try:
        for date, seconds in DATES.items():
            os.utime(folder / "bird" / f"{date}.png", (seconds, seconds))
        os.mkfifo(folder / "dog" / "pipe.png")
        for name, target in {"nowhere": "nothing", "loop": "loop.png", "device": "/dev/zero"}.items():
            (folder / "dog" / f"{name}.png").symlink_to(target)
    except (OSError, AttributeError):
        pytest.skip("this system has no such files")
    return folder


COMMANDS = {
    "classify": ["{odd}", "bird", "dog", "-n1"],
    "tag": ["{odd}", "-n1", "--threshold", "0"],
    "caption": ["{odd}"],
    "ask": ["{odd}", "is there a bird?", "-n1"],
    "filter": ["{odd}", "--drop", "dog", "--threshold", "1", "--copy", "{out}", "--yes"],
    "duplicates": ["{odd}"],
    "embed": ["images", "{odd}"],
    "map": ["{odd}", "-o", "{out}.html", "--json"],
    "sheet": ["{odd}", "-o", "{out}.png"],
    "learn": ["{odd}", "-o", "{out}.npz"],
    "evaluate": ["{odd}"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_others_are_done_and_odd_ones_named(command: str, run: Run, odd: Path, tmp_path: Path) -> None:
    words = [word.format(odd=odd, out=tmp_path / "out") for word in COMMANDS[command]]
    status, out, err = run(command, *words, *([] if command == "sheet" else ["-m", "tiny"]))
    assert status == 3
    assert all(err.count(f"{os.sep}{name}: ") == 1 for name in UNREADABLE)
    assert f"numpyclip: {len(UNREADABLE)} problems, named above.\n" in err
    assert "3 not regular" in err
    if command not in ("sheet", "learn", "evaluate"):
        assert all(name in out for name in GOOD)
    if command == "filter":
        assert {path.name for path in (tmp_path / "out" / "bird").iterdir()} == set(GOOD)
        assert (tmp_path / "out" / "bird" / "2300.png").stat().st_mtime == DATES["2300"]


def test_a_socket_is_no_image(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.png")
        assert "it is a socket" in run("tag", "a.png", "-m", "tiny").err


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["map", "{album}", "-o", "{out}.html"], "numpyclip.viz.embedding_map.thumbnail_uri"),
        (["caption", "{album}"], "numpyclip.tasks.captions.Captioner.__call__"),
    ],
)
def test_an_image_that_goes_between_two_readings_is_named(
    words: list[str], again: str, run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise PictureError("a.png: cannot be read as an image (it has gone).")

    monkeypatch.setattr(again, gone)
    status, _, err = run(*(word.format(album=album, out=tmp_path / "out") for word in words), "-m", "tiny")
    assert status == 3
    assert err.count("it has gone") == 3


def test_files_that_go_before_they_are_copied_are_named(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir

    def last_moment(self: Path, *words: Any, **options: Any) -> None:
        (album / "bird.png").unlink(missing_ok=True)
        real(self, *words, **options)

    monkeypatch.setattr(Path, "mkdir", last_moment)
    status, out, err = run("filter", album, "--drop", "nothing", "--copy", tmp_path / "out", "--yes", "-m", "tiny")
    assert status == 3
    assert "bird.png: copy into" in err
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["camera.webp", "house.PNG"]
    assert "camera.webp" in out


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_lists_without_an_end_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.sources.lines._MOST_SKIPPED", 2**21)
    message = "numpyclip: /dev/zero: the line at byte 0 has more than 2 MiB; expected one text or path a line.\n"
    for words in (["embed", "texts", "--from", "/dev/zero"], ["tag", "a.png", "--labels", "/dev/zero"]):
        result = run(*words, "-m", "tiny")
        assert (result.status, result.err) == (2, message)
