"""Tokenizers of untrusted folders, read by native packages: in a process whose end would be seen."""

import json
import random
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.json_changes import changed, damaged
from tests.tokenizer.child import Child

pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
pytest.importorskip("sentencepiece", reason="the extra numpyclip[tokenizers] is not installed")
pytest.importorskip("resource", reason="no limits of memory on this system")

GOLDEN = Path(__file__).parents[1] / "golden" / "tokenizers"
CORPUS = Path(__file__).parent / "corpus" / "tokenizer"
FILES = sorted(path for path in GOLDEN.glob("*/*") if path.name != "tokenizer_config.json")
JSON = [path for path in FILES if path.suffix == ".json"]


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizer")


@cache
def content(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def read(child: Child, folder: Path, path: Path, data: bytes) -> str:
    shutil.rmtree(folder)
    shutil.copytree(path.parent, folder)
    (folder / path.name).write_bytes(data)
    answer = child.read(folder)
    assert answer.startswith(("read", "refused: ")), f"{path.parent.name}/{path.name}: {answer}"
    return answer


@given(path=st.sampled_from(JSON), chance=st.randoms(use_true_random=False))
def test_a_changed_value_is_read_or_refused(child: Child, folder: Path, path: Path, chance: random.Random) -> None:
    read(child, folder, path, changed(content(path), chance))


@given(path=st.sampled_from(FILES), chance=st.randoms(use_true_random=False))
def test_damaged_bytes_are_read_or_refused(child: Child, folder: Path, path: Path, chance: random.Random) -> None:
    read(child, folder, path, damaged(path.read_bytes(), chance))


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.stem)
def test_what_once_ended_or_blocked_the_process_is_refused(child: Child, folder: Path, path: Path) -> None:
    (folder / "tokenizer.json").write_bytes(path.read_bytes())
    (folder / "tokenizer_config.json").write_text("{}")
    assert child.read(folder).startswith("refused: ")


@pytest.mark.exhaustive
def test_thousands_of_damages_are_read_or_refused(child: Child, folder: Path) -> None:
    for seed in range(4000):
        chance = random.Random(seed)
        path = chance.choice(FILES)
        is_json = path.suffix == ".json" and seed % 2
        data = changed(content(path), chance) if is_json else damaged(path.read_bytes(), chance)
        read(child, folder, path, data)
