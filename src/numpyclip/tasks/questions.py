"""QUESTION → STATEMENTS: the kind of a question, its possible answers, and a statement for each of them.

A question is understood if it has one of a few forms, and its nouns are known. Unknown words stand only for a noun of
one word ("is there a blorf?"), or before a known one. Any other question is an error: a statement that is not what was
asked would be answered with the same confidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpyclip.errors import InputError, quoted
from numpyclip.tasks.english import answer_lists, attributes, is_break, noun_end, rivals, singular, with_article
from numpyclip.tasks.statements import BE, DETERMINER, IT, SINGULAR, statement_of, with_attribute
from numpyclip.tasks.vocabulary import everyday_nouns

_MAX_CHARACTERS = 2000
YES_NO, CHOICE, COLOUR, OPEN = "yes/no", "choice", "colour", "open"
FORMS = (
    *("is there a dog on the sofa?", "is the car red?", "is the man riding a horse?"),
    *("is it a dog or a cat?", "what color is the car?", "what animal is this?", "what is this?"),
)

_SEE = "(?:do|can|could) (?:you|we|i) see"
_PICTURE = "(?:picture|image|photo|photograph|pic|drawing|scene|frame|screenshot|illustration|icon)"
_SHOWN = rf"(?:{BE}|{BE} {IT}|{BE} (?:there|shown)|{_SEE})"
_PLAINER = (
    ("[\u2018\u2019`\u00b4]", "'"),
    (r"^(is|are|was|were|do|does|can|could)(?:n?'t|nt)\b", r"\1"),
    (r"\b(what|who|it|that|there|which)'s\b", r"\1 is"),
    (r"^please,? |,? please$|,? or not$", ""),
    (rf" (?:in|on) (?:the|this|that|my|your) {_PICTURE}$", ""),
    (r" (?:visible|anywhere|here)$", ""),
    (rf"^(?:what|which) {BE} {IT}[:,] ", "is it "),  # "what is it, a dog or a cat"
    (rf"^(it|this|that|they|there) ({BE}) ", r"\2 \1 "),  # "there is a dog?"
    (rf"^(?:{_SEE}|does (?:it|this|(?:the |this )?{_PICTURE}) (?:show|contain)) (?=.)", "is there "),
    (rf"^what ({BE}) the colou?rs? of ", r"what colour \1 "),
)


@dataclass(frozen=True)
class Question:
    """What a question asks.

    Attributes
    ----------
    kind : str
        "yes/no", "choice", "open", or the name of the list of answers: "colour", "animal", ...
    answers : tuple of str
        Of yes/no "yes" and "no".
    statements : tuple of str
        One for every answer, to be compared with the image; that of "no" is the one that it denies.
    rivals : tuple of str
        For yes/no: statements that exclude this one, such as those with other colors.
    """

    kind: str
    answers: tuple[str, ...]
    statements: tuple[str, ...]
    rivals: tuple[str, ...] = ()


def understand(
    question: str, answers: Sequence[str] | None = None, vocabulary: Sequence[str] | None = None
) -> Question:
    """Turn a question into statements.

    Capital letters, a missing question mark, contractions, both spellings of English and "in the picture" make no
    difference. "Isn't there a dog?" asks the same as "is there a dog?".

    Parameters
    ----------
    question : str
        Of one of the `FORMS`; "dog" and "red" stand for any noun and adjective, "animal" for any list of answers.
    answers : sequence of str, optional
        To choose from, instead of those of a list or the vocabulary. They also answer any other question: then they are
        the statements themselves.
    vocabulary : sequence of str, optional
        The answers to open questions; by default 966 everyday nouns.

    Raises
    ------
    InputError
        If the question is empty or too long, or has none of these forms and no answers are given; or if the answers are
        not two or more strings.
    """
    plain = _plain(question)
    given = None if answers is None else _checked(answers)
    if given and {answer.strip().lower() for answer in given} == {"yes", "no"}:
        found = _yes_or_no(plain)
    elif not (found := _listed(plain, given, vocabulary)):
        found = Question(CHOICE, given, given) if given else _choice(plain) or _yes_or_no(plain)
    if found is None:
        raise InputError(
            f"the question {quoted(question, 80)} has no form that is understood; these are: {' '.join(FORMS)} "
            "Or pass answers to choose from (yes and no only to the first three): they are compared with the image."
        )
    return found


def _plain(question: str) -> str:
    """Normalize a question: case, spaces, contractions, polite words, "in the picture"."""
    if not isinstance(question, str):
        raise InputError(f"the question is {question!r:.60}; expected a string.")
    if len(question) > _MAX_CHARACTERS:
        raise InputError(f"the question has {len(question)} characters; expected at most {_MAX_CHARACTERS}.")
    plain = " ".join(question.lower().split()).strip(' ?!."\u00bf\u00a1\uff1f')
    for pattern, plainer in _PLAINER:
        plain = re.sub(pattern, plainer, plain).strip()
    if not plain:
        raise InputError('the question is empty; expected one such as "is there a dog?".')
    return plain


def _checked(answers: Sequence[str]) -> tuple[str, ...]:
    if isinstance(answers, str) or not isinstance(answers, Iterable):
        raise InputError(f"answers is {answers!r:.60}; expected a list of two or more strings.")
    given = tuple(answers)
    if not all(isinstance(answer, str) and answer.strip() for answer in given) or len(set(given)) < 2:
        raise InputError(f"answers is {given!r:.200}; expected two or more different strings.")
    given = tuple(dict.fromkeys(given))
    if len({answer.strip().lower() for answer in given} - {"yes", "no"}) not in (0, len(given)):
        raise InputError(f"answers {given!r:.200}: yes and no cannot be mixed with others.")
    return given


def _listed(plain: str, given: tuple[str, ...] | None, vocabulary: Sequence[str] | None) -> Question | None:
    """Understand "what color is the car", "what animal is this" and "what is this"."""
    if found := re.fullmatch(rf"(?:what|which) (colou?r)s? ({BE}) (?:{IT}|{DETERMINER} (.+))", plain):
        grey = "gray" if found[1] == "color" else "grey"
        named = tuple(given or (colour.replace("grey", grey) for colour in answer_lists()[COLOUR]))
        if (subject := found[3]) is None:
            return Question(COLOUR, named, named)
        states = [with_attribute(subject, colour, single=found[2] in SINGULAR) for colour in ("red", *named)]
        return Question(COLOUR, named, tuple(filter(None, states[1:]))) if all(states) else None
    if re.fullmatch(rf"what {_SHOWN}", plain):
        named = given or (tuple(everyday_nouns()) if vocabulary is None else _checked(vocabulary))
        return Question(OPEN, named, tuple(map(with_article, named)))
    if found := re.fullmatch(rf"(?:what|which) (?:(?:kind|type|sort)s? of )?(.+?) {_SHOWN}", plain):
        kind = found[1] if found[1] in answer_lists() else singular(found[1])
        named = given or answer_lists().get(kind, ())
        state = str if kind == COLOUR else with_article
        return Question(kind, named, tuple(map(state, named))) if kind in answer_lists() else None
    return None


def _choice(plain: str) -> Question | None:
    """Understand "is it a dog, a cat or a horse", where "is it a dog", "is it a cat" and "is it a horse" are."""
    first, *others = re.split(r",? or |, ", plain)
    if not others or " or " not in plain:
        return None
    asking, item = _before_item(first)
    items = [item, *others]
    if not all(items):  # "a dog, or ?"
        return None
    if item.split()[0] in ("a", "an") or not (asking or attributes().issuperset(items)):
        items = list(map(with_article, items))
    found = [statement for item in items if (statement := statement_of(f"{asking or 'is it'} {item}"))]
    alike = {(is_break(parts[0]), noun_end(parts) < len(parts)) for parts in map(str.split, items)}
    if len(set(found)) < len(items) or len(alike) > 1:  # "a dog or a cat on the table": both are on it, or one?
        return None
    return Question(CHOICE, tuple(items), tuple(found))


def _before_item(text: str) -> tuple[str, str]:
    """Split the text before the first "or" into what asks, and the first item: "is the man", "sitting"."""
    if found := re.match(rf"{BE} (?:it|there|he|she|they) |{BE} {IT} (?=an? |\S+$)", text):
        return found[0].strip(), text[found.end() :]
    if not re.match(rf"{BE} ", text):
        return "", text
    parts = text.split()
    at = next((n for n, word in enumerate(parts) if n > 2 and (word in ("a", "an") or is_break(word))), len(parts) - 1)
    said = parts[at] in attributes() or parts[at] in ("a", "an") or is_break(parts[at])
    return (" ".join(parts[:at]), " ".join(parts[at:])) if said else (text, "")


def _yes_or_no(plain: str) -> Question | None:
    if (statement := statement_of(plain)) is None:
        return None
    *before, last = plain.split()
    others = [] if " there " in plain else [statement_of(" ".join((*before, rival))) for rival in rivals(last)]
    return Question(YES_NO, ("yes", "no"), (statement, statement), tuple(other for other in others if other))
