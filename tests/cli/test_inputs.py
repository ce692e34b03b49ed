"""What all commands that embed pictures have in common: what they find, and what an index has already."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from tests.cli.conftest import Run


@pytest.fixture
def photos(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """Two classes of three pictures."""
    for number, (name, picture) in enumerate(sorted(emoji.items())[:6]):
        folder = tmp_path / "photos" / ("ab"[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures are embedded, batch by batch."""
    counts: list[int] = []
    embed = CLIP.embed_pixels

    def counted(model: CLIP, pixels: list[object]) -> object:
        counts.append(len(pixels))
        return embed(model, pixels)  # type: ignore[arg-type]

    monkeypatch.setattr(CLIP, "embed_pixels", counted)
    return counts


def commands(folder: Path, place: Path) -> dict[str, list[object]]:
    """Commands that embed the pictures of folders; `caption`, `ask` and `aesthetic` do it as `tag` does."""
    return {
        "tag": ["tag", folder],
        "classify": ["classify", folder, "a dog", "a house"],
        "filter": ["filter", folder, "--keep", "a dog", "--threshold", "0.01"],
        "duplicates": ["duplicates", folder],
        "map": ["map", folder, "-o", place / "map.html", "--json"],
        "learn": ["learn", folder, "-o", place / "probe.npz", "--folds", "2"],
        "embed": ["embed", "images", folder],
        "evaluate": ["evaluate", folder],
    }


@pytest.mark.parametrize("name", commands(Path(), Path()))
def test_what_an_index_has_is_not_computed_again(
    run: Run, photos: Path, tmp_path: Path, computed: list[int], name: str
) -> None:
    words = [*commands(photos, tmp_path)[name], "-m", "tiny"]
    run("index", photos, "-m", "tiny")
    computed.clear()
    again = run(*(words if name == "embed" else words[:-2]))  # by default the model is that of the index
    assert computed == []
    assert "numpyclip: 6 embeddings are those of the index " in again.err
    anew = run(*words, "--no-index")
    assert sum(computed) == 6
    assert "index" not in anew.err
    assert (again.status, again.out) == (anew.status, anew.out)


def test_new_pictures_are_computed_and_not_added(run: Run, photos: Path, computed: list[int]) -> None:
    run("index", photos, "-m", "tiny")
    Image.new("RGB", (30, 30), "red").save(photos / "red.png")
    shutil.copy(next((photos / "a").iterdir()), photos / "copy.png")
    for _ in range(2):
        computed.clear()
        _, _, err = run("embed", "images", photos, "-m", "tiny")
        assert computed == [1]
        assert err.startswith("numpyclip: 7 embeddings are those of the index ")  # the copy by its content
    _, out, _ = run("index", "--list", "--json")
    assert json.loads(out)["files"] == 6


@pytest.mark.parametrize("option", ["--full-decode", "--ignore-orientation", "--strict-files"])
def test_embeddings_made_otherwise_are_not_taken(run: Run, photos: Path, computed: list[int], option: str) -> None:
    run("index", photos, "-m", "tiny")
    computed.clear()
    _, _, err = run("embed", "images", photos, "-m", "tiny", option)
    assert sum(computed) == 6
    assert "are those of the index" not in err


def test_a_single_embedding_is_told_in_the_singular(run: Run, photos: Path) -> None:
    run("index", photos, "-m", "tiny")
    _, _, err = run("embed", "images", next((photos / "a").iterdir()), "-m", "tiny")
    assert err.startswith("numpyclip: 1 embedding is that of the index ")


def test_an_index_may_be_named(run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "other.index"
    run("index", photos, "-m", "tiny", "--store", place)
    words = ("tag", photos, "-m", "tiny")
    assert "are those of the index" not in run(*words).err
    assert f"6 embeddings are those of the index {place}" in run(*words, "--store", place).err
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(place))
    assert f"6 embeddings are those of the index {place}" in run(*words).err
    status, _, err = run(*words, "--store", tmp_path / "nowhere")
    assert status == 2
    assert "holds no index" in err


def test_a_damaged_index_that_was_not_named_is_told_and_does_without(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "index.sqlite").write_bytes(b"no database at all" * 100)
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(tmp_path / "damaged"))
    status, out, err = run("embed", "images", photos, "-m", "tiny")
    assert status == 0
    assert len(out.splitlines()) == 6
    assert err.startswith("numpyclip: the index is not used: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", ["tag", "duplicates", "evaluate", "sheet", "index"])
def test_a_named_pipe_holds_nothing_up(photos: Path, tmp_path: Path, name: str) -> None:
    os.mkfifo(photos / "a" / "pipe.jpg")
    more: dict[str, list[object]] = {
        "sheet": ["sheet", photos, "-o", tmp_path / "sheet.png"],
        "index": ["index", photos],
    }
    words = (more | commands(photos, tmp_path))[name]
    environment = {**os.environ, "NUMPYCLIP_MODEL": "tiny"}
    done = subprocess.run(
        [sys.executable, "-m", "numpyclip", *map(str, words)], env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == (1 if name == "duplicates" else 0)  # there are none
    assert b"1 file left out: 1 not regular" in done.stderr


def test_a_pipe_that_is_named_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    run("index", photos, "-m", "tiny")
    for words in (["tag", tmp_path / "pipe.jpg", "-m", "tiny"], ["search", "--near", tmp_path / "pipe.jpg"]):
        status, _, err = run(*words)
        assert status == 2
        assert err.endswith("pipe.jpg: cannot be read as an image (it is a named pipe; expected a regular file).\n")


def test_the_best_copy_is_not_in_the_recycle_bin(run: Run, photos: Path) -> None:
    (photos / "#recycle").mkdir()
    with Image.open(next((photos / "a").iterdir())) as picture:
        picture.save(photos / "#recycle" / "a.png")
    status, out, _ = run("duplicates", photos, "--exact")
    assert (status, out) == (1, "")


def test_what_is_left_out_is_counted(run: Run, photos: Path) -> None:
    for number in range(9):
        (photos / f"{number}.psb").touch()
    (photos / "a" / "notes.txt").touch()
    for words in (["duplicates", photos, "--exact"], ["tag", photos, "-m", "tiny"], ["index", photos, "-m", "tiny"]):
        assert "numpyclip: 10 files left out: 9 .psb, 1 .txt\n" in run(*words).err


def test_what_is_named_is_judged_by_its_content(run: Run, photos: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(photos.rglob("*.png"))):
        path.rename(path.with_suffix(f".{number}"))
    named = min(photos.rglob("*.0"))
    status, out, _ = run("embed", "images", named, "-m", "tiny")
    assert (status, len(out.splitlines())) == (0, 1)
    shutil.copy(named, photos / "a.png")
    run("index", photos, "-m", "tiny")
    status, out, _ = run("search", "--near", named, "--paths")
    assert (status, out) == (0, f"{photos / 'a.png'}\n")
    (tmp_path / "words.jpg").write_text("no picture")
    status, _, err = run("search", "--near", tmp_path / "words.jpg")
    assert status == 2
    assert "words.jpg: cannot be read as an image" in err


@pytest.mark.parametrize("name", ["tag", "learn", "evaluate"])
def test_a_folder_that_cannot_be_read_is_reported_once(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    closed, scandir = photos / "closed", os.scandir
    closed.mkdir()

    def scan(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    words: list[object] = ["tag", photos / "a", closed] if name == "tag" else commands(photos, tmp_path)[name]
    status, _, err = run(*words, "-m", "tiny")
    assert (status, err) == (3, f"numpyclip: {closed}: cannot be read (Permission denied).\n")
