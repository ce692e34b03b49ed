"""Fields of requests: what is taken as which type, where their limits are, and that their schemas say the same."""

from typing import Any

import pytest

from numpyclip.dispatch.field_kinds import Choice, Flag, Images, Integer, ListField, Numbers, RowId, RowIds, Text, Texts
from numpyclip.dispatch.fields import Field, RequestFields, is_row_id, shown
from numpyclip.dispatch.queries import Filters
from numpyclip.errors import InputError


def fields(field: Field[Any], value: Any) -> Any:
    """Fields whose `x` is so described."""
    kind = type("Fields", (RequestFields,), {"x": field})
    return kind({"x": value})


def value(field: Field[Any], sent: Any) -> Any:
    return fields(field, sent).x


def refused(field: Field[Any], sent: Any) -> str:
    with pytest.raises(InputError) as caught:
        fields(field, sent)
    return str(caught.value)


COUNT = Integer("How many.", 5, 7)


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (Text(""), ""),
        (Text("", "a"), "a"),
        (Choice("", ("a", "b")), "a"),
        (COUNT, 5),
        (Flag(""), False),
        (Flag("", True), True),
        *((kind(""), []) for kind in (Texts, Images, RowIds)),
        (RowId(""), None),
        (Numbers("", "A,B"), None),
    ],
)
def test_what_is_missing_or_null_has_its_default(field: Field[Any], default: Any) -> None:
    assert value(field, None) == default
    kind = type("Fields", (RequestFields,), {"x": field})
    assert kind({}).values == {"x": default}


def test_a_field_that_is_required_is_not_missing() -> None:
    assert refused(Choice("", ("a", "b"), required=True), None) == "x is missing; expected a or b."
    assert refused(Text("", required=True), None) == "x is missing; expected a string."


class Search(RequestFields):
    query = Text("Words.")
    not_ = Texts("Others.")


def test_only_what_is_described_can_be_read() -> None:
    found = Search({"query": "a", "not": "b", "n": 5})
    assert (found.query, found.not_) == ("a", ["b"])
    with pytest.raises(AttributeError):
        found.n  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(KeyError):
        found.sent("n")
    with pytest.raises(InputError, match="x is 1; expected a string"):  # also where no handler reads it
        fields(Text(""), 1)


def test_names_that_python_reserves_have_an_underscore() -> None:
    assert list(Search.DESCRIBED) == ["query", "not"]


def test_a_subclass_has_the_fields_of_its_bases_and_may_describe_them_again() -> None:
    class More(Search, Filters):
        query = Text("More words.", "none")

    assert list(More.DESCRIBED)[:4] == ["query", "not", "folder", "after"]
    assert More({}).query == "none"
    assert Search({}).query == ""


def test_programs_hear_of_their_mistakes() -> None:
    with pytest.raises(InputError, match="'n' is unknown; expected query, not"):
        Search({"query": "a", "n": 5}, strict=True)
    mistakes: tuple[Any, ...] = ("", " ", [])
    for empty in mistakes:
        with pytest.raises(InputError, match="query is empty; expected a value"):
            Search({"query": empty}, strict=True)
    assert Search({"not": []}, strict=True).not_ == []
    with pytest.raises(InputError, match="expected no field"):
        RequestFields({"n": 5}, strict=True)


@pytest.mark.parametrize(("sent", "expected"), [(1, 1), (7, 7), (8, 7), ("3", 3), ("9" * 18, 7), (10**30, 7)])
def test_integers_are_at_most_the_maximum(sent: Any, expected: int) -> None:
    assert value(COUNT, sent) == expected


@pytest.mark.parametrize("sent", [0, -1, True, 1.0, "", "0", "-1", "1.0", "a", "\u0663", "9" * 19, [1], {}])
def test_what_is_no_integer_above_0_is_refused(sent: Any) -> None:
    assert "expected an integer above 0" in refused(COUNT, sent)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        *((value, True) for value in (True, "1", "true", "True", "on", "YES")),
        *((value, False) for value in (False, "0", "false", "off", "no", "")),
    ],
)
def test_flags_are_booleans_or_their_words(sent: Any, expected: bool) -> None:
    assert value(Flag(""), sent) is expected


def test_flags_are_no_numbers() -> None:
    assert refused(Flag(""), 1) == "x is 1; expected true or false."
    assert refused(Flag(""), "maybe") == "x is 'maybe'; expected true or false."
    assert "expected true or false" in refused(Flag(""), "2")


