"""A folder of pictures, good and bad, and a way to run the command."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from numpyclip.cli import main
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.preprocess import Preprocess
from numpyclip.loader import load


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> Run:
    """Run `numpyclip` with these arguments, in this process; the embedded model is loaded once for all tests."""

    def load_once(name: str, **options: Any) -> tuple[CLIP, Preprocess]:
        return load(name, **options) if name != "tiny" or any(options.values()) else (tiny, tiny.preprocess)

    monkeypatch.setattr("numpyclip.loader.load", load_once)

    def run(*words: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture
def album(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """Two good pictures, a broken one, a hidden one, a text file, and a good one further down."""
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    emoji["bird"].save(folder / "bird.png")
    emoji["house"].save(folder / "house.PNG")
    emoji["camera"].save(folder / "sub" / "camera.webp", lossless=True)
    emoji["camera"].save(folder / ".hidden.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def store(run: Run, album: Path, tmp_path: Path) -> Path:
    """An index of the album."""
    place = tmp_path / "album.index"
    assert run("index", album, "--store", place, "-m", "tiny").status == 3  # for broken.jpg
    return place


@pytest.fixture
def wide(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """A bird at the left of a wide picture, whose middle is empty, and a house at its right."""
    canvas = Image.new("RGB", (192, 64), "white")
    canvas.paste(emoji["bird"], (0, 0))
    canvas.paste(emoji["house"], (128, 0))
    path = tmp_path / "wide" / "wide.png"
    path.parent.mkdir()
    canvas.save(path)
    return path
