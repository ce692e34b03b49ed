"""Fields of requests: what is taken as which type, and where their limits are."""

from typing import Any

import pytest

from numpyclip.dispatch.fields import Fields, is_row_id, shown
from numpyclip.errors import InputError


def fields(value: Any) -> Fields:
    return Fields({"x": value})


def refused(method: str, value: Any, *arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        getattr(fields(value), method)("x", *arguments)
    return str(caught.value)


def test_what_is_missing_or_null_has_its_default() -> None:
    for missing in (Fields({}), fields(None)):
        assert missing.text("x") is None
        assert missing.text("x", "a") == "a"
        assert missing.choice("x", "a", "b") == "a"
        assert missing.integer("x", 5, 3) == 5
        assert missing.flag("x") is False
        assert not [*missing.texts("x"), *missing.images("x"), *missing.row_ids("x")]


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (7, 7), (8, 7), ("3", 3), ("9" * 18, 7), (10**30, 7)])
def test_integers_are_at_most_the_maximum(value: Any, expected: int) -> None:
    assert fields(value).integer("x", 5, 7) == expected


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "", "0", "-1", "1.0", "a", "\u0663", "9" * 19, [1], {}])
def test_what_is_no_integer_above_0_is_refused(value: Any) -> None:
    assert "expected an integer above 0" in refused("integer", value, 5, 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in (True, "1", "true", "True", "on", "YES")),
        *((value, False) for value in (False, "0", "false", "off", "no", "")),
    ],
)
def test_flags_are_booleans_or_their_words(value: Any, expected: bool) -> None:
    assert fields(value).flag("x") is expected


def test_flags_are_no_numbers() -> None:
    assert refused("flag", 1) == "x is 1; expected true or false."
    assert refused("flag", "maybe") == "x is 'maybe'; expected true or false."
    assert "expected true or false" in refused("flag", "2")


def test_choices_are_as_they_are_named() -> None:
    assert fields("b").choice("x", "a", "b") == "b"
    assert refused("choice", "c", "a", "b") == "x is 'c'; expected a or b."
    assert "expected a string" in refused("choice", 1, "a", "b")


def test_texts_have_a_longest() -> None:
    longest = "a" * 122_880
    assert fields(longest).text("x") == longest
    assert fields(["b", longest]).texts("x") == ["b", longest]
    for method, value in (("text", longest + "a"), ("texts", longest + "a"), ("texts", ["b", longest + "a"])):
        assert refused(method, value) == "x has 122881 characters; expected at most 122880."


def test_lists_may_be_single_values_of_their_kinds() -> None:
    assert fields("a").texts("x") == ["a"]
    assert fields([b"a", "b"]).images("x") == [b"a", "b"]
    assert fields(b"a").images("x") == [b"a"]
    assert "expected a string or a list of strings" in refused("texts", b"a")
    assert "expected a string or a list of strings" in refused("texts", ["a", 1])
    assert "expected one or more files or data URIs" in refused("images", [b"a", 1])


@pytest.mark.parametrize(
    ("value", "expected"), [(0, [0]), ("12", [12]), ([1, "2"], [1, 2]), ("", []), ([], []), (10**18 - 1, [10**18 - 1])]
)
def test_row_ids_are_integers_or_their_digits(value: Any, expected: list[int]) -> None:
    assert fields(value).row_ids("x") == expected


@pytest.mark.parametrize("value", [-1, 10**18, "a", [""], ["1", "-2"], 1.5, True, None])
def test_what_is_no_row_id_is_refused(value: Any) -> None:
    if value is not None:
        assert "expected IDs of images" in refused("row_ids", value)
    assert not is_row_id(str(value))


def test_a_message_quotes_little_of_a_value() -> None:
    assert shown("a" * 10**6).startswith("'aaa")
    assert len(shown([["a" * 100] * 100] * 100)) <= 60