def test_choices_are_as_they_are_named() -> None:
    letters, sizes = Choice("", ("a", "b")), Choice("", (320, 1600))
    assert value(letters, "b") == "b"
    assert refused(letters, "c") == "x is 'c'; expected a or b."
    assert "expected a or b" in refused(letters, 1)
    assert value(sizes, 1600) == value(sizes, "1600") == 1600
    for wrong in (10, "10", "0320", True, 320.0, [320]):
        assert "expected 320 or 1600" in refused(sizes, wrong)


def test_texts_have_a_longest() -> None:
    longest = "a" * 122_880
    assert value(Text(""), longest) == longest
    assert value(Texts(""), ["b", longest]) == ["b", longest]
    for field, sent in ((Text(""), longest + "a"), (Texts(""), longest + "a"), (Texts(""), ["b", longest + "a"])):
        assert refused(field, sent) == "x has 122881 characters; expected at most 122880."


def test_lists_may_be_single_values_of_their_kinds() -> None:
    assert value(Texts(""), "a") == ["a"]
    assert value(Images(""), [b"a", "b"]) == [b"a", "b"]
    assert value(Images(""), b"a") == [b"a"]
    assert "expected a string or a list of strings" in refused(Texts(""), b"a")
    assert "expected a string or a list of strings" in refused(Texts(""), ["a", 1])
    assert "expected one or more files or data URIs" in refused(Images(""), [b"a", 1])


def test_a_list_that_is_missing_is_no_other_request_s() -> None:
    field = Texts("")
    value(field, None).append("a")
    assert value(field, None) == []


@pytest.mark.parametrize(
    ("sent", "expected"), [(0, [0]), ("12", [12]), ([1, "2"], [1, 2]), ("", []), ([], []), (10**18 - 1, [10**18 - 1])]
)
def test_row_ids_are_integers_or_their_digits(sent: Any, expected: list[int]) -> None:
    assert value(RowIds(""), sent) == expected


@pytest.mark.parametrize("sent", [-1, 10**18, "a", [""], ["1", "-2"], 1.5, True, None])
def test_what_is_no_row_id_is_refused(sent: Any) -> None:
    if sent is not None:
        assert "expected IDs of images" in refused(RowIds(""), sent)
        assert "expected the ID of an image" in refused(RowId(""), sent)
    assert not is_row_id(str(sent))


def test_numbers_are_as_many_as_they_have_names() -> None:
    pair = Numbers("", "LATITUDE,LONGITUDE")
    assert value(pair, [1, 2.5]) == value(pair, "1,2.5") == (1.0, 2.5)
    assert value(pair, "") is None
    for wrong in ("1", "1,2,3", [1], [1, 2, 3], [1, {}], "1,a", 5, True, {"a": 1}, [10**400, 1]):
        assert "expected LATITUDE,LONGITUDE" in refused(pair, wrong)


@pytest.mark.parametrize("sent", [3, "3", 0, ""])
def test_a_rating_is_of_up_to_five_stars(sent: Any) -> None:
    assert Filters({"rating": sent}).rating == int(sent or 0)


@pytest.mark.parametrize("sent", [6, -1, "6", True, 2.0, [1], "many"])
def test_what_is_no_rating_is_refused(sent: Any) -> None:
    with pytest.raises(InputError, match="expected an integer from 1 to 5"):
        Filters({"rating": sent})


def test_schemas_say_what_is_read() -> None:
    assert COUNT.described() == {
        "type": "integer",
        "minimum": 1,
        "default": 5,
        "description": "How many. Larger values mean 7.",
    }
    assert Choice("A letter.", ("a", "b")).described() == {
        "enum": ["a", "b"],
        "default": "a",
        "description": "A letter.",
    }
    several = {"type": "array", "items": {"type": "string", "maxLength": 122_880}}
    assert Texts("").schema() == {"anyOf": [several["items"], several]}
    assert Texts("").schema("form") == several
    assert Images("").schema("form")["items"] == {"type": "string", "format": "binary"}
    assert Numbers("", "A,B").schema()["maxItems"] == 2
    assert Search.schema() == {
        "type": "object",
        "properties": {"query": Search.query.described(), "not": Search.not_.described()},
    }
    assert isinstance(Search.not_, ListField)


def test_a_message_quotes_little_of_a_value() -> None:
    assert shown("a" * 10**6).startswith("'aaa")
    assert len(shown([["a" * 100] * 100] * 100)) <= 60
