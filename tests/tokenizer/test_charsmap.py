"""Sentencepiece's tables of replacements: true ones, and lies of every kind."""

import base64
import json
import random
import re
from collections.abc import Callable
from functools import cache

import pytest

from numpyclip.tokenizer.charsmap import fault
from tests.tokenizer.test_hugging_face import FOLDER


@cache
def table() -> bytes:
    described = json.loads((FOLDER / "t5" / "tokenizer.json").read_text("utf-8"))
    return base64.b64decode(described["normalizer"]["precompiled_charsmap"])


def size() -> int:
    return int.from_bytes(table()[:4], "little")


def with_unit(position: int, unit: int) -> bytes:
    return table()[: 4 + 4 * position] + unit.to_bytes(4, "little") + table()[8 + 4 * position :]


def cyclic() -> bytes:
    """A trie in which the child for "a" of the unit 256 is itself."""
    units = [0] * 512
    units[0] = 256 << 10
    units[256 ^ ord("a")] = ord("a") | ord("a") << 10
    return len(units * 4).to_bytes(4, "little") + b"".join(unit.to_bytes(4, "little") for unit in units) + b"\0"


def test_a_true_table_has_no_fault() -> None:
    assert fault(table()) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"", "a table of 0 bytes with a trie of 0"),
        (lambda: b"\xff\xff\xff\xff" + bytes(8), "a table of 12 bytes with a trie of 4294967295"),
        (lambda: bytes(4) + table()[4:], "with a trie of 0;"),
        (lambda: (size() - 1).to_bytes(4, "little") + table()[4:], "with a trie of 3071;"),
        (lambda: (len(table()) - 4).to_bytes(4, "little") + table()[4:], "with a trie of "),
        (lambda: table()[: size() // 2], "with a trie of 3072"),
        (lambda: table()[: 4 + size()], "a table of 3076 bytes with"),
        (lambda: table() + bytes(2**20), "a table of .* bytes with"),
        (lambda: table()[:-1], "a table whose replacements are not UTF-8, each ended by 0"),
        (lambda: table()[:-1] + b"\xff\0", "a table whose replacements are not UTF-8"),
        (lambda: table() + b"b" * 41 + b"\0", "a table that replaces one character by a long text; expected 40 bytes"),
        (lambda: with_unit(0, 2**32 - 1), "a trie of 768 units with an offset of"),
        (lambda: with_unit(0, 768 << 10), "a trie of 768 units with an offset of 768"),
        (cyclic, "a trie with a cycle, or keys of more than 64 bytes"),
    ],
)
def test_a_lie_is_told(make: Callable[[], bytes], message: str) -> None:
    wrong = fault(make())
    assert wrong is not None
    assert len(wrong) < 200
    assert re.search(message, wrong)


def test_a_position_of_no_replacement_is_told() -> None:
    units = [int.from_bytes(table()[at : at + 4], "little") for at in range(4, 4 + size(), 4)]
    values = [position for position, unit in enumerate(units) if unit >> 31]
    inside = table().index(b"!!", 4 + size()) + 1 - 4 - size()
    told = {fault(with_unit(position, 2**31 + inside)) for position in values}
    assert any(each is not None and "a position where no replacement starts" in each for each in told)


def test_damaged_tries_are_read_or_told() -> None:
    chance = random.Random(0)
    told = set()
    for _ in range(300):
        damaged = bytearray(table())
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        told.add((fault(bytes(damaged)) or "nothing")[:20])
    assert len(told) > 3
