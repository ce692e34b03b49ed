import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.cli import main, parse
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.loader import load
from tests.cli.conftest import Run


def test_texts_become_json_lines(run: Run, tiny: CLIP) -> None:
    status, out, err = run("embed", "texts", "a dog", 'a "cat"', "-m", "tiny")
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["text"] for row in rows] == ["a dog", 'a "cat"']
    embeddings = np.array([row["embedding"] for row in rows], np.float32)
    np.testing.assert_array_equal(embeddings, tiny.embed_texts(["a dog", 'a "cat"']))


def test_texts_come_from_stdin_and_from_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("third\nfourth\n")
    status, out, _ = run(
        "embed", "texts", "first", "-", "--from", tmp_path / "list.txt", "-m", "tiny", stdin=b"second\n"
    )
    assert status == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["first", "second", "third", "fourth"]


def test_pictures_become_npz_with_their_names(run: Run, album: Path, tmp_path: Path, tiny: CLIP) -> None:
    result = run("embed", "images", album, "-o", tmp_path / "out.npz", "-m", "tiny", "--batch-size", 2)
    assert (result.status, result.out) == (3, "")
    assert "broken.jpg: cannot be read" in result.err
    with np.load(tmp_path / "out.npz") as data:
        assert data["names"].tolist() == [
            *(str(album / name) for name in ("bird.png", "house.PNG")),
            str(album / "sub" / "camera.webp"),
        ]
        assert data["model"] == "tiny"
        np.testing.assert_allclose(data["embeddings"], tiny.embed_images(data["names"].tolist()), atol=1e-6)
        assert data["embeddings"].dtype == np.float32


def test_npy_holds_the_vectors_alone(run: Run, tmp_path: Path, tiny: CLIP) -> None:
    assert run("embed", "texts", "a dog", "a cat", "-o", tmp_path / "out.npy", "-m", "tiny").status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), tiny.embed_texts(["a dog", "a cat"]))


def test_jsonl_is_what_would_be_printed(run: Run, tmp_path: Path) -> None:
    printed = run("embed", "texts", "äpfel", "-m", "tiny").out
    assert run("embed", "texts", "äpfel", "-m", "tiny", "-o", tmp_path / "out.jsonl").out == ""
    assert (tmp_path / "out.jsonl").read_text("utf-8") == printed


def test_a_failure_leaves_the_old_file_and_no_other(run: Run, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    output.write_bytes(b"old")
    result = run("embed", "texts", "a dog", "dog " * 100, "-o", output, "-m", "tiny")
    assert result.status == 2
    assert "dog dog" in result.err
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_long_texts_are_cut_on_demand(run: Run) -> None:
    assert run("embed", "texts", "dog " * 100, "--truncate", "-m", "tiny").status == 0


def test_a_folder_in_the_place_of_the_output_is_seen_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out.npz").mkdir()
    result = run("embed", "texts", "a", "-o", tmp_path / "out.npz")
    assert result.status == 2
    assert "is a folder" in result.err


def test_a_link_is_written_through(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link.npy").symlink_to(tmp_path / "file.npy")
    assert run("embed", "texts", "a", "-o", tmp_path / "link.npy", "-m", "tiny").status == 0
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "file.npy").shape == (1, 128)


@pytest.mark.parametrize("suffix", ["npy", "npz", "jsonl", "parquet"])
def test_nothing_to_write_leaves_the_old_file(run: Run, tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")
    output = tmp_path / f"out.{suffix}"
    output.write_bytes(b"old")
    result = run("embed", "images", tmp_path / "no", "-o", output, "-m", "tiny")
    assert result.status == 2
    assert f"out.{suffix}: not written" in result.err
    assert output.read_bytes() == b"old"


def test_closed_streams_show_no_progress_and_do_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["embed", "texts", "a", "-m", "tiny"]) == 2
    assert main(["embed", "texts", "a", "-m", "tiny", "-o", str(tmp_path / "a.npy")]) == 0


def test_a_closed_stdin_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = parse(["embed", "texts", "-", "-m", "tiny"])
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="standard input is closed"):
        arguments.run(arguments)


def test_options_may_stand_before_the_items(run: Run) -> None:
    assert run("embed", "texts", "-m", "tiny", "a dog", "--json", "a cat").out.count("\n") == 2


