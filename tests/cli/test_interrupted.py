"""Ctrl-C ends every command with one line and status 130, and what it leaves is whole or absent."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.viz.thumbnail import read_thumbnail
from tests.cli.conftest import Run

COMMANDS = {
    "classify": ["{album}", "bird", "dog", "-o", "{out}.csv", "--confusion", "{out}.png"],
    "tag": ["{album}"],
    "caption": ["{album}"],
    "ask": ["{album}", "is there a bird?"],
    "aesthetic": ["{album}", "--predictor", "{predictor}"],
    "filter": ["{album}", "--drop", "dog", "--copy", "{out}", "--yes"],
    "duplicates": ["{album}"],
    "embed": ["images", "{album}", "-o", "{out}.npz"],
    "map": ["{album}", "-o", "{out}.html"],
    "sheet": ["{album}", "-o", "{out}.png", "--rows", "1", "--columns", "1"],
    "learn": ["{album}", "-o", "{out}.npz"],
    "evaluate": ["{album}", "-o", "{out}.json"],
    "explain": ["{album}/bird.png", "a bird", "-o", "{out}.npy"],
    "index": ["{album}"],
}


def second_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """Interrupt a function when it is called again."""
    calls: list[None] = []

    def interrupted(*words: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return function(*words, **options)

    return interrupted


@pytest.mark.parametrize("command", COMMANDS)
def test_what_an_interrupted_command_leaves_is_whole(
    command: str, run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "broken.jpg").unlink()
    shutil.copytree(album / "sub", album / "another")  # two classes
    np.savez(tmp_path / "head.npz", weight=np.ones((1, 128), np.float32), bias=np.ones(1, np.float32))
    words = [
        word.format(album=album, out=tmp_path / "out", predictor=tmp_path / "head.npz") for word in COMMANDS[command]
    ]
    monkeypatch.setattr(CLIP, "embed_pixels", second_time(CLIP.embed_pixels))
    monkeypatch.setattr("numpyclip.viz.contact_sheet.read_thumbnail", second_time(read_thumbnail))
    before = set(tmp_path.iterdir())
    result = run(command, *words, *([] if command == "sheet" else ["-m", "tiny", "--batch-size", "1"]))
    assert result.status == 130
    assert result.err.splitlines()[-1] == "numpyclip: interrupted"
    assert "Traceback" not in result.err
    left = {path.name for path in set(tmp_path.iterdir()) - before} - {"prepared", "data"}
    assert left <= ({"out"} if command == "filter" else {"out.png"} if command == "sheet" else set())
