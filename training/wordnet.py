"""WordNet 3.0: synonyms, hypernyms, hyponyms and definitions of words, and which of them are visible things."""

import re
from functools import cache
from pathlib import Path

import numpyclip

_MOST = 5
_MOST_NARROWER = 200
_DEEPEST = 5  # steps down to narrower words: "bird", "passerine", "oscine", "corvine bird", "magpie"
_TOKENS = 2  # of a narrower word at most: words that OpenAI's vocabulary has no short way to write are rare
# Of lexicographers' files, lexnames(5WN): animals, artifacts, bodies, food, natural objects, persons, plants.
_VISIBLE = frozenset({"05", "06", "08", "13", "17", "18", "20"})
_LONGEST = 90  # letters of a definition


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
        self._definitions: dict[str, str] = {}
        self._files: dict[str, str] = {}
        for line in _lines(folder / "data.noun"):
            data, _, gloss = line.partition(" | ")
            parts = data.split()
            count = int(parts[3], 16)
            words = [parts[4 + 2 * n].replace("_", " ").lower() for n in range(count)]
            pointers = " ".join(parts[4 + 2 * count :])
            wider = re.search(r"(?:^| )@ (\d{8}) n", pointers)
            self._senses[parts[0]] = words, wider[1] if wider else None
            self._below[parts[0]] = re.findall(r"(?:^| )~ (\d{8}) n", pointers)
            self._definitions[parts[0]] = _definition(gloss)
            self._files[parts[0]] = parts[1]

    def words(self, caption: str) -> list[str]:
        """Return synonyms of a caption that is a noun, or of the noun at its end, and the next wider word."""
        whole = _noun(caption)
        last = whole.rpartition("_")[2] if whole.count("_") == 1 else ""
        for noun in (whole, whole.removesuffix("s"), last):
            if sense := self._thing(noun):  # of other words, what is drawn is rarely the first sense
                synonyms, wider = self._senses[sense]
                near = [word for word in synonyms if word != caption] if noun == whole else synonyms[:2]
                return [*near, *(self._senses[wider][0][:1] if wider else ())][:_MOST]
        return []

    def narrower(self, caption: str) -> list[str]:
        """Return usual words for kinds of what a caption names, if it is a noun: of "bird" "magpie", "jay", ..."""
        noun = _noun(caption)
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

    def definition(self, caption: str) -> str:
        """Return what a caption means, if it is a thing: "warm-blooded egg-laying vertebrates ..."; else ""."""
        sense = self._thing(_noun(caption))
        return self._definitions[sense] if sense else ""

    def is_thing(self, caption: str) -> bool:
        """Tell whether a caption is a noun, or the plural of one, for what one can see and touch."""
        noun = _noun(caption)
        return bool(self._thing(noun) or self._thing(noun.removesuffix("s")))

    def dictionary(self) -> list[tuple[str, list[str]]]:
        """Return common words for kinds of things, each with synonyms, the next wider word and its definition."""
        entries = []
        for noun in self._first_sense:
            sense = self._thing(noun)
            is_kind = sense and self._senses[sense][1] is not None  # and no one's name
            if is_kind and self._tokens(noun) == 1:
                entries.append((noun, [*self.words(noun), self._definitions[sense]]))
        return entries

    def _thing(self, noun: str) -> str | None:
        """Return the first sense of a noun, if one can see and touch what it means."""
        sense = self._first_sense.get(noun)
        return sense if sense and self._files[sense] in _VISIBLE else None

    def _is_usual(self, word: str) -> bool:
        return " " not in word and self._tokens(word) <= _TOKENS

    @staticmethod
    @cache
    def _tokens(word: str) -> int:
        return int((numpyclip.tokenize(word, truncate=True) != 0).sum()) - 2


def _noun(caption: str) -> str:
    return re.sub(r"\W+", "_", caption.strip().lower())


def _definition(gloss: str) -> str:
    """Take the first definition, without examples and what stands in brackets, up to the last whole part of it."""
    text = re.sub(r"\([^)]*\)", "", gloss.partition('; "')[0])
    text = re.sub(r"\s+", " ", text).strip(" ;:,")
    return text if len(text) <= _LONGEST else re.split(r"[;,]? \S*$", text[:_LONGEST])[0]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if not line.startswith(" ")]
