"""Sentencepiece's table of replacements: validated before a package follows its offsets.

::

    size of the trie, uint32 | trie: a double array of uint32 | the replacements, each ended by 0

A unit of the trie has a label (bits 0-7, and 31), the flag that a key ends there (8), and the offset of its children
(10 and up, times 256 if bit 9 is set). Its child for the byte c is the unit at its own position XOR the offset XOR c,
if the label of that is c. For the end of a key (c = 0) that unit has the position of a replacement instead.
"""

import numpy as np
from numpy.typing import NDArray

MAX_REPLACEMENT = 40  # bytes for one character; the table in published models has 33
_MAX_TABLE = 2**20  # bytes; there, 240,000
_MAX_KEY = 64  # bytes; there, 12
_LABEL = 0x800000FF
_ENDS = 0x100
_IS_VALUE = 0x80000000

_Units = NDArray[np.int64]


def fault(table: bytes) -> str | None:
    """Say what is wrong with a table, None if nothing is."""
    size = int.from_bytes(table[:4], "little")
    if size == 0 or size % 4 or not 4 + size < len(table) <= _MAX_TABLE:
        return f"a table of {len(table)} bytes with a trie of {size}; expected one of sentencepiece's"
    units: _Units = np.frombuffer(table, "<u4", size // 4, 4).astype(np.int64)
    texts = table[4 + size :]
    if not texts.endswith(b"\0") or not _is_utf8(texts):
        return "a table whose replacements are not UTF-8, each ended by 0"
    if max(map(len, texts.split(b"\0"))) > MAX_REPLACEMENT:
        return f"a table that replaces one character by a long text; expected {MAX_REPLACEMENT} bytes or fewer"
    return _trie_fault(units, texts)


def _trie_fault(units: _Units, texts: bytes) -> str | None:
    """Visit all units that can be reached, one byte of the keys after another."""
    labels, offsets = units & _LABEL, (units >> 10 & 0x3FFFFF) << np.where(units & 0x200, 8, 0)
    parents = np.where((labels > 0) & (labels < _IS_VALUE), np.arange(len(units)) ^ labels, -1)
    starts = np.flatnonzero(np.frombuffer(b"\0" + texts[:-1], np.uint8) == 0)
    reached: _Units = np.zeros(1, np.int64)
    for _ in range(_MAX_KEY + 1):
        bases = reached ^ offsets[reached]
        if bases.max() | 0xFF >= len(units):
            return f"a trie of {len(units)} units with an offset of {bases.max()}"
        values = units[bases[units[reached] & _ENDS != 0]]
        if not np.isin(values & ~_IS_VALUE, starts).all():
            return f"a trie with a position where no replacement starts, in {len(texts)} bytes"
        reached = np.flatnonzero(np.isin(parents, bases))
        if not len(reached):
            return None
    return f"a trie with a cycle, or keys of more than {_MAX_KEY} bytes"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
