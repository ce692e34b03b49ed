"""English words: articles, plurals, known nouns, opposites (data/english.txt), lists of answers (data/answers.txt)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from numpyclip.tasks.vocabulary import everyday_nouns, read_words

_SOUNDS_LIKE_A_CONSONANT = re.compile(r"uni(?!n|m)|use|usu|eu|one|once|uk|u-|ura|ute", re.IGNORECASE)
_SOUNDS_LIKE_A_VOWEL = re.compile(r"[aeiou]|hour|honest|honou?r|heir|x-|mri\b|8|11\b|18\b", re.IGNORECASE)


@cache
def words(name: str) -> frozenset[str]:
    """Read a list of words, such as "prepositions"."""
    return frozenset(dict(line.split(": ") for line in read_words("english"))[name].split())


@cache
def answer_lists() -> dict[str, tuple[str, ...]]:
    """Read the lists of answers by name; one with two names, "drink" and "beverage", is listed twice."""
    rows = [line.split(": ") for line in read_words("answers")]
    return {name: tuple(answers.split(", ")) for names, answers in rows for name in names.split("/")}


@cache
def _nouns() -> frozenset[str]:
    """Return the known nouns, and their last words: "teddy bear" and "bear"."""
    listed = {answer for name, answers in answer_lists().items() if name != "colour" for answer in answers}
    whole = {*listed, *everyday_nouns(), *words("mass"), *words("nouns"), *words("plurals")}
    verbs = words("gerunds") - everyday_nouns().keys()
    return frozenset(noun for phrase in whole for noun in (phrase, phrase.split()[-1]) if noun not in verbs)


@cache
def attributes() -> frozenset[str]:
    """Return the adjectives that may precede a noun: colors, opposites and others."""
    opposites = {word for pair in words("opposites") for word in pair.split("/")}
    not_before = words("behind") | words("gerunds") | words("mass")
    return frozenset({*(opposites - not_before), *answer_lists()["colour"], *read_words("adjectives")})


def rivals(word: str) -> list[str]:
    """Return what excludes a word: of a color the other colors, of "open" "closed"; nothing of most words."""
    colours = answer_lists()["colour"]
    if (plain := {"gray": "grey"}.get(word, word)) in colours:
        return [colour for colour in colours if colour != plain]
    pairs = sorted(pair.split("/") for pair in words("opposites"))
    return [other for pair in pairs if word in pair for other in pair if other != word]


def singular(noun: str) -> str:
    """Return the known noun of a plural, by its form."""
    found = [form for form in (noun[:-3] + "y", noun[:-2], noun[:-1]) if form in _nouns() or form in answer_lists()]
    return found[-1] if found else noun[:-1]


def is_plural(noun: str) -> bool:
    """Tell whether a noun is plural, by its form: "dogs" and "men", but not "canvas"."""
    regular = noun.endswith("s") and not noun.endswith(("ss", "us", "is")) and noun not in words("singulars")
    return regular or noun in words("plurals")


def is_noun(word: str) -> bool:
    """Tell whether a noun is known: "bear", "bears" and "teddy bear"."""
    return word in _nouns() or (is_plural(word) and singular(word) in _nouns())


def is_break(word: str) -> bool:
    """Tell whether a noun ends before this word, which says where, what or how it is."""
    return not is_noun(word) and any(word in words(name) for name in ("prepositions", "gerunds", "behind"))


def noun_end(parts: Sequence[str]) -> int:
    """Find the end of the noun that a phrase begins with: 2 for "old man riding a horse"."""
    return next((n for n, word in enumerate(parts) if n and is_break(word)), len(parts))


def with_article(phrase: str, *, single: bool | None = None) -> str:
    """Put "a" or "an" before a singular noun phrase; by default its noun, "slice" in "slice of pizza", says if it is.

    Examples
    --------
    >>> with_article("umbrella"), with_article("slice of pizza"), with_article("dogs"), with_article("a dog")
    ('an umbrella', 'a slice of pizza', 'dogs', 'a dog')
    """
    low = phrase.lower().split()
    noun = low[noun_end(low) - 1]
    if single is None:
        single = not is_plural(noun)
    named = phrase[0].isupper() or not phrase[0].isalpha() or low[0] in words("determiners") | words("refused")
    if named or is_break(low[0]) or not single or noun in words("mass"):
        return phrase
    return f"{article(phrase)} {phrase}"


def article(phrase: str) -> str:
    """Choose "a" or "an", by the sound that a phrase begins with."""
    vowel = _SOUNDS_LIKE_A_VOWEL.match(phrase) and not _SOUNDS_LIKE_A_CONSONANT.match(phrase)
    return "an" if vowel else "a"
