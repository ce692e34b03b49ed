"""Every script in examples/ does with `tiny` what it says, and stays short."""

import csv
import runpy
import shutil
import sys
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP

EXAMPLES = Path(__file__).parents[1] / "examples"
ALBUM = EXAMPLES.parent / "docs" / "pictures" / "album"
Run = Callable[..., list[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a script with arguments and the embedded model, and return the lines it prints."""

    def run(script: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments), "--model", "tiny"])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bicycle, a guitar, a pizza and an umbrella."""
    return copied(tmp_path / "photos", "bicycle", "guitar", "pizza", "umbrella")


def copied(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(ALBUM / f"{name}.png", folder)
    return folder


@pytest.fixture
def damaged(folder: Path) -> Path:
    """The same folder, with a damaged file."""
    (folder / "damaged.png").write_bytes((folder / "pizza.png").read_bytes()[:200])
    return folder


def test_classify_folder_writes_a_table(run: Run, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    labels = ("pizza", "bicycle", "umbrella", "guitar")
    assert run("classify_folder.py", folder, table, *labels, "--template", "a {}") == [f"{table}: 4 images"]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["bicycle", "guitar", "pizza", "umbrella"]
    assert float(rows[0]["bicycle"]) > 0.9


def test_classify_folder_says_that_there_are_no_images(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("classify_folder.py", tmp_path, tmp_path / "labels.csv", "dog", "cat")
    assert f"{tmp_path}: no images found" in capsys.readouterr().err


@pytest.mark.parametrize("script", ["find_duplicates.py", "search_folder.py", "search_page.py"])
def test_a_missing_folder_is_an_error_with_its_name(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    with pytest.raises(SystemExit):
        run(script, tmp_path / "nope", *["dog"] * (script == "search_folder.py"))
    assert f"{tmp_path / 'nope'}: no such folder" in capsys.readouterr().err


def test_search_folder_makes_no_index_of_a_missing_folder(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("search_folder.py", tmp_path / "nope", "a", "dog")
    assert not list(tmp_path.iterdir())


def test_search_folder_finds_what_is_there_and_says_if_it_is_no_better_than_chance(run: Run, folder: Path) -> None:
    found = run("search_folder.py", folder, "a", "bicycle")
    assert found[0].endswith("bicycle.png")
    note, *nearest = run("search_folder.py", folder, "xkcd", "zqwv")
    assert note == "perhaps none of these:"
    assert len(nearest) == 4


def test_find_duplicates_finds_a_smaller_copy(run: Run, folder: Path) -> None:
    copy = folder / "small.png"
    Image.open(folder / "pizza.png").resize((48, 48)).save(copy)
    best, near, summary = run("find_duplicates.py", folder)
    assert best == str(folder / "pizza.png")
    assert near.split() == ["near", str(copy)]
    assert summary.startswith("copies take 0.0 MB of 0.0 MB")


def test_find_duplicates_leaves_out_a_damaged_file(run: Run, damaged: Path) -> None:
    shutil.copy(damaged / "pizza.png", damaged / "again.png")
    problem, *group, _ = run("find_duplicates.py", damaged)
    assert problem.startswith(f"{damaged / 'damaged.png'}: ")
    assert len(group) == 2


def test_learn_labels_leaves_out_loose_and_damaged_images(run: Run, tmp_path: Path, damaged: Path) -> None:
    kinds = copied(tmp_path / "kinds", "house")
    copied(kinds / "face", "cat-face", "cow-face")
    shutil.copy(damaged / "damaged.png", copied(kinds / "vehicle", "airplane", "bicycle"))
    problem, accuracy, *lines = run("learn_labels.py", kinds, damaged)
    assert problem.startswith(f"{kinds / 'vehicle' / 'damaged.png'}: ")
    assert accuracy.endswith("on 4 examples")
    assert {line.split()[1] for line in lines if line.startswith(("0.", "1."))} <= {"face", "vehicle"}


def test_learn_labels_asks_for_two_folders(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("learn_labels.py", folder, folder)
    assert "expected two or more folders" in capsys.readouterr().err


def test_learn_labels_labels_other_images(run: Run, tmp_path: Path) -> None:
    copied(tmp_path / "kinds" / "face", "cat-face", "cow-face")
    copied(tmp_path / "kinds" / "vehicle", "airplane", "bicycle")
    accuracy, *lines = run("learn_labels.py", tmp_path / "kinds", copied(tmp_path / "photos", "dog-face", "rocket"))
    assert accuracy == "accuracy 0.75 on 4 examples"
    assert [line.split()[1] for line in lines] == ["face", "vehicle"]


def test_search_page_ends_quietly_on_ctrl_c(run: Run, damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: ThreadingHTTPServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    problem, address = run("search_page.py", damaged, "--port", 0)
    assert problem.startswith(f"{damaged / 'damaged.png'}: ")
    assert address.startswith("http://127.0.0.1:")


def test_search_page_answers_with_the_best_image_first(folder: Path) -> None:
    create_server = runpy.run_path(str(EXAMPLES / "search_page.py"))["create_server"]
    with create_server(folder, "tiny", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with urlopen(f"{address}/?q=%22a+guitar%22") as answer:
            page = answer.read().decode()
        with urlopen(f"{address}/1") as answer:
            image = answer.read()
        with pytest.raises(HTTPError, match="404") as refused:
            urlopen(f"{address}/..%2Fsecret")
        refused.value.close()
        server.shutdown()
    assert page.index('<img src="/1"') < page.index('<img src="/0"')
    assert "&quot;a guitar&quot;" in page
    assert image == (folder / "guitar.png").read_bytes()


def test_prompt_embeddings_writes_a_vector_for_each_token(run: Run, tmp_path: Path, tiny: CLIP) -> None:
    tokens, pooled = tmp_path / "tokens.npy", tmp_path / "pooled.npy"
    summary = run("prompt_embeddings.py", "a red apple", tokens, "--layer", "-2", "--pooled", pooled)
    assert summary == [f"{tokens}: (2, 77, 128), the negative prompt first"]
    ids = tiny.tokenize(["", "a red apple"])
    np.testing.assert_array_equal(np.load(tokens), tiny.text_tokens(ids, -2))
    np.testing.assert_array_equal(np.load(pooled), tiny.encode_text(ids))


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda script: script.name)
def test_an_example_is_short_and_listed(script: Path) -> None:
    assert len(script.read_text("utf-8").splitlines()) < 60
    assert f"`{script.name}`" in (EXAMPLES / "README.md").read_text("utf-8")
