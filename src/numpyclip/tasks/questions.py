"""QUESTION → STATEMENTS: what kind a question is, which answers it may have, and what is true if one is right.

The rules are for English and go by the form of the words; the first one that fits counts. See `understand`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpyclip.errors import InputError, quoted
from numpyclip.tasks import candidates, english
from numpyclip.tasks.english import with_article
from numpyclip.tasks.forms import ASKING, COUNT, OPEN, PICTURE, YES_NO, Form, find_form
from numpyclip.tasks.vocabulary import everyday_nouns

MOST_LETTERS = 2000
YES, NO = "yes", "no"
CHOICE = "choice"
COUNTS = tuple(map(str, range(11)))
_NONE = frozenset(("0", "no", "none", "zero"))  # answers that say that there are none


@dataclass(frozen=True)
class Question:
    """What a question asks.

    Attributes
    ----------
    kind : str
        "yes/no", "count", "choice", "open", or the name of the list of answers: "colour", "place", "action", ...
    answers : tuple of str
    statements : tuple of str
        One for every answer, to be compared with the picture; those of a denial ("no", "0") are what it denies.
    denial : int or None
        Which answer, if any, says that none of the statements is true.
    rivals : tuple of str
        What else may be true: where one of them is, the answer is the denial. For yes/no only.
    """

    kind: str
    answers: tuple[str, ...]
    statements: tuple[str, ...]
    denial: int | None = None
    rivals: tuple[str, ...] = ()


def understand(
    question: str, answers: Sequence[str] | None = None, vocabulary: Sequence[str] | None = None
) -> Question:
    """Turn a question into statements.

    =============================================  =========  ========================================================
    question                                       kind       statements
    =============================================  =========  ========================================================
    is there a dog? do you see a dog? a dog?       yes/no     a dog
    is the car red? does the man wear a hat?       yes/no     a red car; a man wearing a hat
    is it a dog or a cat? a, b or c?               choice     a dog; a cat
    what colour is the car?                        colour     a red car; an orange car; ...
    how many dogs are there?                       count      one dog; two dogs; ...
    what is the dog doing? where is the dog?       action     a dog running; ...    (or place: a dog on a beach; ...)
    what animal is this? who is it?                animal     a dog; a cat; ...     (any list of data/answers.txt)
    what is this? what is the man holding?         open       a guitar; ...         (or a man holding a guitar; ...)
    =============================================  =========  ========================================================

    Capital letters, a missing question mark, contractions and both spellings of English are all the same, and
    "in the picture" and the like say nothing. "Isn't there a dog?" asks as "is there a dog?" does; "are there no
    dogs?" and "is the dog not asleep?" swap yes and no.

    Parameters
    ----------
    question : str
    answers : sequence of str, optional
        To choose from, instead of those of its kind. They also answer a question that no rule fits: then they are
        the statements themselves.
    vocabulary : sequence of str, optional
        The answers to open questions; by default 966 everyday nouns.

    Raises
    ------
    InputError
        If it is empty, or too long, or fits no rule and there are no answers, or these are not two or more texts.
    """
    words = _plain(question)
    given = None if answers is None else _checked(answers)
    head, listed = _alternatives(words)
    form = find_form(head)
    if form is None and listed and not ASKING.match(head):  # "a dog or a cat"
        form, listed = Form(OPEN, with_article), [head, *listed]
    if form is None:
        if given is None:
            raise _not_understood(question)
        return Question(CHOICE, tuple(given), tuple(given))
    if given is None and listed:
        given = _filled_in([form.asked, *listed] if form.asked else listed)
    if form.kind == COUNT:
        return _count(form, given or COUNTS)
    if form.kind == YES_NO and (given is None or _are_yes_and_no(given)):
        return _yes_or_no(form)
    kind = CHOICE if given and form.kind in (YES_NO, OPEN) else form.kind
    found = tuple(given or _answers(form.kind, words, vocabulary))
    return Question(kind, found, tuple(map(form.state, found)))


def _yes_or_no(form: Form) -> Question:
    """Ask whether a statement is true. A model that learned from captions does not understand "no" and "not"."""
    statement = form.state(form.asked)
    answers = (NO, YES) if form.negated else (YES, NO)
    others = tuple(map(form.state, candidates.rivals(form.asked)))
    return Question(YES_NO, answers, (statement, statement), 1, others)


def _count(form: Form, answers: Sequence[str]) -> Question:
    some = [answer for answer in answers if answer.lower() not in _NONE]
    none = [answer for answer in answers if answer.lower() in _NONE][:1]
    if not some:
        raise InputError(f"answers {answers!r:.200}: all say that there are none; expected a number among them.")
    statements = [form.state(answer) for answer in some] + [form.state("") for _ in none]
    return Question(COUNT, (*some, *none), tuple(statements), len(some) if none else None)


def _answers(kind: str, words: str, vocabulary: Sequence[str] | None) -> Sequence[str]:
    if kind == OPEN:
        return tuple(everyday_nouns()) if vocabulary is None else _checked(vocabulary)
    found = candidates.lists()[kind]
    american = re.search(r"\bcolors?\b", words, re.IGNORECASE)
    return [answer.replace("grey", "gray") for answer in found] if american else found


# ---------------------------------------------------------------------------------------------- words


_MARKS = ' ?!."\u00bf\u00a1\uff1f'  # also the Spanish ones, and the wide one
_CONTRACTIONS = (
    (r"\b(what|who|where|when|how|there|it|that|he|she|here)'s\b", r"\1 is"),
    (r"\b(what|who|where|how|there|they|these|those)'re\b", r"\1 are"),
    (r"\bcan(?:'?t|not)\b", "can"),
    (r"\bwon't\b", "will"),
    (r"\b(could|do|does|did|is|are|was|were|has|have|had|would|should)(?:n't|nt|not)\b", r"\1"),
    (
        r"\b(is|are|was|were|do|does|did|can|has|have) not (?=(?:there|the|this|these|that|those|it|he|she|they)\b)",
        r"\1 ",
    ),
    (r"\bthere not\b", "there"),
    (r"\b(?:can|could) be (?:seen|found|spotted)\b", "are there"),
    (r"\bwhats\b", "what is"),
    (r"\b(?:currently|actually|really|already|just|now|please|exactly)\b", ""),
    (r"\bsort of\b|\btypes? of\b|\bkinds? of\b|\bspecies of\b|\bbreeds? of\b", "kind of"),
)
_NOTHING_SAID = (
    rf"\b(?:in|on|of|from) (?:the|this|that|my|your) {PICTURE}\b",
    r"^(?:and|so|hey|ok|well|now|tell me|(?:can|could) you (?:tell me|say)|i wonder|do you (?:think|know))\b,?",
    r"(?<!is)(?<!are)(?<!was)(?<!were)(?<!be) (?:there|here|visible|present|shown|depicted|pictured|in it|in sight)$",
    r",? or (?:not|no)$",
    r"^(?:if|whether)\b",
)


def _plain(question: str) -> str:
    """Write a question without what makes no difference: contractions, marks, "in the picture"."""
    if not isinstance(question, str):
        raise InputError(f"the question is {question!r:.60}; expected a text.")
    if len(question) > MOST_LETTERS:
        raise InputError(f"the question has {len(question)} letters; expected at most {MOST_LETTERS}.")
    words = " ".join(re.sub("[\u2018\u2019`\u00b4]", "'", question).split()).strip(_MARKS)
    words = words.lower() if words.isupper() else words
    for pattern, plain in _CONTRACTIONS:
        words = re.sub(pattern, plain, words, flags=re.IGNORECASE)
    for pattern in _NOTHING_SAID:
        shorter = " ".join(re.sub(pattern, "", words, flags=re.IGNORECASE).split()).strip(" ,")
        words = shorter or words
    if not words:
        raise InputError('the question is empty; expected one such as "is there a dog?".')
    return words


def _alternatives(words: str) -> tuple[str, list[str]]:
    """Split "is it a dog, a cat or a horse" into the question as far as the first of them, and the others."""
    if not re.search(r"\bor\b", words, re.IGNORECASE):
        return words, []
    parts = [part.strip() for part in re.split(r"\s*[,;:]?\s*\bor\b\s*|\s*[,;:]\s*", words, flags=re.IGNORECASE)]
    head, *others = [part for part in parts if part] or [words]
    return head, others


def _filled_in(listed: list[str]) -> list[str]:
    """Give alternatives what they share, said but once: in the first its verb and article, in the last its place.

    >>> _filled_in(["riding a horse", "a bike"]), _filled_in(["a dog", "cat on the table"])
    (['riding a horse', 'riding a bike'], ['a dog on the table', 'a cat on the table'])
    """
    first, last = listed[0].split(), listed[-1].split()
    opening = first[0].lower()
    if len(first) > 1 and (english.is_gerund(opening) or opening in english.PREPOSITIONS):
        listed = [f"{opening} {item}" if item.split()[0].lower() in english.DETERMINERS else item for item in listed]
    elif not any(english.PREPOSITIONS & set(item.lower().split()) for item in listed[:-1]):
        at = next((n for n, word in enumerate(last) if n and word.lower() in english.PREPOSITIONS), len(last))
        tail = [] if last[at : at + 1] in (["of"], ["with"]) else last[at:]
        listed = [*(" ".join((item, *tail)) for item in listed[:-1]), listed[-1]]
    return list(map(with_article, listed)) if opening in english.ARTICLES else listed


def _checked(answers: Sequence[str]) -> list[str]:
    if isinstance(answers, str) or not isinstance(answers, Iterable):
        raise InputError(f"answers is {answers!r:.60}; expected a list of two or more texts.")
    given = list(dict.fromkeys(answers))
    if len(given) < 2 or not all(isinstance(answer, str) and answer.strip() for answer in given):
        raise InputError(f"answers is {given!r:.200}; expected two or more different texts.")
    return given


def _are_yes_and_no(given: list[str]) -> bool:
    found = {answer.strip().lower() for answer in given}
    if found & {YES, NO} and not found <= {YES, NO}:
        raise InputError(f"answers {given!r:.200}: yes and no cannot be mixed with others.")
    return bool(found & {YES, NO})


def _not_understood(question: str) -> InputError:
    return InputError(
        f"the question {quoted(question, 80)} is of no kind that is known; expected an English question such as "
        '"is there a dog?", "what colour is the car?", "how many people are there?" or "is it a or b?". '
        "Or give answers to choose from, which are then compared with the picture as they stand."
    )
