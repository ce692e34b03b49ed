"""Texts of any length and kind, for every tokenizer: they cost what is left of them after truncation."""

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import MissingPackageError, TextTooLongError
from numpyclip.tokenizer import clip_tokenizer, file_tokenizer
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.byte_pairs import merge_symbols
from numpyclip.tokenizer.cleaning import basic_clean
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer, default_tokenizer, open_clip_tokenizer
from numpyclip.tokenizer.excerpt import excerpt
from tests.clip_folders import of_openai
from tests.tokenizer.test_hugging_face import FOLDER, of_family, of_open_clip, of_siglip

LENGTH = 16
LIMIT = 128 * LENGTH
HUGE = {
    "words": "a cat " * 2_700_000,
    "one word": "a" * 16_000_000,
    "white space": " " * 16_000_000 + "cat",
    "no text": "\0" * 16_000_000,
    "Chinese": "\u4e2d" * 4_000_000,
    "mojibake": "\u00c3\u00a9" * 4_000_000,
    "entities": "&amp;" * 3_000_000,
    "punctuation": "!" * 16_000_000,
    "lines": "a\n" * 8_000_000,
}


def of_transformers(folder: Path) -> Tokenizer:
    of_openai(folder)
    return of_family("clip", folder)


TOKENIZERS: dict[str, Callable[[Path], Tokenizer]] = {
    "openai": lambda folder: default_tokenizer(),
    "open_clip": lambda folder: open_clip_tokenizer("canonicalize"),
    "transformers": of_transformers,
    "sentencepiece": lambda folder: of_open_clip("mt5"),
    "byte pairs": lambda folder: of_open_clip("nllb"),
    "SigLIP": lambda folder: of_siglip("siglip"),
    "SigLIP 2": lambda folder: of_siglip("gemma"),
    "Unigram": lambda folder: of_open_clip("t5"),
    "Unigram as it is": lambda folder: of_family("metaclip_2", FOLDER / "xlm-roberta"),
    "WordPiece": lambda folder: of_open_clip("bert"),
    "vocab.txt": lambda folder: of_family("chinese_clip", FOLDER / "bert-vocab"),
    "keeps the end": lambda folder: of_open_clip("roberta"),
}


@pytest.fixture(params=TOKENIZERS, scope="module")
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    tokenizer = TOKENIZERS[request.param](tmp_path_factory.mktemp("tokenizer"))
    try:
        tokenizer("a", 77)
    except MissingPackageError as error:
        pytest.skip(str(error))
    return tokenizer


def without_excerpt(tokenizer: Tokenizer, text: str, length: int = LENGTH) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        for module in (clip_tokenizer, file_tokenizer):
            patch.setattr(module, "excerpt", lambda text, length, from_end=False: (text, False))
        return tokenizer(text, length, True)


# --- cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HUGE)
def test_no_more_than_an_excerpt_is_read_of_a_huge_text(kind: str) -> None:
    for from_end in False, True:
        part, is_cut = excerpt(HUGE[kind], LENGTH, from_end=from_end)
        assert len(part) <= LIMIT
        assert is_cut == (kind != "white space" or from_end)


