"""The exit status of every command, as docs/tasks.md has it: 0 done, 1 nothing or no, 2 an error, 3 partly."""

from pathlib import Path

import numpy as np
import pytest

from numpyclip.cli.commands import COMMANDS
from tests.cli.conftest import Run

WORDS = {  # of each command: with status 0, and what is not there, with status 2
    "index": (["{good}"], ["{good}/none"]),
    "search": (["a", "bird"], ["--near", "{good}/none"]),
    "serve": (None, ["--store", "{good}/none"]),  # 0 after Ctrl-C: tests/server/test_uvicorn_server.py
    "classify": (["{good}", "a bird", "a dog"], ["{good}/none", "a bird", "a dog"]),
    "tag": (["{good}"], ["{good}/none"]),
    "caption": (["{good}"], ["{good}/none"]),
    "ask": (["{good}", "is there a bird?"], ["{good}/none", "is there a bird?"]),
    "filter": (["{good}", "--keep", "a bird"], ["{good}/none", "--keep", "a bird"]),
    "duplicates": (["{good}", "{more}"], ["{good}", "-m", "{good}/none"]),
    "embed": (["images", "{good}"], ["images", "{good}/none"]),
    "explain": (["{good}/bird.png", "a bird", "-o", "{out}.png"], ["{good}/none", "a bird", "-o", "{out}.png"]),
    "sheet": (["{good}", "-o", "{out}.png"], ["{good}", "-o", "{out}/none/sheet.png"]),
    "map": (["{good}", "{more}", "-o", "{out}.html"], ["{good}/none", "-o", "{out}.html"]),
    "learn": (["{classes}", "-o", "{out}.npz"], ["{good}/none", "-o", "{out}.npz"]),
    "aesthetic": (["{good}", "--predictor", "{predictor}"], ["{good}", "--predictor", "{good}/none"]),
    "evaluate": (["{classes}"], ["{good}/none"]),
    "convert": (["tiny", "{out}"], ["{good}/none", "{out}"]),
    "export": (None, ["{good}/none", "{out}"]),  # 0: tests/cli/test_export.py, with the extra onnx
    "models": (["list"], ["download", "none"]),
    "engines": (None, ["--batch-size", "0"]),  # 0: tests/cli/test_engines.py
    "completion": (["bash"], ["none"]),
}
PARTLY = ["index", "classify", "tag", "caption", "ask", "filter", "duplicates", "embed", "sheet", "map", "aesthetic"]
NOTHING = {
    "search": ["--threshold", "1", "a", "dog"],
    "filter": ["{good}", "--keep", "a dog", "--threshold", "1"],
    "duplicates": ["{good}"],
    "index": ["--forget", "{more}"],
    "completion": ["words", "--", "search", "x"],
}
WITHOUT_MODEL = {"sheet", "convert", "export", "models", "engines", "completion"}


@pytest.fixture
def status(album: Path, tmp_path: Path, run: Run) -> "Status":
    return Status(album, tmp_path, run)


class Status:
    """Runs commands with the places of a test."""

    def __init__(self, album: Path, folder: Path, run: Run) -> None:
        self._run = run
        for name in ("good", "more", "classes/a", "classes/b"):
            (folder / name).mkdir(parents=True)
        for name, source in (
            ("good/bird.png", "bird.png"),
            ("more/again.png", "bird.png"),
            ("more/camera.webp", "sub/camera.webp"),
            ("more/house.png", "house.PNG"),
            ("classes/a/bird.png", "bird.png"),
            ("classes/b/house.png", "house.PNG"),
        ):
            (folder / name).write_bytes((album / source).read_bytes())
        np.savez(folder / "head.npz", weight=np.ones((1, 128), np.float32), bias=np.ones(1, np.float32))
        self._places = {
            **{name: folder / name for name in ("good", "more", "classes", "out")},
            "predictor": folder / "head.npz",
        }
        self._store = folder / "store"

    def __call__(self, command: str, *words: str) -> int:
        options = ["-m", "tiny"] * (command not in WITHOUT_MODEL and "-m" not in words)
        if command in ("index", "search"):
            options += ["--store", str(self._store)]
            if command == "search" or "--forget" in words:
                self._run("index", self._places["good"], *options)
        return self._run(command, *(word.format(**self._places) for word in words), *options).status


def test_every_command_is_here() -> None:
    assert WORDS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", [command for command, (good, _) in WORDS.items() if good is not None])
def test_done(command: str, status: Status) -> None:
    good, _ = WORDS[command]
    assert status(command, *(good or ())) == 0


@pytest.mark.parametrize("command", WORDS)
def test_an_error(command: str, status: Status) -> None:
    assert status(command, *WORDS[command][1]) == 2


@pytest.mark.parametrize("command", PARTLY)
def test_done_except_for_what_cannot_be_read(command: str, status: Status, tmp_path: Path) -> None:
    good, _ = WORDS[command]
    (tmp_path / "good" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    assert status(command, *(good or ())) == 3


@pytest.mark.parametrize("command", NOTHING)
def test_nothing_is_found(command: str, status: Status) -> None:
    assert status(command, *NOTHING[command]) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_arguments(command: str, run: Run) -> None:
    assert run(command, "--no-such-option").status == 2
