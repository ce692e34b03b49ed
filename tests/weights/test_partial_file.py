"""What is known of a complete file, and whether a part is it."""

import hashlib
from pathlib import Path

import pytest

from numpyclip.weights.partial_file import Expected, Part

BODY = b'{"a": 1}'


@pytest.mark.parametrize(
    "expected",
    [
        Expected(),
        Expected(8),
        Expected(8, sha256=hashlib.sha256(BODY).hexdigest()),
        Expected(sha256=hashlib.sha256(BODY).hexdigest()),
    ],
)
def test_a_file_that_is_expected(tmp_path: Path, expected: Expected) -> None:
    with Part(tmp_path / "part") as part:
        part.append(BODY)
        assert part.differs(expected) is None
    with Part(tmp_path / "part") as part:  # continued
        assert part.differs(expected) is None


@pytest.mark.parametrize("expected", [Expected(7), Expected(9), Expected(8, sha256="a" * 64)])
def test_a_file_that_is_not(tmp_path: Path, expected: Expected) -> None:
    with Part(tmp_path / "part") as part:
        part.append(BODY)
        assert "expected" in (part.differs(expected) or "")


def test_an_empty_file_may_be_complete(tmp_path: Path) -> None:
    with Part(tmp_path / "part") as part:
        part.settle()
    assert (tmp_path / "part").read_bytes() == b""
    with Part(tmp_path / "part"):
        pass
    assert not (tmp_path / "part").exists()