def test_a_huge_text_takes_no_more_memory_than_its_excerpt(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noting(text: str, context_length: int, **options: bool) -> tuple[str, bool]:
        part = excerpt(text, context_length, **options)
        read.append(len(part[0]))
        return part

    for module in (clip_tokenizer, file_tokenizer):
        monkeypatch.setattr(module, "excerpt", noting)
    tokenizer("\u4e2d", LENGTH)
    tracemalloc.start()
    for text in (HUGE["words"], HUGE["Chinese"]):
        assert tokenizer(text, LENGTH, truncate=True).shape == (1, LENGTH)
        with pytest.raises(TextTooLongError, match=r"^text '.{60,70}'\.\.\.: (more than \d+ tokens|\d+ characters)"):
            tokenizer(text, LENGTH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20
    assert len(read) == 5
    assert max(read) <= LIMIT


def test_no_word_is_merged_beyond_what_can_be_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    merged: list[int] = []
    plain = merge_symbols

    def noting(symbols: list[str], ranks: dict[str, int]) -> list[str]:
        merged.append(len(symbols))
        return plain(symbols, ranks)

    monkeypatch.setattr(clip_tokenizer, "merge_symbols", noting)
    default_tokenizer()(HUGE["one word"], LENGTH, truncate=True)
    default_tokenizer()("\u4e2d" * 4000, LENGTH, truncate=True)
    assert merged == [32 * LENGTH, 3 * 32 * LENGTH]


def test_words_behind_the_last_token_are_not_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    own = CLIPTokenizer()
    own(" ".join(f"{letter}{number}q" for letter in "abc" for number in range(10, 300)), LENGTH, truncate=True)
    assert own._word_ids.cache_info().currsize < LENGTH + 5


# --- the same ids ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "the class of a class " * 300,
        "The class.\nIt's \u00e9t\u00e9 \u2014 \u00c3\u00a9t\u00c3\u00a9 &amp; 1234!\n" * 100,
        "\u00c3\u00a9t\u00c3\u00a9 class " * 300,
        "a" * 10_000,
        "ab" * 2000,
        "!?" * 2000,
        "\u4e2d\u6587" * 2000,
        "&lt;&amp;&eacute;" * 300,
        "\U0001f602\u2764\ufe0f" * 800,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_ids_are_those_of_the_whole_text(tokenizer: Tokenizer, text: str) -> None:
    if "roberta" in str(getattr(tokenizer, "path", "")) and " " not in text:
        return  # symbols are merged from the left, so that the last ones of a word without end depend on the first
    assert np.array_equal(tokenizer(text, LENGTH, True), without_excerpt(tokenizer, text))


@pytest.mark.parametrize("space", [" ", "\n", "\t \r\n", "\u3000"])
def test_white_space_of_any_length_hides_no_word(tokenizer: Tokenizer, space: str) -> None:
    if not tokenizer.name.startswith("tokenizer.json") or "t5" in str(getattr(tokenizer, "path", "")):
        few, text = (f"{run}class{run}cat{run}" for run in (space * 9, space * 250_000))
        expected = tokenizer(few, LENGTH)
        assert np.array_equal(tokenizer(text, LENGTH, True), expected)
        assert np.array_equal(tokenizer(text, LENGTH), expected)


@pytest.mark.exhaustive
def test_ids_of_random_texts_are_those_of_the_whole() -> None:
    own = default_tokenizer()
    makes: list[Callable[[random.Random], str]] = [
        lambda chance: " ".join("".join(chance.choices("abcdefgh", k=chance.randint(1, 9))) for _ in range(5000)),
        lambda chance: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=30_000)),
        lambda chance: "".join(chr(chance.choice([chance.randint(32, 126), chance.randint(160, 0x2FFF)])) * 20_000),
        lambda chance: "".join(chance.choices(["&amp;", "&lt;", "a", "&#128512;"], k=10_000)),
        lambda chance: "".join(chance.choices("abcde", k=chance.randint(1, 5))) * 10_000,
        lambda chance: "\n".join("".join(chance.choices("ab\u00e9 ,", k=chance.randint(0, 30))) for _ in range(3000)),
        lambda chance: f"{' ' * 99_999}cat{' ' * 99_999}dog \n{' ' * 99_999}" + "z" * chance.randint(0, 30_000),
    ]
    for seed in range(300):
        chance = random.Random(seed)
        text = chance.choice(makes)(chance)
        assert np.array_equal(own(text, 77, True), without_excerpt(own, text, 77)), seed


# --- the part that is read ------------------------------------------------------------------------


def test_a_text_up_to_the_limit_is_read_whole() -> None:
    for text in ("", "a" * LIMIT, " " * LIMIT):
        assert excerpt(text, LENGTH) == (text, False)
        assert excerpt(text, LENGTH, from_end=True) == (text, False)


def test_it_ends_at_a_line_break_or_a_space_if_one_is_near() -> None:
    near, far = LIMIT * 15 // 16, LIMIT * 13 // 16
    assert excerpt("a" * near + "\n" + "b b" * LIMIT, LENGTH) == ("a" * near + "\n", True)
    assert excerpt("a" * near + " " + "b" * LIMIT, LENGTH) == ("a" * near + " ", True)
    assert excerpt("a" * far + " " + "b" * LIMIT, LENGTH) == (("a" * far + " " + "b" * LIMIT)[:LIMIT], True)


def test_it_starts_there_where_the_end_is_kept() -> None:
    near, far = LIMIT * 15 // 16, LIMIT * 13 // 16
    assert excerpt("b b" * LIMIT + "\n" + "a" * near, LENGTH, from_end=True) == ("a" * near, True)
    assert excerpt("b" * LIMIT + " " + "a" * near, LENGTH, from_end=True) == ("a" * near, True)
    whole = "b" * LIMIT + " " + "a" * far
    assert excerpt(whole, LENGTH, from_end=True) == (whole[-LIMIT:], True)


# --- texts of any kind ----------------------------------------------------------------------------


def test_lone_surrogates_are_replaced_and_joined_pairs_are_letters(tokenizer: Tokenizer) -> None:
    rows = tokenizer(["a \ud800 b", "a \udfff\ud800 b", "a \ufffd b", "a \ufffd\ufffd b"], LENGTH)
    assert np.array_equal(rows[:2], rows[2:])
    assert np.array_equal(tokenizer("\ud83d\ude02", LENGTH), tokenizer("\U0001f602", LENGTH))


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\x1b[31m", "\ufeff", "\u202e", "\uffff", "\U0010ffff", "&#xD800;", "\r"]
)
def test_control_characters_and_the_like_are_tokenized(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer([text, f"class {text} {text * 9}"], LENGTH, truncate=True).shape == (2, LENGTH)


@pytest.mark.parametrize("entity", ["&#{};", "&amp;#{};", "&#{}", "&amp;amp;#{};"])
def test_an_entity_of_thousands_of_digits_is_the_letter_of_one_too_large(entity: str) -> None:
    assert basic_clean(entity.format("1" * 5000)) == basic_clean(entity.format("9" * 20))
