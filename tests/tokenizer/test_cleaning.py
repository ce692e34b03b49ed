"""What is done to texts before they are split; the tokenizers' own tests compare it with the libraries."""

import random

import ftfy
import pytest

from numpyclip.tokenizer import cleaning
from numpyclip.tokenizer.cleaning import (
    canonicalize,
    clean,
    compose,
    lower,
    replace_surrogates,
    whitespace,
    without_punctuation,
)


def test_plain_ascii_is_what_ftfy_leaves_alone() -> None:
    rng = random.Random(0)
    plain = [chr(point) for point in range(0x80) if cleaning._PLAIN.fullmatch(chr(point))]
    assert "&" not in plain
    assert {"\t", "\n", "\f", "\r"} == {c for c in plain if not c.isprintable()}
    for _ in range(2_000):
        text = "".join(rng.choices(plain, k=rng.randint(0, 80)))
        # Carriage returns become newlines; both are gaps between words.
        assert ftfy.fix_text(text) == text.replace("\r\n", "\n").replace("\r", "\n"), ascii(text)


def test_text_of_many_lines_and_segments_is_still_left_alone_by_ftfy() -> None:
    text = "<b>a_b~" * 200_000 + "\n" + "it's\\x" * 10
    assert ftfy.fix_text(text) == text


@pytest.mark.parametrize("text", ["a&amp;b", "café", "a\x00b", "\x1b[31mred", "\x7f", "\x1c"])
def test_other_text_goes_through_ftfy(text: str) -> None:
    assert cleaning._PLAIN.fullmatch(text) is None


def test_entities_are_resolved_and_mojibake_is_mended() -> None:
    assert clean("&amp;lt;B&amp;gt; Ã©t\u00e9") == "<b> été"


def test_options_of_openclip_do_what_their_names_say() -> None:
    text = "  The_QUICK -- b&amp;rown\u3000fox! "
    assert whitespace(text) == "The_QUICK -- b&rown fox!"
    assert lower(text) == "the_quick -- b&rown fox!"
    assert canonicalize(text) == "the quick brown fox"


def test_siglips_underscore_goes_without_a_space() -> None:
    assert without_punctuation("snake_case -- x") == "snakecase x"


def test_a_last_sigma_is_lowered_like_any_other_and_accents_are_composed() -> None:
    assert compose("ΔΣ e\u0301") == "δ\u03c3 é"
    assert clean("ΔΣ") == "δς"


@pytest.mark.parametrize(
    ("text", "expected"), [("a", "a"), ("é\ud800", "é\ufffd"), ("\ud83d\ude00", "😀"), ("\ude00\ud83d", "\ufffd\ufffd")]
)
def test_halves_of_characters_are_joined_or_replaced(text: str, expected: str) -> None:
    assert replace_surrogates(text) == expected
