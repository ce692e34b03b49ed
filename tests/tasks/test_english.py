import doctest

import pytest

from numpyclip.tasks import english
from numpyclip.tasks.english import article, attributes, is_noun, is_plural, rivals, with_article, words


@pytest.mark.parametrize("noun", ["dogs", "men", "women", "people", "scissors", "glasses", "houses", "canvases"])
def test_plurals(noun: str) -> None:
    assert is_plural(noun)


@pytest.mark.parametrize("noun", ["dog", "canvas", "bus", "lens", "glass", "octopus", "iris", "compass", "waitress"])
def test_nouns_that_end_like_plurals(noun: str) -> None:
    assert not is_plural(noun)


@pytest.mark.parametrize("noun", ["dog", "dogs", "babies", "churches", "women", "pool", "swimming pool", "orange"])
def test_nouns_are_known_in_both_numbers_and_by_their_last_word(noun: str) -> None:
    assert is_noun(noun)


@pytest.mark.parametrize("word", ["happy", "red", "riding", "running", "quickly", "friendly"])
def test_adjectives_and_verbs_are_no_nouns(word: str) -> None:
    assert not is_noun(word)


@pytest.mark.parametrize(
    "phrase",
    [
        *("a dog", "an apple", "an hour", "a unicorn", "a university", "an umbrella", "an uninvited guest"),
        *("a one-eyed man", "a European", "a ukulele", "an ice cream", "an honest man", "a used car", "an X-ray"),
    ],
)
def test_articles_go_by_the_sound(phrase: str) -> None:
    expected, rest = phrase.split(" ", 1)
    assert article(rest) == expected


@pytest.mark.parametrize(
    ("answer", "statement"),
    [
        ("dog", "a dog"),
        ("a dog", "a dog"),
        ("the dog", "the dog"),
        ("dogs", "dogs"),
        ("canvas", "a canvas"),
        ("slice of pizza", "a slice of pizza"),
        ("water", "water"),
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
    assert rivals("open") == ["closed", "shut"]
    assert rivals("table") == []
    assert set(rivals("gray")) == set(rivals("grey")) == set(rivals("red")) - {"grey"} | {"red"}


def test_no_word_is_both_refused_and_needed() -> None:
    needed = attributes() | words("gerunds") | words("prepositions") | words("determiners") | words("behind")
    assert not needed & words("refused")


def test_examples_in_docstrings_are_true() -> None:
    failed, tried = doctest.testmod(english)
    assert (failed, tried > 0) == (0, True)
