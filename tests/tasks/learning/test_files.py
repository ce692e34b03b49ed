import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import (
    CheckpointError,
    CorruptCheckpointError,
    InputError,
    NumPyCLIPError,
    UnsupportedCheckpointError,
)
from numpyclip.tasks.learning.files import EmbeddedFile, read_probe, save_probe
from numpyclip.tasks.learning.learn import Recipe, learn
from numpyclip.tasks.learning.methods import METHODS
from tests.tasks.learning.conftest import Make


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("known", [True, False])
def test_a_probe_is_read_as_it_was_saved(method: str, known: bool, make: Make, tmp_path: Path) -> None:
    probe = replace(learn(make(3, 4, 5), Recipe(method)), model="ViT-B/32", classes=("a\0", "ß ☃", "-c"))
    probe = probe if known else replace(probe, fingerprint=None, unit=False)
    save_probe(probe, tmp_path / "probe.npz")
    found = read_probe(tmp_path / "probe.npz")
    assert replace(found, weights={}).__dict__ == replace(probe, weights={}).__dict__
    assert set(found.weights) == set(probe.weights)
    for name, array in probe.weights.items():
        assert found.weights[name].dtype == array.dtype
        assert np.array_equal(found.weights[name], array)


@pytest.mark.parametrize("number", [1, np.float32(1), np.int64(1)])
def test_settings_of_any_kind_of_number_are_read_again(number: Any, make: Make, tmp_path: Path) -> None:
    save_probe(learn(make(3, 3), Recipe(settings={"c": number})), tmp_path / "probe.npz")
    assert read_probe(tmp_path / "probe.npz").settings == {"c": 1.0}


def test_the_same_probe_is_the_same_file(make: Make, tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        save_probe(learn(make(3, 4, 5)), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_probe_that_cannot_be_written_leaves_what_was_there(make: Make, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "probe.npz").write_bytes(b"before")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(NumPyCLIPError, match=r"probe\.npz: cannot be written \(No space left"):
        save_probe(learn(make(3, 3), Recipe("mean")), tmp_path / "probe.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["probe.npz"]
    assert (tmp_path / "probe.npz").read_bytes() == b"before"


def contents(make: Make, path: Path, method: str = "linear") -> dict[str, Any]:
    save_probe(learn(make(3, 4, 5), Recipe(method, settings={"c": 1.0} if method == "linear" else {})), path)
    with np.load(path) as file:
        return dict(file)


def about(**changes: Any) -> np.ndarray:
    return np.array(json.dumps({"kind": "linear", "settings": {"c": 1.0}, "unit": True, "model": "", **changes}))


FLOAT = np.float32
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"weights.coef": np.ones((3, 15), FLOAT)[:, :0]}, "has weights of shapes"),
    ({"weights.coef": np.ones((2, 16), FLOAT)}, "has weights of shapes"),
    ({"weights.coef": FLOAT(1)}, "has weights of shapes"),
    ({"weights.coef": np.ones(3, FLOAT)}, "has weights of shapes"),
    ({"weights.coef": None}, "has weights of shapes"),
    ({"weights.more": np.ones(3, FLOAT)}, "has weights of shapes"),
    ({"weights.coef": np.ones((3, 16))}, "its coef .float64. are out of range"),
    ({"weights.coef": np.full((3, 16), np.nan, FLOAT)}, "its coef .float32. are out"),
    ({"classes": np.array('["a", "b"]')}, "has weights of shapes"),
    ({"classes": np.array('["a", "a", "b"]')}, "expected two or more different strings"),
    ({"classes": np.array('["a", "b", 3]')}, "expected two or more different strings"),
    ({"classes": np.array("[[], {}, 3]")}, "expected two or more different strings"),
    ({"classes": np.array("[" * 100_000)}, "expected a list"),
    ({"classes": np.array(["a", "b", "c"])}, "expected a list"),
    ({"classes": np.ones(3)}, "expected a list"),
    ({"probe": np.array("[]")}, "expected a dict"),
    ({"probe": about(kind="forest")}, "is of kind 'forest'"),
    ({"probe": about(kind=["linear"])}, "is of kind"),
    ({"probe": about(settings={"d": 1.0})}, "is of kind 'linear' with settings"),
    ({"probe": about(settings={"c": "much"})}, "expected numbers above 0"),
    ({"probe": about(settings={"c": float("nan")})}, "expected numbers above 0"),
    ({"probe": about(settings={"c": True})}, "expected numbers above 0"),
    ({"probe": about(kind="mean", settings={"scale": 1.0})}, "has weights of shapes"),
    ({"probe": about(unit="no")}, "unit"),
    ({"fingerprint": np.array("{}")}, "is no fingerprint"),
]


