r"""Make src/numpyclip/data/unicode_classes.txt, the tables behind the splitting of text into words.

    python tools/make_unicode_classes.py        (needs the package `regex`)

Asks `regex` itself, code point by code point and with IGNORECASE as in openai/CLIP, which of the three
alternatives ``[\p{L}]``, ``[\p{N}]`` and ``[^\s\p{L}\p{N}]`` matches.  What none matches is a gap between
words: white space, and U+0345, which IGNORECASE makes too much of a letter for the third alternative (its
capital is one) but not enough of one for the first.
"""

from collections.abc import Iterator
from pathlib import Path

import regex

TARGET = Path(__file__).parent.parent / "src" / "numpyclip" / "data" / "unicode_classes.txt"
EVERY_CHARACTER = "".join(map(chr, range(0x110000)))
HEADER = f"""\
# Which code points are letters, numbers and gaps, as first and last of each range; all others are marks.
# Made by tools/make_unicode_classes.py from regex {regex.__version__}; do not edit.
"""


def matched(pattern: str) -> set[int]:
    return set(map(ord, regex.findall(pattern, EVERY_CHARACTER, regex.IGNORECASE)))


def ranges(points: set[int]) -> Iterator[tuple[int, int]]:
    for first in sorted(p for p in points if p - 1 not in points):
        last = first
        while last + 1 in points:
            last += 1
        yield first, last


def main() -> None:
    letters, numbers, marks = matched(r"[\p{L}]"), matched(r"[\p{N}]"), matched(r"[^\s\p{L}\p{N}]")
    gaps = set(range(0x110000)) - letters - numbers - marks
    if letters & numbers or letters & marks or numbers & marks:
        raise SystemExit("a code point is in two classes; the tokenizer expects the classes to be disjoint")
    lines = [
        f"{name} {first:04X} {last:04X}\n"
        for name, points in (("letter", letters), ("number", numbers), ("gap", gaps))
        for first, last in ranges(points)
    ]
    TARGET.write_text(HEADER + "".join(lines), encoding="ascii", newline="\n")
    print(f"{TARGET}: {len(lines)} ranges")


if __name__ == "__main__":
    main()
