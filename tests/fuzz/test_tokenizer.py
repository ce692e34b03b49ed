"""Tokenizers of untrusted folders, read by native packages: in a process whose end would be seen."""

import copy
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

from tests.tokenizer.child import Child

pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
pytest.importorskip("sentencepiece", reason="the extra numpyclip[tokenizers] is not installed")
pytest.importorskip("resource", reason="no limits of memory on this system")

GOLDEN = Path(__file__).parents[1] / "golden" / "tokenizers"
CORPUS = Path(__file__).parent / "corpus" / "tokenizer"
FILES = sorted(path for path in GOLDEN.glob("*/*") if path.name != "tokenizer_config.json")
JSON = [path for path in FILES if path.suffix == ".json"]
ODD: list[Any] = [
    *(None, True, -1, 0, 1, 17, 2**31, 2**32 - 1, 2**64, 10**400, 0.5, 1e308, -1e308),
    *("", " ", "\0", "\ud800", "a", "a" * 1000, "(?:a*)*b", "Sequence", "Regex", "Precompiled", "/////wAAAAAAAAAA"),
    *([], {}, [[]] * 20, ["a", "a"], {"type": "Replace", "pattern": {"Regex": ""}, "content": "a"}),
]


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


def changed_json(path: Path, chance: random.Random) -> bytes:
    """Replace, remove or double one to three values anywhere in a file."""
    changed = copy.deepcopy(content(path))
    for _ in range(chance.randint(1, 3)):
        parent, keys = changed, list(changed)
        while True:
            key = chance.choice(keys)
            value = parent[key]
            if not isinstance(value, dict | list) or not value or chance.random() < 0.2:
                break
            parent, keys = value, list(value) if isinstance(value, dict) else list(range(len(value)))
        what = chance.random()
        if what < 0.2:
            del parent[key]
            if not parent and parent is changed:
                return b"{}"
        elif what < 0.3 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(chance.choice([value, *ODD])))
        else:
            parent[key] = copy.deepcopy(chance.choice(ODD))
    return json.dumps(changed).encode()


def damaged(path: Path, chance: random.Random) -> bytes:
    """Overwrite, cut out or repeat a few bytes."""
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        position, length = chance.randrange(len(data)), chance.choice([1, 1, 1, 4, 100])
        what = chance.random()
        if what < 0.6:
            data[position : position + length] = chance.randbytes(length)
        elif what < 0.8:
            del data[position : position + length]
        else:
            data[position:position] = data[position : position + length]
        data = data or bytearray(b"\0")
    return bytes(data)


@given(path=st.sampled_from(JSON), chance=st.randoms(use_true_random=False))
def test_a_changed_value_is_read_or_refused(child: Child, folder: Path, path: Path, chance: random.Random) -> None:
    read(child, folder, path, changed_json(path, chance))


@given(path=st.sampled_from(FILES), chance=st.randoms(use_true_random=False))
def test_damaged_bytes_are_read_or_refused(child: Child, folder: Path, path: Path, chance: random.Random) -> None:
    read(child, folder, path, damaged(path, chance))


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
        data = changed_json(path, chance) if path.suffix == ".json" and seed % 2 else damaged(path, chance)
        read(child, folder, path, data)
