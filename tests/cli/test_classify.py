import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.cli import classify as module
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.viz.chart import bar_chart
from tests.cli.conftest import Run

LABELS = ("a house", "a bird", "a camera")


def test_one_picture_prints_its_labels_best_first(run: Run, bird: Path) -> None:
    status, out, err = run("classify", bird, *LABELS, "-m", "tiny")
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0][1] == "a bird"
    assert {label for _, label in rows} == set(LABELS)
    probabilities = [float(p) for p, _ in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=3e-4)


def test_a_folder_prints_paths_skips_what_it_cannot_read_and_says_so(run: Run, album: Path) -> None:
    status, out, err = run("classify", album, *LABELS, "-m", "tiny", "-n", "1")
    assert status == 3
    best = {row[0]: row[2] for row in (line.split("\t") for line in out.splitlines())}
    assert best == {
        str(album / "bird.png"): "a bird",
        str(album / "house.PNG"): "a house",
        str(album / "sub" / "camera.webp"): "a camera",
    }
    assert err.startswith(f"numpyclip: {album / 'broken.jpg'}: cannot be read as an image")
    assert err.splitlines()[1:] == ["numpyclip: 1 file left out: 1 .txt"]


def test_paths_come_from_stdin(run: Run, album: Path) -> None:
    paths = f"{album}/house.PNG\r\n\n{album}/bird.png\n".encode()
    status, out, err = run("classify", "-", *LABELS, "-m", "tiny", "--json", stdin=paths)
    assert (status, err) == (0, "")
    house, bird = (json.loads(line) for line in out.splitlines())
    assert house["path"] == f"{album}/house.PNG"
    assert house["labels"][0]["label"] == "a house"
    assert bird["labels"][0] == {"label": "a bird", "probability": bird["labels"][0]["probability"]}
    assert sum(entry["probability"] for entry in bird["labels"]) == pytest.approx(1, abs=1e-5)


