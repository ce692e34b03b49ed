"""Regular expressions of untrusted files."""

import pytest

from numpyclip.tokenizer.patterns import MAX_PATTERN, is_linear
from tests.clip_folders import PATTERN

PUBLISHED = {
    "CLIP": PATTERN,
    "GPT-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "Llama 3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "white space": r"\s+",
    "spaces": " {2,}",
}


@pytest.mark.parametrize("pattern", PUBLISHED.values(), ids=PUBLISHED)
def test_those_of_published_models_are_linear(pattern: str) -> None:
    assert is_linear(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:[a-z ]?){21}[a-z ]{21}Q",
        "(a+)+b",
        "(a|a)*b",
        "a*a*b",
        "a+b",  # takes quadratic time
        r"\s*[\r\n]+",  # the same where no \s+ follows
        r"\s+(?!\S)b",
        "a?" * 20 + "a" * 20,
        "a{1,9}" * 3,
        "a{1000}",
        "a{1,9}{1,9}",
        "a+?b",
        "a++",
        "a**",
        r"(a)\1",
        r"\1",
        r"a\k<1>",
        "[a&&b]",
        "[a[b]]",
        "(?=a*)",
        "^a",
        "(",
        "[",
        "a" * 513,
        "",  # matches between any two letters, as the next
        "a*",
        "a?b{0,3}",
        "a|",
        "|a",
        "a||b",
        "a+\n|\\s+(?!\\S)\n",
    ],
)
def test_what_may_take_longer_is_told(pattern: str) -> None:
    assert not is_linear(pattern)
    assert not is_linear(f"x|{pattern}|{PATTERN}")


def test_an_escape_of_nothing_is_no_pattern() -> None:
    assert not is_linear("a\\")


@pytest.mark.parametrize("piece", [r"\p{a}", r"\a{a}", "a{a}", "{a}", r"\{", r"\a", "a", "^", "-", r"\[", " "])
def test_a_class_that_does_not_end_is_told_at_once(piece: str) -> None:
    assert not is_linear("[" + piece * (MAX_PATTERN // len(piece) - 1))
    assert not is_linear("[^" + piece * (MAX_PATTERN // len(piece) - 1) + "[")
