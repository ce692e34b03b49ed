"""English words: articles, plurals, -ing forms, and a subject with what is said of it as one noun phrase.

Captions are noun phrases, "a red car", and so are the statements that questions become: a model that learned from
captions scores them better than sentences such as "the car is red". Words that no table has follow the rules.
"""

from __future__ import annotations

import re


def words_of(text: str) -> frozenset[str]:
    """Make a set of the words of a text."""
    return frozenset(text.split())


NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
ARTICLES = words_of("a an")
# A noun phrase of a caption goes without these; where one was, a single thing gets "a".
_POINTING = words_of("the this that these those my your his her its our their any all both every each either some")
DETERMINERS = ARTICLES | _POINTING | frozenset(NUMBERS) | words_of("another many several")
_ATTACHING = words_of("of with without")  # what follows still belongs to the noun before
PREPOSITIONS = _ATTACHING | words_of(
    "in on at under over above below behind beside between near inside outside into onto next around through along "
    "against from for to by across among upon within off up down like than as towards beneath underneath out about"
)
_DEGREES = words_of("very really quite so too completely partly mostly fully totally not never")
_STANDING_BEHIND = words_of(  # "a dog asleep"
    "asleep awake alive afraid alone indoors outdoors downstairs upstairs away ashore afloat"
)
_NOT_GERUNDS = words_of(
    "building ceiling clothing painting drawing evening morning wedding string spring thing something anything "
    "nothing everything king ring wing sling swing earring pudding lightning railing crossing meeting dumpling "
    "duckling wrapping viking sibling herring icing interesting boring exciting charming"
)
_STANDING_FOR = {  # what a pronoun is, in a caption; nothing where only what is said of it remains
    **dict.fromkeys(("it", "this", "that", "these", "those", "there"), ""),
    **dict.fromkeys(("he", "him"), "a man"),
    **dict.fromkeys(("she",), "a woman"),
    **dict.fromkeys(("they", "we", "you"), "people"),
    **dict.fromkeys(("someone", "anyone", "somebody", "anybody", "everyone", "everybody"), "a person"),
    **dict.fromkeys(("anything",), "something"),
}
_MASS = words_of(
    "water milk coffee tea juice beer wine snow rain ice fire smoke grass sand hair food bread cheese rice pasta meat "
    "fruit money paper glass metal wood plastic gold silver music art traffic luggage furniture clothing jewelry "
    "jewellery equipment text writing light sunlight sunshine weather fog mud dirt dust blood sugar salt butter "
    "chocolate soup wool cotton leather cloth concrete stone lightning lettuce garlic corn broccoli sushi ice-cream "
    "lemonade champagne football basketball baseball volleyball tennis badminton golf hockey rugby cricket underwater "
    "day night daytime nighttime spring summer autumn winter noon sunset nature"
)
_IRREGULAR = dict(  # one, more
    pair.split("/")
    for pair in words_of(
        "man/men woman/women child/children person/people foot/feet tooth/teeth goose/geese mouse/mice ox/oxen "
        "leaf/leaves knife/knives wolf/wolves loaf/loaves half/halves shelf/shelves thief/thieves wife/wives "
        "scarf/scarves calf/calves elf/elves hoof/hooves life/lives die/dice cactus/cacti potato/potatoes "
        "tomato/tomatoes hero/heroes volcano/volcanoes mango/mangoes mosquito/mosquitoes bus/buses gas/gases "
        "lens/lenses iris/irises octopus/octopuses virus/viruses walrus/walruses tie/ties pie/pies cookie/cookies "
        "movie/movies zombie/zombies genie/genies selfie/selfies axe/axes quiz/quizzes shoe/shoes canoe/canoes "
        "moustache/moustaches"
    )
)
_MORE_TO_ONE = {more: one for one, more in _IRREGULAR.items()}
_COMPOUND_ONE = re.compile(r"(?!human|german|roman|talisman)(.+)(man|child)", re.IGNORECASE)
_COMPOUND_MORE = re.compile(r"(?!specimen|abdomen|omen|regimen)(.+)(men|children)", re.IGNORECASE)
_SAME = words_of("fish sheep deer moose aircraft spacecraft salmon trout shrimp bison swine species series")
_ALWAYS_MORE = words_of(
    "trousers jeans shorts glasses sunglasses scissors pliers pants pyjamas pajamas clothes binoculars goggles tights "
    "headphones bagpipes sweets chips cattle police"
)
_SOUNDS_LIKE_A_CONSONANT = re.compile(r"(uni(?!n|m)|use|usu|eu|one|once|uk|u-|ura|ute)", re.IGNORECASE)
_SOUNDS_LIKE_A_VOWEL = re.compile(r"(hour|honest|honou?r|heir|x-|mri\b|8|11\b|18\b)", re.IGNORECASE)
_DOUBLING = words_of(  # the last letter doubles before -ing
    "sit run swim put get cut hit stop jog hug dig shop skip clap grab step set beg chat drag drip drop hop knit mop "
    "nap pat pet plan rob rub rip shut slip snap spin split strip swap tap trim wag win wrap zip begin"
)