def test_labels_come_from_a_file_and_then_all_else_is_pictures(run: Run, album: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes("\ufeffhouse\r\n\r\nbird\r\n".encode())
    status, out, _ = run(
        "classify",
        album / "bird.png",
        album / "house.PNG",
        "--labels",
        labels,
        "--template",
        "a {}",
        "-n1",
        "-m",
        "tiny",
    )
    assert status == 0
    assert [line.split("\t")[2] for line in out.splitlines()] == ["bird", "house"]


def test_nothing_is_lost_around_a_broken_picture_whatever_the_batch_size(run: Run, album: Path) -> None:
    outputs = {
        run("classify", album, *LABELS, "-m", "tiny", "-n1", "--batch-size", n).out.count("\n") for n in (1, 2, 9)
    }
    assert outputs == {3}


def test_names_that_are_no_text_go_through(run: Run, album: Path) -> None:
    name = b"na\xefve \xff.png"
    try:
        (album / "bird.png").rename(Path(str(album), name.decode("utf-8", "surrogateescape")))
    except OSError:
        pytest.skip("this file system takes only text as names")
    status, out, _ = run("classify", album, *LABELS, "-m", "tiny", "-n1")
    assert status == 3
    assert r"na\xefve \xff.png" in out or "naïve" in out
    rows = run("classify", album, *LABELS, "-m", "tiny", "-n1", "--json").out.splitlines()
    names = [json.loads(row)["path"] for row in rows]
    assert any(name.endswith((r"na\xefve \xff.png", "naïve")) for name in names)


def test_a_picture_that_is_missing_is_reported(run: Run, tmp_path: Path) -> None:
    result = run("classify", tmp_path / "no.png", "bird", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "no.png: cannot be read" in result.err


def test_a_folder_without_pictures_is_an_error(run: Run, tmp_path: Path) -> None:
    result = run("classify", tmp_path, "bird", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "found no images" in result.err


def test_an_empty_folder_costs_nothing_else(run: Run, album: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, out, err = run("embed", "images", album / "bird.png", tmp_path / "empty", album / "house.PNG", "-m", "tiny")
    assert status == 3
    assert out.count("\n") == 2
    assert "empty: found no images" in err


def test_a_folder_that_cannot_be_listed_is_reported(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    status, out, err = run("classify", album, *LABELS, "-m", "tiny", "-n1")
    assert status == 3
    assert out.count("\n") == 2
    assert f"{album / 'sub'}: cannot be read (Permission denied)" in err


@pytest.mark.parametrize("words", [("-m", "tiny", "PICTURE", *LABELS), ("PICTURE", "-m", "tiny", *LABELS)])
def test_options_may_stand_anywhere(run: Run, bird: Path, words: tuple[str, ...]) -> None:
    status, out, _ = run("classify", *[str(bird) if word == "PICTURE" else word for word in words])
    assert status == 0
    assert out.count("\n") == 3


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_count_of_labels_is_a_positive_number(run: Run, bird: Path, count: str) -> None:
    result = run("classify", bird, "bird", "-m", "tiny", "-n", count)
    assert result.status == 2
    assert "is no positive integer" in result.err


def test_behind_two_dashes_all_is_text(run: Run, bird: Path) -> None:
    status, out, _ = run("classify", "-m", "tiny", "--", bird, "-bird", "--dog")
    assert status == 0
    assert {line.split("\t")[1] for line in out.splitlines()} == {"-bird", "--dog"}
    assert "put -- before" in run("classify", bird, "-bird", "-m", "tiny").err


def test_a_picture_among_the_labels_is_a_mistake(run: Run, album: Path) -> None:
    result = run("classify", album / "bird.png", album / "house.PNG", "a bird", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "house.PNG' is a file. To classify several images, give --labels" in result.err


def test_pictures_and_labels_cannot_both_come_from_stdin(run: Run) -> None:
    assert run("classify", "-", "--labels", "-", "-m", "tiny").status == 2


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_labels_that_are_not_utf_8_are_refused(run: Run, bird: Path, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "labels.txt").write_text("Häuser\n", encoding)
    result = run("classify", bird, "--labels", tmp_path / "labels.txt", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "labels.txt: line 1 is not UTF-8" in result.err


def test_an_unknown_option_is_refused(run: Run, bird: Path) -> None:
    result = run("classify", bird, "bird", "-m", "tiny", "--colour")
    assert (result.status, result.out) == (2, "")
    assert "unknown option --colour" in result.err


def test_a_model_that_judges_each_pair_by_itself_does_so_here_too(
    run: Run, bird: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SigLIP's probabilities do not sum to 1."""
    siglip = replace(tiny, config=replace(tiny.config, sigmoid=True), logit_bias=np.float32(-20))
    monkeypatch.setattr(module, "load_for_embeddings", lambda _: siglip)
    _, out, _ = run("classify", bird, *LABELS, "--json")
    found = {entry["label"]: entry["probability"] for entry in json.loads(out)["labels"]}
    expected = siglip.classify(bird, LABELS)[0]
    assert expected.sum() != pytest.approx(1, abs=0.01)
    assert [found[label] for label in LABELS] == pytest.approx(expected, abs=1e-6)


def test_a_plot_is_of_one_picture(run: Run, bird: Path, album: Path, tmp_path: Path) -> None:
    output = tmp_path / "chart.png"
    _, out, _ = run("classify", bird, "a bird", "a dog", "-m", "tiny", "--plot", output, "--json")
    bars = [(entry["label"], entry["probability"]) for entry in json.loads(out)["labels"]]
    with Image.open(output) as chart:
        assert np.array_equal(np.asarray(chart), np.asarray(bar_chart(bird, bars)))
    output.unlink()
    result = run("classify", album, "a bird", "a dog", "-m", "tiny", "--plot", output)
    assert (result.status, result.out) == (2, "")
    assert "numpyclip sheet" in result.err
    assert not output.exists()


def test_the_best_view_counts_and_is_named(run: Run, wide: Path, bird: Path, tiny: CLIP) -> None:
    _, out, _ = run("classify", wide, "a bird", "a camera", "-m", "tiny", "-n", 1, "--views", "crop,tiles")
    view, probability, label = out.strip().split("\t")
    assert (view, label) == ("left", "a bird")
    expected = tiny.classify(str(wide), ["a bird", "a camera"], views=("crop", "tiles"))[0]
    assert float(probability) == pytest.approx(expected[0], abs=1e-4)
    labels = wide.parent / "labels.txt"
    labels.write_text("a house\na camera")
    out = run("classify", wide, bird, "--labels", labels, "-m", "tiny", "--views", "tiles", "--json").out
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["view"] for record in records] == ["right", "crop"]
    assert [record["path"] for record in records] == [str(wide), str(bird)]
