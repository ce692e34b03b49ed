from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import CorruptCheckpointError
from numpyclip.runtime import digest as module
from numpyclip.runtime.digest import Digests, digests
from numpyclip.runtime.prepared import prepared_files
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.int8 import scaled
from numpyclip.weights.low_rank import adapt

HALVES = np.arange(6, dtype=np.float16).reshape(2, 3) / 8
IDENTITY = "0123456789abcdef" * 2
OTHER = Digests("f" * 64, "")


def _digest(**arrays: np.ndarray) -> str:
    return digests(Checkpoint(Path("f"), arrays)).exact


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
    first = digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    [file] = prepared_files()
    monkeypatch.setattr(module, "_compute", lambda checkpoint: OTHER)
    assert digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == first
    assert digests(Checkpoint(Path("f"), {"b": HALVES}, identity=IDENTITY)) != first
    assert digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY[::-1])) != first
    assert digests(Checkpoint(Path("f"), {"a": HALVES})) != first
    file.write_text("not sixty-four digits")
    assert digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == OTHER


@pytest.mark.parametrize("content", ["0" * 64, "0 0 0", "0" * 300, None])
def test_a_damaged_one_is_computed_again(monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    monkeypatch.setattr(module, "_LEAST_BYTES", 1)
    first = digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    [file] = prepared_files()
    known = file.read_text()
    file.write_text(content or known.replace(known[0], "0" if known[0] != "0" else "1", 1))
    assert digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)) == first
    assert file.read_text() == known


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_BYTES", 1)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "file"))
    assert len(digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY)).exact) == 64


def test_small_files_are_read_again() -> None:
    digests(Checkpoint(Path("f"), {"a": HALVES}, identity=IDENTITY))
    assert prepared_files() == []


def _rounded(**arrays: np.ndarray) -> str:
    return digests(Checkpoint(Path("f"), {name.replace("__", "."): array for name, array in arrays.items()})).float16


def test_the_rounded_one_is_that_of_the_numbers_in_float16() -> None:
    close = HALVES.astype(np.float32) * np.float32(1 + 2**-13)
    assert _rounded(a=close) == _rounded(a=HALVES) == _rounded(a=HALVES.astype(">f8")) != ""
    assert _digest(a=close) != _digest(a=HALVES)
    assert _rounded(a=HALVES.astype(np.float32) * np.float32(1 + 2**-9)) != _rounded(a=HALVES)
    assert _rounded(a=HALVES, b=HALVES) != _rounded(a=HALVES, c=HALVES)


def test_the_rounded_one_is_that_of_one_layout() -> None:
    q, k, v = (number * np.eye(3, dtype=np.float32) for number in (1, 2, 3))
    joined = _rounded(x__in_proj_weight=np.concatenate([q, k, v]), visual__proj=np.ones((2, 3), np.float32))
    apart = {"x__q_proj__weight": q, "x__k_proj__weight": k, "x__v_proj__weight": v}
    assert _rounded(**apart, visual__proj__weight=np.ones((3, 2), np.float32)) == joined
    two = {"x__q_proj__weight": q, "x__kv_proj__weight": np.concatenate([k, v])}
    assert _rounded(**two, visual__proj__weight=np.ones((3, 2), np.float32)) == joined
    assert _rounded(**{**apart, "x__q_proj__weight": k, "x__k_proj__weight": q}) != _rounded(**apart)
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert _rounded(text_projection=table) == _rounded(text_projection__weight=table.T) != _rounded(a=table)


def test_there_is_no_rounded_one_of_what_float16_cannot_hold() -> None:
    assert _rounded(a=np.array([65504.0, 1], np.float32)) != ""
    assert _rounded(a=np.array([70000.0, 1], np.float32)) == ""
    with pytest.raises(CorruptCheckpointError, match="tensor 'a' holds NaN or infinity"):
        _rounded(a=np.array([np.nan, np.inf], np.float32))
    assert _rounded(a=scaled(np.ones((2, 3), np.int8), np.ones(2, np.float32))) == ""


def test_adapters_count() -> None:
    plain = Checkpoint(Path("f"), {"a": HALVES})
    column = np.ones((2, 1), np.float32)
    found = [digests(plain)] + [
        digests(adapt(plain, {"a": (column, np.full((1, 3), 0.5 * task, np.float32))}, "")) for task in (1, 2)
    ]
    assert len({each.exact for each in found}) == len({each.float16 for each in found}) == 3
