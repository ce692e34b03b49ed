"""The exit status of every command, as docs/guides/tasks.md has it: 0 done, 1 nothing or no, 2 an error, 3 partly."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest

from numpyclip.cli.commands import COMMANDS
from tests.cli.conftest import Run

WORDS = {  # of each command: with status 0, and what is not there, with status 2
    "index": (["{good}"], ["{good}/none"]),
    "search": (["a", "bird"], ["--near", "{good}/none"]),
    "serve": (None, ["--store", "{good}/none"]),  # 0 after Ctrl-C: tests/server/processes/test_uvicorn_server.py
    "mark": (["{good}", "--favourite"], ["{good}/none", "--favourite"]),
    "mcp": (None, ["--store", "{good}/none", "x"]),  # 0 when stdin ends: tests/dispatch/test_mcp_server.py
    "stdio": ([], ["--store", "{good}/none"]),
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
PARTLY = {
    **dict.fromkeys(("index", "mark", "classify", "tag", "caption", "ask", "filter"), "good/broken.jpg"),
    **dict.fromkeys(("duplicates", "embed", "sheet", "map", "aesthetic"), "good/broken.jpg"),
    **dict.fromkeys(("learn", "evaluate"), "classes/a/broken.jpg"),
}
PRINTING = {
    **{command: words for command, (words, _) in WORDS.items() if words},
    **{command: [*(WORDS[command][0] or ()), "--json"] for command in ("index", "map")},
    "engines": [],
    "mark": ["{good}"],
    "stdio": [],  # of which the test gives a line on stdin
}
NOTHING = {
    "search": ["--threshold", "1", "a", "dog"],
    "filter": ["{good}", "--keep", "a dog", "--threshold", "1"],
    "duplicates": ["{good}"],
    "index": ["--forget", "{more}"],
    "completion": ["words", "--", "search", "x"],
}
BROKEN = b"\xff\xd8\xff\xe0 not much of a picture"
WITHOUT_MODEL = {"sheet", "convert", "export", "models", "engines", "completion", "mark"}


@pytest.fixture
def status(album: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> "Status":
    return Status(album, tmp_path, run, monkeypatch)


class Writer(io.RawIOBase):
    """Fails once."""

    def __init__(self, error: BaseException) -> None:
        self._errors = [error]

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        if self._errors:
            raise self._errors.pop()
        return memoryview(data).nbytes  # type: ignore[arg-type]


class Status:
    """Runs commands with the places of a test."""

    def __init__(self, album: Path, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stdout: TextIO | None = None  # of the last command
        self._run = run
        self._monkeypatch = monkeypatch
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
        if command in ("index", "search", "mark"):
            options += ["--store", str(self._store)]
            if command != "index" or "--forget" in words:
                self._run("index", self._places["good"], "-m", "tiny", "--store", self._store)
        if self.stdout is not None:
            self._monkeypatch.setattr(sys, "stdout", self.stdout)
        line = b'{"command": "embed", "text": "a"}\n' * (command == "stdio")
        return self._run(command, *(word.format(**self._places) for word in words), *options, stdin=line).status


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
    (tmp_path / PARTLY[command]).write_bytes(BROKEN)
    named = ["{good}/broken.jpg"] if command == "mark" else []  # of folders it takes what the index has in them
    assert status(command, *named, *(good or ())) == 3


@pytest.mark.parametrize("command", PARTLY)
def test_nothing_can_be_read(command: str, status: Status, tmp_path: Path) -> None:
    good, _ = WORDS[command]
    for path in tmp_path.rglob("*.*"):
        if path.parent.name in ("good", "more", "a", "b"):
            path.write_bytes(BROKEN + path.name.encode())
    assert status(command, *(good or ())) == 2


@pytest.mark.parametrize("command", NOTHING)
def test_nothing_is_found(command: str, status: Status) -> None:
    assert status(command, *NOTHING[command]) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_arguments(command: str, run: Run) -> None:
    assert run(command, "--no-such-option").status == 2


@pytest.mark.parametrize("command", PRINTING)
def test_ctrl_c(command: str, status: Status) -> None:
    status.stdout = io.TextIOWrapper(io.BufferedWriter(Writer(KeyboardInterrupt())))
    assert status(command, *PRINTING[command]) == 130


@pytest.mark.parametrize("command", PRINTING)
def test_nobody_reads(command: str, status: Status) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as status.stdout:
        assert status(command, *PRINTING[command]) == 141
