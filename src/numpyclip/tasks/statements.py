"""YES/NO QUESTION → STATEMENT: what a caption would say if the answer is yes.

Statements are noun phrases such as "a red car": a model trained on captions scores them better than sentences.
"""

from __future__ import annotations

import re

from numpyclip.tasks.english import (
    answer_lists,
    article,
    attributes,
    is_break,
    is_noun,
    is_plural,
    noun_end,
    rivals,
    with_article,
    words,
)

BE = "(?:is|are|was|were)"
SINGULAR = ("is", "was")
IT = "(?:it|this|that|these|those|they|he|she)"
DETERMINER = "(?:the|this|that|these|those|my|your|his|her|its|our|their|an?)"
_WORD = re.compile(r"[^\W\d_][\w'-]*")


def statement_of(plain: str) -> str | None:
    """Return the statement that is true if the answer is yes; None if the question is not understood."""
    if found := re.fullmatch(rf"{BE} there (.+)", plain):
        return _thing(found[1])
    found = re.fullmatch(rf"{BE} (?:the|this|that) (.+?) (an? .+)", plain)
    if found and found[1] in {*answer_lists(), "thing", "object"}:  # "is the animal a dog"
        return _thing(found[2])
    found = re.fullmatch(rf"({BE}) {DETERMINER} (.+)", plain)
    if found and (statement := _said_of(found[2].split(), single=found[1] in SINGULAR)):
        return statement
    if found := re.fullmatch(rf"{BE} {IT} (.+)", plain):
        parts = found[1].split()
        if is_break(parts[0]):
            return found[1] if _is_sound(parts) and _is_predicate(parts) else None
        return found[1] if found[1] in attributes() else _thing(found[1])
    found = re.fullmatch(rf"(?:{BE} )?(an? .+)", plain)  # "is a dog in the picture", "a dog"
    return _thing(found[1]) if found and is_noun(plain.split()[-1]) else None


def _thing(text: str) -> str | None:
    """Rewrite what there is as a caption: "any dogs" as "dogs", "a dog on the sofa" as it is."""
    first, *parts = text.split()
    if first in ("anyone", "anybody", "someone", "somebody"):
        return " ".join(("a person", *parts)) if not parts or (is_break(parts[0]) and _is_sound(parts)) else None
    if first not in ("a", "an", "any", "some"):
        parts = [first, *parts]
    if not _is_sound(parts) or parts[0] in words("prepositions") | words("behind") | {"and"}:
        return None
    at = noun_end(parts)
    noun, phrase = parts[at - 1], " ".join(parts)
    if rivals(noun) and not is_noun(noun):  # "a red" of "a red or blue car"
        return None
    if first in ("a", "an"):
        return f"{article(phrase)} {phrase}"
    if first == parts[0]:  # "water", "people smiling", but not "dog"
        known = is_noun(noun) and with_article(phrase) == phrase
        return phrase if known and (at == len(parts) or _is_predicate(parts[at:])) else None
    return with_article(phrase) if is_noun(noun) or is_plural(noun) else None


def _said_of(parts: list[str], *, single: bool) -> str | None:
    """Rewrite a subject and its predicate as a noun phrase: "car red" as "a red car"."""
    at = noun_end(parts)
    if at == len(parts):
        *subject, last = parts
        return with_attribute(" ".join(subject), last, single=single) if subject and last in attributes() else None
    if not (_is_sound(parts) and _is_subject(parts[:at]) and _is_predicate(parts[at:])):
        return None
    return " ".join((with_article(" ".join(parts[:at]), single=single), *parts[at:]))


def with_attribute(subject: str, attribute: str, *, single: bool) -> str | None:
    """Put an adjective before a subject: "green" before "car", but not before "red car"."""
    parts, colours = subject.split(), set(answer_lists()["colour"])
    if not _is_sound(parts) or not _is_subject(parts) or (attribute in colours and colours & set(parts)):
        return None
    owner, its, thing = subject.rpartition("'s ")
    return with_article(f"{owner}{its}{attribute} {thing}", single=not is_plural(owner) if owner else single)


def _is_subject(parts: list[str]) -> bool:
    """Tell whether words are one noun: any that is no adjective, or several of which the last is a known noun."""
    if noun_end(parts) < len(parts) or parts[0] in words("prepositions") or "and" in parts:
        return False
    alone = len(parts) == 1 or (len(parts) == 2 and parts[0].endswith("'s"))
    return is_noun(parts[-1]) or (alone and parts[-1] not in attributes())


def _is_predicate(parts: list[str]) -> bool:
    """Tell whether a phrase says only where something is, or what it is doing: not "on the table happy"."""
    before, last = ["", *parts][-2:]
    if last in attributes() and not (before in words("determiners") and is_noun(last)):  # "holding an orange"
        return before == "wearing" and last in answer_lists()["colour"]
    if last in words("gerunds") or last in words("behind") or before in words("determiners"):
        return True
    return is_noun(last) and (not is_noun(before) or is_noun(f"{before} {last}"))  # but not "on the farm cows"


def _is_sound(parts: list[str]) -> bool:
    """Tell whether words can be part of a caption: no verbs, negations or numbers, no second subject."""
    ends = bool(parts) and parts[-1] not in words("prepositions") | words("determiners") | {"and"}
    return ends and not parts[-1].endswith("'s") and all(map(_is_in_place, ["", *parts], parts))


def _is_in_place(before: str, word: str) -> bool:
    if word in words("determiners"):
        return before == "and" or before.endswith("ing") or is_break(before)
    if word.endswith("ly"):
        return is_noun(word)
    vague = word == "of" and before in words("vague")  # "a lack of"
    return not (vague or word in words("refused") or word.endswith("n't")) and _WORD.fullmatch(word) is not None
