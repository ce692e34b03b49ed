"""What is known of a complete file, and whether a part is it."""

import hashlib
from pathlib import Path

import pytest

from numpyclip.weights.partial_file import Expected, Part

BODY = b'{"a": 1}'
GIT = hashlib.sha1(b"blob 8\0" + BODY).hexdigest()


@pytest.mark.parametrize(
    ("etag", "expected"),
    [
        ("a" * 64, Expected(8, sha256="a" * 64)),
        ("b" * 40, Expected(8, sha1="b" * 40)),
        ("5f3-abc", Expected(8)),
        ("A" * 64, Expected(8)),
    ],
)
def test_an_etag_is_a_hash_by_its_length(etag: str, expected: Expected) -> None:
    assert Expected.by_etag(etag, 8) == expected
    assert expected.has_hash == (etag[0] in "ab")


@pytest.mark.parametrize(
    "expected",
    [
        Expected(),
        Expected(8),
        Expected(8, sha256=hashlib.sha256(BODY).hexdigest()),
        Expected(sha1=GIT),
        Expected(sha1=hashlib.sha1(BODY).hexdigest()),
    ],
)
def test_a_file_that_is_expected(tmp_path: Path, expected: Expected) -> None:
    with Part(tmp_path / "part") as part:
        part.append(BODY)
        assert part.differs(expected) is None
    with Part(tmp_path / "part") as part:  # continued
        assert part.differs(expected) is None


@pytest.mark.parametrize(
    "expected", [Expected(7), Expected(9), Expected(8, sha256="a" * 64), Expected(8, sha1="a" * 40)]
)
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
