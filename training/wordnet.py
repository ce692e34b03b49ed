"""Words that mean nearly the same, of WordNet 3.0: synonyms, the next wider word, and narrower ones."""

import re
from functools import cache
from pathlib import Path

import numpyclip

_MOST = 5
_MOST_NARROWER = 200
_DEEPEST = 5  # steps down to narrower words: "bird", "passerine", "oscine", "corvine bird", "magpie"
_TOKENS = 2  # of a narrower word at most: words that OpenAI's vocabulary has no short way to write are rare


class WordNet:
    """Nouns by their first, most usual, sense.

    Parameters
    ----------
    packages : Path
        With wordnet.
    """

    def __init__(self, packages: Path) -> None:
        folder = packages / "wordnet" / "usr/share/wordnet"
        self._first_sense = {parts[0]: parts[-int(parts[2])] for parts in map(str.split, _lines(folder / "index.noun"))}
        self._senses: dict[str, tuple[list[str], str | None]] = {}
        self._below: dict[str, list[str]] = {}
        for line in _lines(folder / "data.noun"):
            parts = line.partition(" | ")[0].split()
            count = int(parts[3], 16)
            words = [parts[4 + 2 * n].replace("_", " ").lower() for n in range(count)]
            pointers = " ".join(parts[4 + 2 * count :])
            wider = re.search(r"(?:^| )@ (\d{8}) n", pointers)
            self._senses[parts[0]] = words, wider[1] if wider else None
            self._below[parts[0]] = re.findall(r"(?:^| )~ (\d{8}) n", pointers)

    def words(self, caption: str) -> list[str]:
        """Return synonyms of a caption that is a noun, or of the noun at its end, and the next wider word."""
        whole = re.sub(r"\W+", "_", caption.strip().lower())
        last = whole.rpartition("_")[2] if whole.count("_") == 1 else ""
        for noun in (whole, whole.removesuffix("s"), last):
            if noun in self._first_sense:
                synonyms, wider = self._senses[self._first_sense[noun]]
                near = [word for word in synonyms if word != caption] if noun == whole else synonyms[:2]
                return [*near, *(self._senses[wider][0][:1] if wider else ())][:_MOST]
        return []

    def narrower(self, caption: str) -> list[str]:
        """Return usual words for kinds of what a caption names, if it is a noun: of "bird" "magpie", "jay", ..."""
        noun = re.sub(r"\W+", "_", caption.strip().lower())
        if noun not in self._first_sense:
            return []
        found: dict[str, None] = {}
        senses = [self._first_sense[noun]]
        for _ in range(_DEEPEST):
            senses = [below for sense in senses for below in self._below[sense]]
            for sense in senses:
                # A pen may be a swan, too, but hardly ever is: only what a word means first counts.
                meant = (word for word in self._senses[sense][0] if self._first_sense.get(word) == sense)
                found |= dict.fromkeys(word for word in meant if self._is_usual(word))
        return [word for word in found if word != caption][:_MOST_NARROWER]

    @staticmethod
    @cache
    def _is_usual(word: str) -> bool:
        return " " not in word and bool((numpyclip.tokenize(word, truncate=True) != 0).sum() - 2 <= _TOKENS)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if not line.startswith(" ")]
