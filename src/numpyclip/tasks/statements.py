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
        said = not parts or (is_break(parts[0]) and _is_sound(parts) and _is_predicate(parts))
        return " ".join(("a person", *parts)) if said else None
    if first not in ("a", "an", "any", "some"):
        parts = [first, *parts]
    at = noun_end(parts)
    if not (_is_sound(parts) and _is_joined(parts[:at]) and _is_predicate(parts[at:])):
        return None
    noun, phrase = parts[at - 1], " ".join(parts)
    if first in ("a", "an"):
        return f"{article(phrase)} {phrase}"
    if first == parts[0]:  # "water", "people smiling", but not "dog"
        return phrase if is_noun(noun) and with_article(phrase) == phrase else None
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


def _is_joined(parts: list[str]) -> bool:
    """Tell whether words are nouns, or adjectives before one, joined by "and": "black and white cat and a dog"."""
    joined = " ".join(word for word in parts if word not in words("determiners")).split(" and ")
    *others, last = map(str.split, joined)
    return _is_subject(last) and all(attributes().issuperset(other) or _is_subject(other) for other in others)


def _is_subject(parts: list[str]) -> bool:
    """Tell whether words are one noun: any that is no adjective, or several of which the last is a known noun."""
    if noun_end(parts) < len(parts) or parts[0] in words("prepositions") | words("behind") or "and" in parts:
        return False
    alone = len(parts) == 1 or (len(parts) == 2 and parts[0].endswith("'s"))
    return is_noun(parts[-1]) or (alone and not (parts[-1] in attributes() or is_break(parts[-1])))


def _is_predicate(parts: list[str]) -> bool:
    """Tell whether a phrase says only where something is, or what it is doing: not "on the table happy"."""
    while parts:
        at = noun_end(parts)
        if not _is_place(parts[:at]):
            return False
        parts = parts[at:]
    return True


def _is_place(parts: list[str]) -> bool:
    """Tell whether words are "sitting", "wearing red" or "on the old sofa": what follows is a noun."""
    before, last = ["", *(parts[:-1] if parts[-1] == "and" else parts)][-2:]
    if last in attributes() and not (before in words("determiners") and is_noun(last)):  # "holding an orange"
        return before == "wearing" and last in answer_lists()["colour"]
    if is_break(last) or before in words("determiners") or last in ("front", "top"):  # "in front of"
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
