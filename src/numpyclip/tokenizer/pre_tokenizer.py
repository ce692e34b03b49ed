r"""Clean text → words, as openai/CLIP splits it.

openai/CLIP uses the package `regex` and the properties ``\p{L}``, ``\p{N}`` and ``\s``, under IGNORECASE. Here the
standard `re` gets these classes as ranges, recorded from `regex` by tools/make_unicode_classes.py, so that ids do not
depend on Python's version of Unicode. (Cleaning does, as in the reference.)
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

_CLASSES = Path(__file__).parents[1] / "data" / "unicode_classes.txt"
START_OF_TEXT = "<|startoftext|>"  # id 49406
END_OF_TEXT = "<|endoftext|>"  # id 49407; argmax finds it, as no id is larger


def _word_pattern(letters: str, numbers: str, gaps: str, fixed: str) -> re.Pattern[str]:
    """Compile the pattern of a word from the contents of three character classes, and the words of fixed spelling.

    Letters and numbers are last in the reference. No other alternative starts with one, so first is equal and faster.
    """
    return re.compile(rf"[{letters}]+|[{numbers}]|{fixed}|[^{gaps}{letters}{numbers}]+")


def _fixed_words(special: tuple[str, str], ignore_case: bool) -> str:
    start, end = map(re.escape, special)
    return rf"(?{'i' if ignore_case else ''}:{start}|{end}|'s|'t|'re|'ve|'m|'ll|'d)"  # i: a long s is an s, too


@cache
def _ascii_words(special: tuple[str, str], ignore_case: bool) -> re.Pattern[str]:
    return _word_pattern("A-Za-z", "0-9", r"\t-\r ", _fixed_words(special, ignore_case))


@cache
def _unicode_words(special: tuple[str, str], ignore_case: bool) -> re.Pattern[str]:
    classes: dict[str, str] = defaultdict(str)
    for line in _CLASSES.read_text("ascii").splitlines():
        if not line.startswith("#"):
            name, first, last = line.split()
            if ignore_case or (name, first) != ("gap", "0345"):  # a gap to `regex` under IGNORECASE only
                classes[name] += rf"\U{first:0>8}-\U{last:0>8}"
    return _word_pattern(classes["letter"], classes["number"], classes["gap"], _fixed_words(special, ignore_case))


def split(text: str, special: tuple[str, str] = (START_OF_TEXT, END_OF_TEXT), *, ignore_case: bool = True) -> list[str]:
    """Split clean text into runs of letters, single digits, runs of other marks, and English endings."""
    pattern = (_ascii_words if text.isascii() else _unicode_words)(special, ignore_case)
    words: list[str] = pattern.findall(text)
    return words