def test_a_line_of_a_file_is_never_standard_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\n-\n")
    out = run("embed", "texts", "--from", tmp_path / "list.txt", "-m", "tiny", stdin=b"not this\n").out
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["a", "-"]


def test_progress_is_shown_on_a_terminal_where_results_are_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "text/s" in run("embed", "texts", "a", "b", "-o", tmp_path / "out.npy", "-m", "tiny").err
    assert run("embed", "texts", "a", "b", "-m", "tiny").err == ""


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    result = run("embed", "texts", "a", "-o", tmp_path / "no" / "out.npy", "-m", "tiny")
    assert result.status == 2
    assert "out.npy: cannot be written" in result.err


@pytest.mark.parametrize("exact", [True, False])
def test_large_jpeg_files_are_decoded_reduced_unless_told_not_to(
    run: Run, tmp_path: Path, tiny: CLIP, bird: Path, exact: bool
) -> None:
    Image.open(bird).convert("RGB").resize((1024, 1024)).save(tmp_path / "large.jpg")
    out = run("embed", "images", tmp_path / "large.jpg", "-m", "tiny", *(["--exact"] if exact else [])).out
    vector = np.array(json.loads(out)["embedding"])
    same, other = (
        np.abs(vector - tiny.embed_images(tmp_path / "large.jpg", draft=draft)).max() for draft in (not exact, exact)
    )
    assert same < 1e-6 < other


def test_low_memory_reaches_the_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, loaded = [], load("tiny")

    def spy(*_: object, **options: object) -> object:
        seen.append(options)
        return loaded

    monkeypatch.setattr("numpyclip.loader.load", spy)
    run("embed", "texts", "a dog", "-m", "tiny", "--low-memory")
    run("embed", "texts", "a dog", "-m", "tiny")
    assert [options["low_memory"] for options in seen] == [True, False]


def test_pictures_of_different_shapes_go_to_a_model_that_keeps_them(run: Run, album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 30), "red").save(tmp_path / "wide.png")
    naflex = Path(__file__).parents[1] / "golden" / "families" / "transformers-siglip2"
    status, out, err = run("embed", "images", album / "bird.png", tmp_path / "wide.png", "-m", naflex)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 2


def test_every_view_is_a_row_where_views_are_asked_for(run: Run, wide: Path, bird: Path, tiny: CLIP) -> None:
    status, out, err = run("embed", "images", wide, bird, "-m", "tiny", "--views", "tiles,crop")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [(row["path"], row["view"]) for row in rows] == [
        *((str(wide), view) for view in ("crop", "left", "right")),
        (str(bird), "crop"),
    ]
    expected = tiny.embed_images([str(wide), str(bird)], views=("crop", "tiles"))
    np.testing.assert_allclose([row["embedding"] for row in rows], expected, atol=1e-6)
    (row,) = map(json.loads, run("embed", "images", bird, "-m", "tiny").out.splitlines())
    assert list(row) == ["path", "embedding"]


def test_views_are_in_every_file(run: Run, wide: Path, tmp_path: Path) -> None:
    words = ("embed", "images", wide, tmp_path / "none.png", "-m", "tiny", "--views", "pad,squash", "-o")
    result = run(*words, tmp_path / "out.npz")
    assert result.status == 3
    assert result.err.splitlines()[-1].endswith("out.npz: 2 views")
    with np.load(tmp_path / "out.npz") as data:
        assert data["views"].tolist() == ["pad", "squash"]
        assert data["names"].tolist() == [str(wide)] * 2
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    assert run(*words, tmp_path / "out.parquet").status == 3
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table["view"].to_pylist() == ["pad", "squash", None]
    assert table["error"].is_valid().to_pylist() == [False, False, True]
    assert run(*words, f"{tmp_path / 'parts'}/", "--workers", 1).status == 3
    (part,) = (tmp_path / "parts").glob("*.parquet")
    assert parquet.read_table(part).sort_by("key")["view"].to_pylist() == [None, "pad", "squash"]
    refused = run(*words[:-3], "-o", f"{tmp_path / 'parts'}/", "--workers", 1)
    assert refused.status == 2 and "was started with other settings" in refused.err


@pytest.mark.parametrize("views", ["", "tile", "crop,,pad"])
def test_views_that_are_none_are_refused(run: Run, wide: Path, views: str) -> None:
    status, _, err = run("embed", "images", wide, "-m", "tiny", "--views", views)
    assert status == 2 and "expected some of crop,pad,squash,tiles" in err