def article(phrase: str) -> str:
    """Choose "a" or "an", by how the phrase begins to sound."""
    vowel = phrase[:1].lower() in "aeiou" and not _SOUNDS_LIKE_A_CONSONANT.match(phrase)
    return "an" if vowel or _SOUNDS_LIKE_A_VOWEL.match(phrase) else "a"


def is_plural(noun: str) -> bool:
    """Tell whether a noun means several."""
    noun = noun.lower()
    if noun in _MORE_TO_ONE or noun in _ALWAYS_MORE or _COMPOUND_MORE.fullmatch(noun):
        return True
    return noun.endswith("s") and noun not in _IRREGULAR and noun not in _SAME and not noun.endswith(("ss", "us", "is"))


def plural(noun: str) -> str:
    """Form the plural of a noun; one that is a plural stays."""
    low = noun.lower()
    if low in _SAME or is_plural(noun):
        return noun
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if found := _COMPOUND_ONE.fullmatch(noun):
        return found[1] + _IRREGULAR[found[2].lower()]
    if re.search(r"[^aeiou]y$", low):
        return noun[:-1] + "ies"
    return noun + ("es" if low.endswith(("s", "x", "z", "ch", "sh")) else "s")


def singular(noun: str) -> str:
    """Form the singular of a noun; one that is a singular, or has none, stays."""
    low = noun.lower()
    if low in _MORE_TO_ONE:
        return _MORE_TO_ONE[low]
    if low in _ALWAYS_MORE or low in _SAME or not is_plural(noun):
        return noun
    if found := _COMPOUND_MORE.fullmatch(noun):
        return found[1] + _MORE_TO_ONE[found[2].lower()]
    if low.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-2] if low.endswith(("sses", "xes", "ches", "shes")) else noun[:-1]


def gerund(verb: str) -> str:
    """Form what a caption says for a verb: "rides" and "ride" give "riding"; of having remains "with"."""
    verb = verb_of(verb)
    if verb == "have":
        return "with"
    if verb == "be":
        return "being"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + (verb[-1] if verb in _DOUBLING else "") + "ing"


def verb_of(verb: str) -> str:
    """Take the ending from a verb: "rides" gives "ride"."""
    verb = verb.lower()
    if verb == "has":
        return "have"
    if verb.endswith(("ches", "shes", "sses", "xes", "oes")):
        return verb[:-2]
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def is_gerund(word: str) -> bool:
    """Tell whether a word is the -ing form of a verb: "riding", but not "building"."""
    return len(word) > 4 and word.lower().endswith("ing") and word.lower() not in _NOT_GERUNDS


def ends_noun(word: str) -> bool:
    """Tell whether a noun phrase ends before this word: at where, at doing what, at how, at another noun phrase."""
    low = word.lower()
    return low in PREPOSITIONS or low in DETERMINERS or low in _DEGREES or is_gerund(low)


def is_attribute(phrase: str) -> bool:
    """Tell whether what is said of a subject may stand before it: "red" and "very old", but not "in a box"."""
    words = phrase.lower().split()
    return words[0] in _DEGREES or not (words[0] in _STANDING_BEHIND or ends_noun(words[0]))


