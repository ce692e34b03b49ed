import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from tests.cli.conftest import Run

TINY = ("-m", "tiny")


def draw(path: Path, shape: str, shade: int) -> None:
    """Draw something that any model tells from the other shape."""
    picture = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(picture)
    colour = (200 + shade, shade, shade) if shape == "disc" else (shade, shade, 200 + shade)
    if shape == "disc":
        pen.ellipse((8 + shade, 8, 56, 56 - shade), fill=colour)
    else:
        for x in range(4, 60, 16):
            pen.rectangle((x, 4 + shade, x + 7, 60), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Two folders of four pictures each, one picture deeper down."""
    for shape in ("disc", "stripes"):
        for number in range(3):
            draw(tmp_path / "shapes" / shape / f"{number}.png", shape, 4 * number)
        draw(tmp_path / "shapes" / shape / "more" / "3.png", shape, 14)
    return tmp_path / "shapes"


@pytest.mark.parametrize("method", ["linear", "tip", "mean"])
def test_a_folder_becomes_a_probe_that_classifies(method: str, run: Run, shapes: Path, tmp_path: Path) -> None:
    status, out, err = run("learn", shapes, "-o", tmp_path / "probe.npz", "--method", method, *TINY)
    assert (status, err) == (0, "")
    rows = dict(line.split("\t") for line in out.splitlines())
    assert (rows["pictures"], rows["classes"]) == ("8", "2")
    assert (rows["accuracy"], rows["mean per-class recall"]) == ("1.0000", "1.0000")
    draw(tmp_path / "new.png", "stripes", 7)
    status, out, err = run("classify", "--probe", tmp_path / "probe.npz", tmp_path / "new.png", "-n1", *TINY)
    assert (status, err) == (0, "")
    assert out.split("\t")[1] == "stripes\n"


def test_a_probe_classifies_folders_as_labels_do(run: Run, shapes: Path, album: Path, tmp_path: Path) -> None:
    run("learn", shapes, "-o", tmp_path / "probe.npz", "--method", "mean", *TINY)
    status, out, err = run("classify", "--probe", tmp_path / "probe.npz", album, "--json", *TINY)
    assert status == 3
    assert "broken.jpg: cannot be read" in err
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 3
    assert all(sum(entry["probability"] for entry in row["labels"]) == pytest.approx(1, abs=1e-5) for row in found)


def test_json_tells_all(run: Run, shapes: Path, tmp_path: Path) -> None:
    status, out, _ = run("learn", shapes, "-o", tmp_path / "p.npz", "--c", "2.5", "--folds", "2", "--json", *TINY)
    assert status == 0
    assert json.loads(out) == {
        "path": str(tmp_path / "p.npz"),
        "method": "linear",
        "settings": {"c": 2.5},
        "pictures": 8,
        "classes": 2,
        "tested": 8,
        "accuracy": 1.0,
        "mean_per_class_recall": 1.0,
        "recalls": {"disc": 1.0, "stripes": 1.0},
    }


def test_the_same_folder_makes_the_same_file_and_output(run: Run, shapes: Path, tmp_path: Path) -> None:
    results = [run("learn", shapes, "-o", tmp_path / name, "--seed", "3", *TINY).out for name in ("a.npz", "b.npz")]
    assert results[0] == results[1]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("method", ["linear", "tip"])
def test_vectors_are_learned_from_as_pictures_are(
    labels: bool, method: str, run: Run, shapes: Path, tmp_path: Path
) -> None:
    run("embed", "images", shapes, "-o", tmp_path / "v.npz", *TINY)
    words = []
    if labels:
        (tmp_path / "labels.txt").write_text("disc\n" * 4 + "stripes\n" * 4)
        words = ["--classes", tmp_path / "labels.txt"]
    folder = run("learn", shapes, "-o", tmp_path / "a.npz", "--method", method, *TINY)
    status, out, err = run("learn", tmp_path / "v.npz", "-o", tmp_path / "b.npz", "--method", method, *words, *TINY)
    assert (status, err) == (0, "")
    assert out == folder.out
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_beside_vectors_are_embedded_by_the_usual_model_whatever_an_index_has(
    run: Run, shapes: Path, tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Index(tmp_path / "store", tiny, create=True) as index, index.store.writing():
        index.store.begin(tiny.fingerprint, 128)
        index.store.remember_model(tiny.fingerprint, '{"model": "another"}')
    monkeypatch.setenv("NUMPYCLIP_MODEL", "tiny")
    run("embed", "images", shapes, "-o", tmp_path / "v.npz")
    words = ["--method", "tip", "--store", tmp_path / "store"]
    status, _, err = run("learn", tmp_path / "v.npz", "-o", tmp_path / "p.npz", *words)
    assert (status, err) == (0, "")


def test_vectors_need_no_model(run: Run, shapes: Path, tmp_path: Path) -> None:
    run("embed", "images", shapes, "-o", tmp_path / "v.npz", *TINY)
    assert run("learn", tmp_path / "v.npz", "-o", tmp_path / "p.npz", "-m", "no such model").status == 0


def test_a_probe_of_another_model_is_refused(run: Run, shapes: Path, tmp_path: Path, bird: Path) -> None:
    run("embed", "images", shapes, "-o", tmp_path / "v.npz", *TINY)
    with np.load(tmp_path / "v.npz") as file:
        arrays = dict(file)
    fingerprint = json.loads(str(arrays["fingerprint"]))
    arrays["fingerprint"] = np.array(json.dumps({**fingerprint, "weights": "0" * 64, "weights_float16": ""}))
    np.savez(tmp_path / "v.npz", **arrays)
    run("learn", tmp_path / "v.npz", "-o", tmp_path / "p.npz", *TINY)
    status, out, err = run("classify", "--probe", tmp_path / "p.npz", bird, *TINY)
    assert (status, out) == (2, "")
    assert "the probe is for embeddings of another model (weights: 0000" in err
    assert "learned with: 'tiny'" in err


def test_unreadable_pictures_empty_folders_and_strays_are_talked_of(run: Run, shapes: Path, tmp_path: Path) -> None:
    (shapes / "disc" / "broken.png").write_bytes(b"no picture")
    (shapes / "empty").mkdir()
    (shapes / ".hidden").mkdir()
    (shapes / "notes.txt").write_text("no class")
    draw(shapes / "stray.png", "disc", 0)
    status, out, err = run("learn", shapes, "-o", tmp_path / "p.npz", "--method", "mean", *TINY)
    assert status == 3
    assert "pictures\t8\nclasses\t2\n" in out
    assert "broken.png: cannot be read as an image" in err
    assert "empty: found no images in this folder" in err
    assert "1 images are in no class's folder" in err
    assert err.count("\n") == 4  # the last one counts


def test_a_class_with_one_picture_is_learned_but_not_measured(run: Run, shapes: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "black").save(tmp_path / "black.png")
    (shapes / "alone").mkdir()
    (tmp_path / "black.png").rename(shapes / "alone" / "black.png")
    status, out, err = run("learn", shapes, "-o", tmp_path / "p.npz", "--method", "mean", "--json", *TINY)
    assert status == 0
    assert "1 classes have one image only, first 'alone'" in err
    found = json.loads(out)
    assert (found["classes"], found["pictures"], found["tested"]) == (3, 9, 8)
    assert "alone" not in found["recalls"]
    _, out, _ = run("classify", "--probe", tmp_path / "p.npz", shapes / "alone" / "black.png", "-n1", *TINY)
    assert out.endswith("alone\n")


def test_one_picture_a_class_says_that_nothing_could_be_tested(run: Run, tmp_path: Path) -> None:
    for shape in ("disc", "stripes"):
        draw(tmp_path / "few" / shape / "a.png", shape, 0)
    status, out, err = run("learn", tmp_path / "few", "-o", tmp_path / "p.npz", *TINY)
    assert status == 0
    assert "accuracy" not in out
    assert "there is no cross-validation" in err
    assert (tmp_path / "p.npz").exists()


@pytest.mark.parametrize("other", ["Disc", "disc ", "DISC", "_disc"])
def test_folders_that_look_like_one_class_are_refused(other: str, run: Run, shapes: Path, tmp_path: Path) -> None:
    try:
        (shapes / other).mkdir()
    except OSError:
        pytest.skip("this file system does not tell them apart")
    status, out, err = run("learn", shapes, "-o", tmp_path / "p.npz", *TINY)
    assert (status, out) == (2, "")
    assert "seem to be the same class; rename" in err
    assert not (tmp_path / "p.npz").exists()


def test_names_in_other_unicode_forms_look_alike(run: Run, shapes: Path, tmp_path: Path) -> None:
    (shapes / "cafe\u0301").mkdir()
    try:
        (shapes / "caf\u00e9").mkdir()
    except OSError:
        pytest.skip("this file system does not tell them apart")
    assert "seem to be the same class" in run("learn", shapes, "-o", tmp_path / "p.npz", *TINY).err


def test_one_class_is_not_enough(run: Run, shapes: Path, tmp_path: Path) -> None:
    status, _, err = run("learn", shapes / "disc", "-o", tmp_path / "p.npz", *TINY)
    assert status == 2
    assert "holds 1 folders; expected one for each class" in err
    (shapes / "stripes").rename(tmp_path / "away")
    (shapes / "stripes").mkdir()
    status, _, err = run("learn", shapes, "-o", tmp_path / "p.npz", *TINY)
    assert status == 2
    assert "all 4 examples are of class 'disc'" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "-o", "p.npz"], "nowhere: is not there"),
        (["FOLDER"], "-o/--output"),
        (["FOLDER", "-o", "p.txt"], "does not end in .npz"),
        (["FOLDER", "-o", "p.npz", "--c", "-1"], "neither a number above 0 nor auto"),
        (["FOLDER", "-o", "p.npz", "--c", "nan"], "neither a number above 0 nor auto"),
        (["FOLDER", "-o", "p.npz", "--c", "1", "--method", "tip"], "--c is for --method linear"),
        (["FOLDER", "-o", "p.npz", "--folds", "1"], "expected an integer of 2 or more"),
        (["FOLDER", "-o", "p.npz", "--seed", "-1"], "--seed"),
        (["FOLDER", "-o", "p.npz", "--template", "a {}"], "--template is for --method tip"),
        (["FOLDER", "-o", "p.npz", "--classes", "x"], "--classes is for an .npz file"),
        (["FOLDER", "-o", "p.npz", "--method", "tip", "--template", "x"], "where the label goes"),
    ],
)
def test_wrong_arguments_are_named(
    words: list[str], message: str, run: Run, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run("learn", *[shapes if word == "FOLDER" else word for word in words], *TINY)
    assert (status, out) == (2, "")
    assert message in err
    assert not (tmp_path / "p.npz").exists()


def test_vectors_are_not_overwritten_by_what_was_learned_from_them(run: Run, shapes: Path, tmp_path: Path) -> None:
    vectors = tmp_path / "v.npz"
    run("embed", "images", shapes, "-o", vectors, *TINY)
    content = vectors.read_bytes()
    (tmp_path / "link.npz").symlink_to(vectors)
    for output in (vectors, tmp_path / "link.npz"):
        result = run("learn", vectors, "-o", output)
        assert (result.status, result.out) == (2, "")
        assert "would be overwritten, but is read" in result.err
    assert vectors.read_bytes() == content


def test_vectors_without_classes_are_named(run: Run, bird: Path, shapes: Path, tmp_path: Path) -> None:
    run("embed", "images", bird, "-o", tmp_path / "one.npz", *TINY)
    assert "is in no class's folder" in run("learn", tmp_path / "one.npz", "-o", tmp_path / "p.npz").err
    run("embed", "texts", "a", "b", "-o", tmp_path / "texts.npz", *TINY)
    assert "is in no class's folder" in run("learn", tmp_path / "texts.npz", "-o", tmp_path / "p.npz").err
    run("embed", "images", shapes, "-o", tmp_path / "v.npz", *TINY)
    (tmp_path / "labels.txt").write_text("disc\nstripes\n")
    result = run("learn", tmp_path / "v.npz", "-o", tmp_path / "p.npz", "--classes", tmp_path / "labels.txt")
    assert (result.status, result.out) == (2, "")
    assert "there are 8 embeddings and 2 labels" in result.err
    (tmp_path / "text.npz").write_text("no archive")
    assert run("learn", tmp_path / "text.npz", "-o", tmp_path / "p.npz").status == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bird.png", "--labels", "x"], "leave out --labels"),
        (["bird.png", "--template", "a {}"], "--classifier and --template"),
        ([], "nothing to classify"),
        (["bird.png", "a cat"], "'a cat' is no file; with --probe"),
    ],
)
def test_a_probe_has_its_own_classes(
    words: list[str], message: str, run: Run, bird: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bird.parent)
    status, out, err = run("classify", "--probe", "p.npz", *words, *TINY)
    assert (status, out) == (2, "")
    assert message in err


def test_a_damaged_probe_is_named(run: Run, bird: Path, tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(b"PK")
    status, out, err = run("classify", "--probe", tmp_path / "p.npz", bird, *TINY)
    assert (status, out) == (2, "")
    assert "p.npz: not a complete zip archive" in err
