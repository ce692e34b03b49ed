"""Small untrusted files: bounded in bytes, and JSON in values."""

import json
import tracemalloc
from pathlib import Path

import pytest

from numpyclip.errors import CheckpointError
from numpyclip.weights.json_file import parse_json, read_bytes, read_json_object


def test_a_large_vocabulary_is_parsed() -> None:
    vocabulary = {
        "model": {"vocab": {f"{i}</w>": i for i in range(49408)}, "merges": [[str(i), "x"] for i in range(48894)]}
    }
    assert parse_json(json.dumps(vocabulary).encode()) == vocabulary


@pytest.mark.parametrize("part", [b"[],", b"{},", b'{"a":0},', b"[[[]]],", b'"a",', b"1.5,", b"[0],"])
@pytest.mark.parametrize("unique", [False, True])
def test_more_values_than_memory_are_refused(part: bytes, unique: bool) -> None:
    content = b"[" + part * (4_000_000 // len(part)) + b"0]"
    tracemalloc.start()
    try:
        parse_json(content, unique)
    except ValueError as error:
        assert "far too many" in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2**26 + 3 * len(content)


def test_a_file_with_too_many_bytes_or_values_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b'{"a": 1}')
    assert read_json_object(file, 8, "a config file") == {"a": 1}
    with pytest.raises(CheckpointError, match=r"config\.json: has more than 7 bytes; expected a config file"):
        read_bytes(file, 7, "a config file")
    file.write_bytes(b"[" + b"{}," * 500_000 + b"{}]")
    with pytest.raises(CheckpointError, match=r"config\.json: not JSON .*it has 1000002 values, far too many"):
        read_json_object(file, 2**24, "a config file")