@pytest.mark.parametrize(("changes", "message"), CHANGES)
def test_a_probe_that_contradicts_itself_is_refused(
    changes: dict[str, Any], message: str, make: Make, tmp_path: Path
) -> None:
    changed = {**contents(make, tmp_path / "probe.npz"), **changes}
    np.savez(tmp_path / "probe.npz", **{name: array for name, array in changed.items() if array is not None})
    with pytest.raises(CorruptCheckpointError, match=message) as error:
        read_probe(tmp_path / "probe.npz")
    assert "probe.npz" in str(error.value)
    assert len(str(error.value)) < 1000 + len(str(tmp_path))


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_labels_of_no_class_are_refused(label: int, make: Make, tmp_path: Path) -> None:
    found = contents(make, tmp_path / "probe.npz", "tip")
    found["weights.labels"][2] = label
    np.savez(tmp_path / "probe.npz", **found)
    with pytest.raises(CorruptCheckpointError, match="its labels"):
        read_probe(tmp_path / "probe.npz")


def test_other_files_are_named(make: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "embeddings.npz", embeddings=np.ones((2, 3), FLOAT), names=np.array(["a", "b"]))
    np.savez(tmp_path / "later.npz", **{**contents(make, tmp_path / "a.npz"), "format": np.array("numpyclip probe 2")})
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-50])
    with pytest.raises(UnsupportedCheckpointError, match="holds embeddings, names; expected 'numpyclip probe 1'"):
        read_probe(tmp_path / "embeddings.npz")
    with pytest.raises(UnsupportedCheckpointError, match="its format is 'numpyclip probe 2'"):
        read_probe(tmp_path / "later.npz")
    with pytest.raises(UnsupportedCheckpointError, match="is a folder"):
        read_probe(tmp_path)
    with pytest.raises(UnsupportedCheckpointError, match=r"text\.npz: is no probe; expected a file by save_probe"):
        read_probe(tmp_path / "text.npz")
    with pytest.raises(CorruptCheckpointError, match="not a complete zip archive"):
        read_probe(tmp_path / "cut.npz")
    with pytest.raises(InputError, match="cannot be read"):
        read_probe(tmp_path / "nowhere.npz")


def test_pickles_are_not_opened(make: Make, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'hacked'}",)

    changed = {**contents(make, tmp_path / "a.npz"), "classes": np.array([Evil()], object)}
    np.savez(tmp_path / "a.npz", **changed)
    with pytest.raises(UnsupportedCheckpointError, match="is of dtype object"):
        read_probe(tmp_path / "a.npz")
    assert not (tmp_path / "hacked").exists()


def test_a_changed_number_is_found_by_its_checksum(make: Make, tmp_path: Path) -> None:
    save_probe(probe := learn(make(3, 4, 5)), tmp_path / "a.npz")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(probe.weights["coef"].tobytes()) + 2] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorruptCheckpointError, match="checksum"):
        read_probe(tmp_path / "a.npz")


def test_a_file_cut_or_changed_anywhere_never_raises_anything_else(make: Make, tmp_path: Path) -> None:
    contents(make, tmp_path / "a.npz")
    good = (tmp_path / "a.npz").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(len(bad), size=3):
            bad[place] = rng.integers(256)
        (tmp_path / "b.npz").write_bytes(
            bad[: rng.integers(len(bad) // 2, len(bad) + 1)] if rng.random() < 0.3 else bad
        )
        try:
            read_probe(tmp_path / "b.npz")
        except CheckpointError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": np.ones((2, 3))}, "holds embeddings; expected embeddings and names"),
        ({"embeddings": np.ones((2, 3)), "names": np.ones(2)}, "expected embeddings and names"),
        ({"embeddings": np.ones((2, 3)), "names": np.array(["a"])}, "has 2 embeddings and 1 names"),
        ({"embeddings": np.ones(3), "names": np.array(["a"])}, r"shape \(3,\)"),
        ({"embeddings": np.full((1, 3), np.nan), "names": np.array(["a"])}, "embedding 0 holds NaN"),
        ({"embeddings": np.ones((1, 3)), "names": np.array(["a"]), "fingerprint": np.array("x")}, "is no fingerprint"),
    ],
)
def test_embeddings_that_cannot_be_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(CheckpointError, match=message):
        EmbeddedFile.read(tmp_path / "a.npz")
