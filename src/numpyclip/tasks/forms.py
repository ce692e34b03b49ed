"""Forms of English questions: the rules that say what is asked, and how an answer becomes a statement.

The rules stand in a table at the end; the first one whose pattern fits, and whose function makes sense of the parts,
counts. A statement is a noun phrase, as captions are: see `numpyclip.tasks.english`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from numpyclip.tasks import english
from numpyclip.tasks.candidates import STATES, list_named
from numpyclip.tasks.english import (
    counted,
    describe,
    ends_noun,
    gerund,
    is_attribute,
    is_gerund,
    noun_phrase,
    with_article,
)

State = Callable[[str], str]  # an answer → what is true of the picture if it is right

YES_NO, COUNT, OPEN = "yes/no", "count", "open"
PICTURE = r"(?:pictures?|images?|photos?|photographs?|pics?|drawings?|scene|frame|screenshot|illustration|icon)"

_BE, _DO, _MODAL = "(?:is|are|was|were|am)", "(?:do|does|did)", "(?:can|could|will|would|should|must|may|might)"
_SEE = rf"(?:{_DO}|{_MODAL}) (?:you|we|i|one|anyone) (?:see|spot|find|notice|count|make out|recogni[sz]e)"
_IT = "(?:it|this|that|these|those|there|he|she|they|we|i)"
ASKING = re.compile(rf"(?:wh\w+|how|{_BE}|{_DO}|{_MODAL}|has|have|had)\b", re.IGNORECASE)
_AUXILIARY = re.compile(rf"{_BE}|{_DO}|{_MODAL}|has|have|had", re.IGNORECASE)
_VERBS = english.words_of(
    "appear beg bite blow build burn carry catch chase chew clean climb contain cook cover crawl cross cry dance dig "
    "drag drink drive eat fall feed fight float fly grow hang have hide hit hold hug jump kick kiss laugh lead lean "
    "lick lie lift look melt open paint play point pour pray pull push rain read ride row run sail say seem sell "
    "shine sing sit skate ski sleep smell smile smoke snow spread stand stare surround surf swim swing take talk "
    "throw touch turn type use wait walk wash watch wave wear win work write yawn"
)
_FOREIGN = english.words_of("das ist sind ein eine einen der und een het dit dat les une est sont qué gli")
_THINGS = english.words_of("thing object item one subject main")


@dataclass(frozen=True)
class Form:
    """What a rule found.

    Attributes
    ----------
    kind : str
        `YES_NO`, `COUNT`, `OPEN`, or the name of a list of answers.
    state : callable
        An answer → a statement.
    asked : str
        The part of a yes/no question in whose place other answers may stand, such as "red".
    negated : bool
        Whether "yes" denies the statement.
    """

    kind: str
    state: State
    asked: str = ""
    negated: bool = False


def find_form(words: str) -> Form | None:
    """Find the form of a question in plain words, without question mark; None if it has none that is known."""
    if _FOREIGN & set(words.lower().split()):
        return None
    for pattern, rule in _RULES:
        if (found := pattern.fullmatch(words)) and (form := rule(**{k: v or "" for k, v in found.groupdict().items()})):
            return form
    return None


# ------------------------------------------------------------------------------------- is, are, does, has


def _yes_no(asked: str, state: State) -> Form | None:
    first, _, rest = asked.partition(" ")
    if first.lower() in ("not", "no") and rest:
        return Form(YES_NO, state, rest if first.lower() == "not" else f"any {rest}", negated=True)
    return Form(YES_NO, state, asked) if asked else None


def _existence(x: str) -> Form | None:
    return _yes_no(x, noun_phrase)


def _clause(x: str) -> Form | None:
    subject, predicate = english.split_clause(x)
    return _yes_no(predicate, partial(describe, subject))


def _statement(x: str, y: str) -> Form | None:
    return _clause(f"{x} {y}")


def _doing(x: str) -> Form | None:
    """Rule for "does the man wear a hat", given what follows "does"."""
    subject, verb, rest = _subject_verb_object(x)
    if not verb:
        return None
    if verb in ("look", "seem", "appear") and rest:
        return _yes_no(rest.removeprefix("like "), partial(describe, subject))
    if rest:
        return _yes_no(rest, lambda what: describe(subject, f"{gerund(verb)} {_object(what)}"))
    return _yes_no(gerund(verb), partial(describe, subject))


def _having(x: str) -> Form | None:
    """Rule for "has the man got a beard" and "has the snow melted"."""
    subject, _, thing = x.partition(" got ")
    if not thing:
        words = x.split()
        at = next((at for at, word in enumerate(words) if at > 1 and word.lower() in english.DETERMINERS), 0)
        subject, thing = " ".join(words[:at]), " ".join(words[at:])
    if not subject:
        return _clause(x)
    return _yes_no(thing, lambda what: describe(subject, f"with {_object(what)}"))


def _subject_verb_object(text: str) -> tuple[str, str, str]:
    words = text.split()
    begin = 2 if words[0].lower() in english.DETERMINERS and not re.fullmatch(_IT, words[0], re.IGNORECASE) else 1
    places = range(begin, len(words))
    at = next((at for at in places if words[at].lower() in _VERBS), None)
    if at is None:  # a verb that is not known: before the next noun phrase, or at the end
        at = next((at - 1 for at in places if at > begin and ends_noun(words[at])), len(words) - 1)
    if at < begin:
        return "", "", ""
    return " ".join(words[:at]), words[at].lower(), " ".join(words[at + 1 :])


def _object(what: str) -> str:
    return noun_phrase(what) if what.split()[0].lower() in english.DETERMINERS else what


# ------------------------------------------------------------------------------------- what, which, who


def _where_it_goes(tail: str) -> State | None:
    """Find where a thing goes into what is said of it, given what follows "what animal" in a question.

    >>> _where_it_goes("is the man riding")("a horse"), _where_it_goes("is on the table")("a cat")
    ('a man riding a horse', 'a cat on the table')
    """
    if found := re.fullmatch(rf"(?:{_SEE}|{_BE}(?P<it> {_IT})?)?(?: (?P<rest>.+))?", tail, re.IGNORECASE):
        rest = found["rest"] or ""
        first, _, more = rest.partition(" ")
        stranded = found["it"] and (is_gerund(first) or not more)  # "what is it eating", "what is it on"
        if not rest or (ends_noun(first) and first.lower() not in english.DETERMINERS and not stranded):
            return lambda thing: f"{thing} {rest}".strip()
    if found := re.fullmatch(rf"{_BE} (?P<x>.+)", tail, re.IGNORECASE):
        return _after_being(found["x"])
    if found := re.fullmatch(r"(?:has|have|had) (?P<x>.+) got", tail, re.IGNORECASE):
        return _with(found["x"])
    if found := re.fullmatch(rf"(?:{_DO}|{_MODAL}) (?P<x>.+)", tail, re.IGNORECASE):
        subject, verb, rest = _subject_verb_object(found["x"])
        return (lambda thing: describe(subject, f"{gerund(verb)} {thing} {rest}".strip())) if verb else None
    verb, _, rest = tail.partition(" ")
    if verb.lower() in ("has", "have", "had") or english.verb_of(verb) in _VERBS:
        return lambda thing: f"{thing} {gerund(verb)} {rest}".strip()
    return None


def _with(subject: str) -> State:
    return lambda thing: describe(subject, f"with {thing}")


def _after_being(text: str) -> State | None:
    subject, predicate = english.split_clause(text)
    first, _, more = predicate.partition(" ")
    if is_gerund(first):
        if more.lower() in english.PREPOSITIONS:  # "sitting on"
            first, more = predicate, ""
        return lambda thing: describe(subject, f"{first} {thing} {more}".strip())
    if predicate.lower() in english.PREPOSITIONS:
        return lambda thing: describe(subject, f"{predicate} {thing}")
    if subject == "" and predicate == text and " " not in text:  # "what is red"
        return lambda thing: noun_phrase(thing, text)
    return lambda thing: thing


def _what(tail: str) -> Form | None:
    """Rule for "what is the man holding", "what animal is this", "what colour is the car": `tail` follows "what"."""
    name, tail = list_named(tail)
    words = tail.split()
    at = next((at for at, word in enumerate(words) if _AUXILIARY.fullmatch(word)), len(words))
    noun, tail = " ".join(words[:at]), " ".join(words[at:])
    if name in STATES:
        return _state(name, noun, tail)
    if noun and (name or english.verb_of(words[0]) in _VERBS):
        noun, tail = "", f"{noun} {tail}".strip()
    if (goes := _where_it_goes(tail)) is None:
        return None
    if name or not noun or set(noun.lower().split()) <= _THINGS:
        return Form(name or OPEN, lambda answer: goes(with_article(answer)))
    return Form(OPEN, lambda answer: goes(f"{with_article(answer)}, a kind of {noun}"))


def _state(name: str, noun: str, tail: str) -> Form | None:
    """Rule for "what colour is the car", "what colour car is this", "what colour does the car have"."""
    if noun:
        goes = _where_it_goes(tail)
        return Form(name, lambda answer: goes(noun_phrase(f"the {noun}", answer))) if goes else None
    if found := re.fullmatch(
        rf"(?:{_BE}|{_DO}|has|have) (?P<x>.+?)(?: have| has| got| show| wear)?", tail, re.IGNORECASE
    ):
        return Form(name, partial(describe, found["x"]))
    return Form(name, str) if not tail or re.fullmatch(_SEE, tail, re.IGNORECASE) else None


def _thing(name: str) -> Form | None:
    """Rule for "what is the animal", "what is the main colour"."""
    known, rest = list_named(name)
    return Form(known, str if known in STATES else with_article) if known and not rest else None


def _who(tail: str) -> Form | None:
    goes = _where_it_goes(tail)
    return Form("person", lambda answer: goes(with_article(answer))) if goes else None


def _state_of(name: str, x: str) -> Form | None:
    known, rest = list_named(name)
    return Form(known, partial(describe, x)) if known in STATES and not rest else None


def _list_of(kind: str, x: str = "", rest: str = "") -> Form:
    return Form(kind, lambda answer: f"{describe(x, answer)} {rest}".strip())


def _material(x: str) -> Form:
    return Form("material", lambda answer: f"{noun_phrase(x)} made of {answer}")


def _weather() -> Form:
    return Form("weather", lambda answer: f"{answer} weather")


# ------------------------------------------------------------------------------------- where, how many


def _where(x: str) -> Form:
    subject, predicate = english.split_clause(x)
    if is_gerund(predicate.split(" ")[0]):
        return Form("place", lambda answer: describe(subject, f"{predicate} {answer}"))
    return Form("place", partial(describe, x))


def _where_does(x: str) -> Form | None:
    subject, verb, rest = _subject_verb_object(x)
    return (
        Form("place", lambda answer: describe(subject, " ".join(f"{gerund(verb)} {rest} {answer}".split())))
        if verb
        else None
    )


def _how_many(rest: str) -> Form | None:
    words = rest.split()
    ends = (at for at, word in enumerate(words) if at and (_AUXILIARY.fullmatch(word) or word.lower() in _VERBS))
    at = next(ends, len(words))
    things, tail = " ".join(words[:at]).removesuffix(" there"), " ".join(words[at:])  # "how many dogs there are"
    if (found := re.fullmatch(rf"{_BE} (\S+)", tail)) and is_attribute(found[1]) and not re.fullmatch(_IT, found[1]):
        things, tail = f"{found[1]} {things}", ""  # "how many dogs are black"
    goes = _where_it_goes(tail)
    return Form(COUNT, lambda answer: goes(counted(answer, things))) if goes else None


_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), rule)
    for pattern, rule in (
        (rf"(?:what|how) {_BE} (?:the )?weather(?: like)?", _weather),
        (rf"what kind of weather {_BE} .+", _weather),
        (rf"what {_BE} (?:going on|happening)(?: (?P<rest>.+))?", partial(_list_of, "action")),
        (rf"what {_BE} (?P<x>.+?) doing(?: (?P<rest>.+))?", partial(_list_of, "action")),
        (rf"what {_DO} (?P<x>.+) do", partial(_list_of, "action")),
        (rf"what {_BE} (?P<x>.+?) made (?:out )?(?:of|from)", _material),
        (rf"(?:what|which) material {_BE} (?P<x>.+?)(?: made (?:out )?(?:of|from))?", _material),
        (rf"what {_BE} the (?:main |dominant )?(?P<name>\w+) (?:of|on) (?P<x>.+)", _state_of),
        (rf"what {_BE} (?P<x>.+?)'s? (?P<name>\w+)", _state_of),
        (rf"what {_BE} the (?:main |dominant )?(?P<name>.+)", _thing),
        (rf"(?:what {_BE} )?(?:the )?number of (?P<rest>.+)", _how_many),
        (r"how many (?:of (?:the |these |those )?)?(?P<rest>.+)", _how_many),
        (rf"how {_BE} (?P<x>.+) feeling", partial(_list_of, "feeling")),
        (rf"how {_DO} (?P<x>.+) (?:feel|look|seem)", partial(_list_of, "feeling")),
        (rf"when (?:{_BE} .*(?:taken|made|drawn)|{_BE} (?:it|this|that))", partial(_list_of, "time")),
        (rf"where (?:{_BE} .*taken|{_BE} (?:it|this|that|we|i|you))", partial(_list_of, "place")),
        (rf"where {_BE} (?P<x>.+)", _where),
        (rf"where {_DO} (?P<x>.+)", _where_does),
        (r"(?:what|which) (?:kind of )?(?P<tail>.+)", _what),
        (r"who (?P<tail>.+)", _who),
        (rf"(?:{_BE} there|there {_BE}|{_SEE}) (?P<x>.+)", _existence),
        (
            rf"{_DO} (?:it|this|(?:(?:this|the) )?{PICTURE}) (?:show|contain|depict|have|include|feature)s? (?P<x>.+)",
            _existence,
        ),
        (rf"(?P<x>it|this|that|these|those|they|he|she) {_BE} (?P<y>.+)", _statement),
        (rf"{_BE} (?P<x>(?!there$|not$).+)", _clause),
        (rf"(?:{_DO}|{_MODAL}) (?P<x>.+)", _doing),
        (r"(?:has|have|had) (?P<x>.+)", _having),
        (rf"(?P<x>(?:an?|any|some|{'|'.join(english.NUMBERS)}) (?:[\w'-]+ ?){{1,8}})", _existence),
    )
)
