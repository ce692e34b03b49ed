from pathlib import Path

import numpy as np
import pytest

from numpyclip.runtime import digest as module
from numpyclip.runtime.digest import digest
from numpyclip.runtime.prepared import prepared_files
from numpyclip.weights.checkpoint import Checkpoint

HALVES = np.arange(6, dtype=np.float16).reshape(2, 3) / 8
IDENTITY = "0123456789abcdef" * 2


def _digest(**arrays: np.ndarray) -> str:
    return digest(Checkpoint(Path("f"), arrays))


def test_it_is_that_of_the_numbers_whatever_holds_them() -> None:
    expected = _digest(a=HALVES, b=np.ones(1, np.float32))
    assert _digest(b=np.ones((), np.float16), a=HALVES.astype(">f8")) == expected
    assert _digest(a=np.asfortranarray(HALVES.astype(np.float32)), b=np.ones(1, np.float32)) == expected


def test_it_changes_with_a_number_a_place_and_a_name() -> None:
    one, two = np.ones(2, np.float32), np.full(2, 2, np.float32)
    found = {_digest(a=one, b=two), _digest(a=two, b=one), _digest(a=one, c=two), _digest(a=one)}
    found |= {_digest(a=one, b=np.nextafter(two, np.float32(3)))}
    found |= {_digest(a=np.array([1, 1, 2], np.float32), b=two[:1])}
    assert len(found) == 6


def test_it_is_remembered_by_the_file_and_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_BYTES", 1)
    first = digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    [file] = prepared_files()
    monkeypatch.setattr(module, "_compute", lambda checkpoint: "f" * 64)
    assert digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == first
    assert digest(Checkpoint(Path("f"), {"b": HALVES}, identity=IDENTITY)) != first
    assert digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY[::-1])) != first
    assert digest(Checkpoint(Path("f"), {"a": HALVES})) != first
    file.write_text("not sixty-four digits")
    assert digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == "f" * 64


@pytest.mark.parametrize("content", ["0" * 64, "0" * 128, None])
def test_a_damaged_one_is_computed_again(monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    monkeypatch.setattr(module, "_LEAST_BYTES", 1)
    first = digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    [file] = prepared_files()
    known = file.read_text()
    file.write_text(content or known.replace(known[0], "0" if known[0] != "0" else "1", 1))
    assert digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == first
    assert file.read_text() == known


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_BYTES", 1)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "file"))
    assert len(digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))) == 64


def test_small_files_are_read_again() -> None:
    digest(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    assert prepared_files() == []
