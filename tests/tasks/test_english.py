import doctest

import pytest

from numpyclip.tasks import english, forms, questions
from numpyclip.tasks.candidates import lists, rivals
from numpyclip.tasks.english import article, counted, gerund, is_gerund, noun_phrase, plural, singular, with_article

PLURALS = (
    "dog/dogs fox/foxes church/churches bus/buses baby/babies boy/boys man/men fireman/firemen human/humans "
    "child/children knife/knives fish/fish sheep/sheep mouse/mice goose/geese mongoose/mongooses person/people "
    "photo/photos glass/glasses potato/potatoes horse/horses house/houses vase/vases nose/noses tie/ties "
    "octopus/octopuses box/boxes size/sizes leaf/leaves tooth/teeth watch/watches dish/dishes toy/toys shoe/shoes "
    "roof/roofs axe/axes grandchild/grandchildren "
)


@pytest.mark.parametrize(("one", "more"), [pair.split("/") for pair in PLURALS.split()])
def test_plurals_and_singulars(one: str, more: str) -> None:
    assert plural(one) == more
    assert plural(more) == more
    if one != "glass":  # "glasses" are worn
        assert singular(more) == one
    assert singular(one) == one


@pytest.mark.parametrize("noun", ["scissors", "trousers", "glasses", "jeans"])
def test_some_nouns_are_always_plural(noun: str) -> None:
    assert singular(noun) == plural(noun) == noun
    assert noun_phrase(f"the {noun}") == noun


@pytest.mark.parametrize(
    "phrase",
    [
        "a dog",
        "an apple",
        "an hour",
        "a unicorn",
        "a university",
        "an umbrella",
        "an uninvited guest",
        "a one-eyed man",
        "a European",
        "a ukulele",
        "an ice cream",
        "an honest man",
        "a house",
        "an orange car",
        "a used car",
        "an X-ray",
        "an 8-bit icon",
    ],
)
def test_articles_go_by_the_sound(phrase: str) -> None:
    expected, rest = phrase.split(" ", 1)
    assert article(rest) == expected


GERUNDS = (
    "ride/riding rides/riding sit/sitting sits/sitting run/running wear/wearing wears/wearing lie/lying see/seeing "
    "watch/watching watches/watching carry/carrying carries/carrying fly/flying flies/flying go/going goes/going "
    "have/with has/with eat/eating swim/swimming open/opening listen/listening dance/dancing kiss/kissing "
    "kisses/kissing be/being use/using ski/skiing "
)


@pytest.mark.parametrize(("verb", "form"), [pair.split("/") for pair in GERUNDS.split()])
def test_what_captions_say_for_a_verb(verb: str, form: str) -> None:
    assert gerund(verb) == form


def test_nouns_that_end_in_ing_are_no_verbs() -> None:
    assert is_gerund("Riding")
    for noun in ("king", "building", "ring", "thing", "ceiling", "painting", "wing", "ing"):
        assert not is_gerund(noun)


@pytest.mark.parametrize(
    ("number", "things", "phrase"),
    [
        ("1", "dogs", "one dog"),
        ("2", "dog", "two dogs"),
        ("20", "dog", "twenty dogs"),
        ("21", "dog", "21 dogs"),
        ("2", "person", "two people"),
        ("one", "cups of tea", "one cup of tea"),
        ("3", "man with a hat", "three men with a hat"),
        ("many", "sheep", "many sheep"),
        ("", "dog", "dogs"),
    ],
)
def test_numbers_of_things(number: str, things: str, phrase: str) -> None:
    assert counted(number, things) == phrase


@pytest.mark.parametrize(
    ("answer", "statement"),
    [
        ("dog", "a dog"),
        ("a dog", "a dog"),
        ("the dog", "the dog"),
        ("dogs", "dogs"),
        ("water", "water"),
        ("umbrella", "an umbrella"),
        ("Barack Obama", "Barack Obama"),
        ("on a beach", "on a beach"),
        ("running", "running"),
        ("two dogs", "two dogs"),
        ("\u72ac", "a \u72ac"),
    ],
)
def test_names_of_things_get_an_article(answer: str, statement: str) -> None:
    assert with_article(answer) == statement


def test_rivals_exclude_the_word_itself() -> None:
    assert rivals("Open") == ("closed", "shut")
    assert rivals("table") == ()
    assert set(rivals("gray")) == set(lists()["colour"]) - {"grey"}


@pytest.mark.parametrize("module", [english, forms, questions])
def test_examples_in_docstrings_are_true(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried > 0
    assert failed == 0
