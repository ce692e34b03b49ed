"""Untrusted archives, lists of labels and probes, broken in any way, are read or refused with a documented error."""

import contextlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpyclip.errors import NumPyCLIPError
from numpyclip.tasks import Examples, learn, read_probe, save_probe
from numpyclip.tasks.evaluation.datasets.webdataset import tar_examples
from numpyclip.tasks.labels import read_labels
from numpyclip.tasks.prompts import templates

ANY = st.characters(exclude_categories=())
EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=4)), max_size=4)


def edited(content: bytes, edits: list[tuple[int, bytes]], end: int) -> bytes:
    """A file with some bytes changed, and cut."""
    changed = bytearray(content)
    for place, new in edits:
        at = place % len(changed)
        changed[at : at + len(new)] = new
    return bytes(changed[: len(changed) - end % 600])


def archive() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in {"a.jpg": b"J", "a.txt": b"one\ntwo", "a.json": b'{"label": 1}', "b/c.png": b"P"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


ARCHIVE = archive()


@given(edits=EDITS, end=st.integers(0, 600))
def test_archives(edits: list[tuple[int, bytes]], end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.tar"
    path.write_bytes(edited(ARCHIVE, edits, end))
    problems: list[NumPyCLIPError] = []
    for example in tar_examples(path, problems.append):
        assert isinstance(example.picture, bytes)
        assert example.label is not None or example.captions
    assert all(isinstance(problem, NumPyCLIPError) for problem in problems)


@given(
    content=st.binary(max_size=200) | st.text(ANY).map(lambda text: text.encode("utf-8", "surrogatepass")),
    table=st.booleans(),
)
def test_lists_of_labels_and_templates(content: bytes, table: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / ("fuzz.csv" if table else "fuzz.txt")
    path.write_bytes(content)
    for read in (read_labels, templates):
        with contextlib.suppress(NumPyCLIPError):
            read(str(path))


@given(edits=EDITS, end=st.integers(0, 600))
def test_probes(edits: list[tuple[int, bytes]], end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.npz"
    if not whole.exists():
        save_probe(learn(Examples.of(np.eye(4), ["a", "a", "b", "b"])), whole)
    path = Path(folder, "fuzz.npz")
    path.write_bytes(edited(whole.read_bytes(), edits, end if end % 3 else 0))
    try:
        probe = read_probe(path)
    except NumPyCLIPError:
        return
    assert probe.classes == read_probe(whole).classes
    assert np.isfinite(probe.probabilities(np.eye(4))).all()
