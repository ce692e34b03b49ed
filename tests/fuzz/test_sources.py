"""Untrusted archives, parquet files and lists, broken in any way, become rows or a documented error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyclip.errors import NumPyCLIPError
from numpyclip.sources.part import ReadOptions
from numpyclip.sources.plan import plan
from numpyclip.sources.read import read_part
from tests.fuzz.test_datasets import EDITS, edited
from tests.shard_files import parquet, tar

FACTS = json.dumps({"key": "a", "width": 3, "deep": [{"a": 1}]}).encode()
ARCHIVE = tar({"a.jpg": b"J", "a.txt": b"one\ntwo", "a.json": FACTS, "b/c.png": b"P", "d.cls": b"1"})


@cache
def table() -> bytes:
    return parquet({"image": [b"A", b"B", None] * 3, "text": ["a", None, "b"] * 3, "n": [1.5] * 9}, group=4)


def check(name: str, content: bytes, folder: Path) -> None:
    path = folder / name
    path.write_bytes(content)
    for kind in ("images", "texts"):
        options = ReadOptions("images" if kind == "images" else "texts")
        try:
            with mock.patch("numpyclip.sources.plan.ROWS", 4):
                rows = [row for part in plan(path, options) for row in read_part(part, options)]
        except NumPyCLIPError:
            continue
        for row in rows:
            assert (row.content is None) == (row.error is not None)
            assert isinstance(row.content, str | bytes | None)
            json.dumps(dict(row.columns), default=str)


@given(edits=EDITS, end=st.integers(0, 600))
def test_archives(edits: Sequence[tuple[int, bytes]], end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    check("fuzz.tar", edited(ARCHIVE, list(edits), end), tmp_path_factory.getbasetemp())


VALUES = st.none() | st.integers() | st.text() | st.floats() | st.lists(st.text(), max_size=2)


@given(facts=st.dictionaries(st.text(st.characters(exclude_categories=())), VALUES, max_size=4))
def test_metadata(facts: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    check("fuzz.tar", tar({"a.jpg": b"J", "a.json": json.dumps(facts).encode()}), tmp_path_factory.getbasetemp())


@given(edits=EDITS, end=st.integers(0, 600))
def test_tables(edits: Sequence[tuple[int, bytes]], end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    check("fuzz.parquet", edited(table(), list(edits), end if end % 3 == 0 else 0), tmp_path_factory.getbasetemp())


@given(content=st.binary(max_size=300))
def test_lists(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    check("fuzz.txt", content.replace(b"://", b""), tmp_path_factory.getbasetemp())