def split_clause(text: str) -> tuple[str, str]:
    """Split what follows "is" into a subject, which may be empty, and what is asked of it.

    >>> split_clause("the old man riding a horse"), split_clause("the fire truck red"), split_clause("it a dog")
    (('the old man', 'riding a horse'), ('the fire truck', 'red'), ('', 'a dog'))
    """
    words = text.split()
    first = words[0].lower()
    if first in _STANDING_FOR and not _points_at_noun(words):
        return _STANDING_FOR[first], " ".join(words[1:])
    begin = at = 2 if first in DETERMINERS else 1
    while at < len(words):
        if words[at].lower() in _ATTACHING:
            at += 1
            while at < len(words) and words[at].lower() in DETERMINERS:
                at += 1
        elif ends_noun(words[at]):
            return " ".join(words[:at]), " ".join(words[at:])
        at += 1
    if len(words) <= begin or first in DETERMINERS - _POINTING:  # "is a fire truck"
        return "", text
    return " ".join(words[:-1]), words[-1]


def _points_at_noun(words: list[str]) -> bool:
    """Tell "this dog brown", where the word is a determiner, from "this Santa Claus" and "these red apples"."""
    if words[0].lower() not in ("this", "that", "these", "those") or len(words) < 3:
        return False
    is_noun = not ends_noun(words[1]) and not words[1][0].isupper()
    return is_noun and not is_plural(words[-1]) and words[-1].lower() not in _MASS


def noun_phrase(text: str, attribute: str = "") -> str:
    """Write a noun phrase as captions do: "the dogs" as "dogs", "this car" as "a car", or as "a red car".

    >>> noun_phrase("the man's shirt", "orange"), noun_phrase("any dogs"), noun_phrase("the umbrella")
    ("a man's orange shirt", 'dogs', 'an umbrella')
    """
    words = text.split()
    words[0] = _STANDING_FOR.get(words[0].lower()) or words[0]
    words = " ".join(words).split()
    taken: set[str] = set()
    while len(words) > 1 and words[0].lower() in _POINTING | ARTICLES:
        taken.add(words.pop(0).lower())
    place = 1 if words[0].endswith(("'s", "s'")) else 0
    phrase = " ".join(word for word in (*words[:place], attribute, *words[place:]) if word)
    head = words[_head(words)]
    single = taken & ARTICLES or (taken and not (is_plural(head) or head.lower() in _MASS))
    return f"{article(phrase)} {phrase}" if single else phrase


def _head(words: list[str]) -> int:
    """Find the noun that a noun phrase is about: the last one before "of a ...", "in a ..." and the like."""
    return next((at for at, word in enumerate(words) if at and ends_noun(word)), len(words)) - 1


def with_article(answer: str) -> str:
    """Put an article before an answer that is the name of a thing: "dog" gives "a dog"."""
    first = answer.split()[0]
    named = first[0].isupper() or not first[0].isalpha()
    return answer if named or first.lower() in DETERMINERS or ends_noun(first) else noun_phrase(f"the {answer}")


def describe(subject: str, predicate: str) -> str:
    """Say something of a subject in one noun phrase.

    >>> describe("the car", "red"), describe("the cat", "on the table"), describe("the animal", "a dog")
    ('a red car', 'a cat on the table', 'a dog')
    """
    words = predicate.split()
    subject = _STANDING_FOR.get(subject.lower(), subject)
    if not subject or words[0].lower() in DETERMINERS:
        return noun_phrase(predicate) if words[0].lower() in DETERMINERS else predicate
    return noun_phrase(subject, predicate) if is_attribute(predicate) else f"{noun_phrase(subject)} {predicate}"


def counted(number: str, things: str) -> str:
    """Write a number of things: ("2", "cup of tea") gives "two cups of tea", ("many", "dog") "many dogs"."""
    if number.isdecimal() and int(number) < len(NUMBERS):
        number = NUMBERS[int(number)]
    words = things.split()
    head = _head(words)
    words[head] = (singular if number.lower() in ("one", "1", "a", "an", "a single") else plural)(words[head])
    return " ".join((number, *words)).strip()
