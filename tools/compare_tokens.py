"""Compare the ids of random hard strings with those of openai/CLIP.

Needs openai/CLIP, in a virtual environment of its own (see tools/README.md):

    python tools/compare_tokens.py [COUNT] [SEED]
"""

import argparse
import random
import unicodedata
from collections.abc import Callable

from clip.clip import _tokenizer as theirs

from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer

MARKUP = (
    *("&amp;", "&amp;amp;", "&lt;", "&#39;", "&#x1F600;", "&#128;", "&nbsp;", "&notit;", "&", "#", ";", "<", ">"),
    *("<|startoftext|>", "<|endoftext|>", "<|ſtartoftext|>", "<|", "|>", "</w>", "'s", "'ſ", "'LL", "’ve", "'d", "!"),
    *("dog", "CAT", "naïve", "Straße", "ΟΔΟΣ", "İ", "ß", "ﬁ", "½", "Ⅷ", "²", "٣", "鳥", "かな", "😀", "👩‍👩‍👧", "🇩🇪"),
    *(" ", "  ", "\t", "\n", "\r", "\x00", "\x1b[31m", "\x85", "\xa0", "\u200b", "\u2028", "\ufeff", "\u0345"),
    *("e\u0301", "\ud800", "42", "<b>", "!!"),
)  # fmt: skip
PLAIN = [chr(code) for code in range(0x20, 0x7F)]


def any_character(rng: random.Random) -> str:
    """Draw a code point; some planes are nearly empty, so every range of scripts has its share."""
    return chr(rng.randrange(rng.choice((0x80, 0x250, 0x3000, 0x10000, 0x1FB00, 0x110000))))


def random_code_points(rng: random.Random) -> str:
    return "".join(any_character(rng) for _ in range(rng.randrange(1, 30)))


def markup_soup(rng: random.Random) -> str:
    return "".join(rng.choice(MARKUP) for _ in range(rng.randrange(1, 20)))


def mojibake(rng: random.Random) -> str:
    text = "".join(rng.choice(MARKUP) for _ in range(rng.randrange(1, 8)))
    for _ in range(rng.randrange(1, 3)):
        codec = rng.choice(("latin-1", "cp1252", "cp1251", "cp437", "macroman", "utf-8"))
        text = text.encode("utf-8", "replace").decode(codec, "replace")
    return text


def plain(rng: random.Random) -> str:
    return "".join(rng.choice(PLAIN) for _ in range(rng.randrange(1, 60)))


def long_word(rng: random.Random) -> str:
    alphabet = [any_character(rng) for _ in range(rng.randrange(1, 4))] + ["a", "b"]
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(50, 400)))


KINDS: tuple[Callable[[random.Random], str], ...] = (random_code_points, markup_soup, mojibake, plain, long_word)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=100_000)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    given = parser.parse_args()
    count, seed = given.count, given.seed
    rng, ours = random.Random(seed), CLIPTokenizer()
    ids = different = 0
    for _ in range(count):
        text = rng.choice(KINDS)(rng)
        expected = theirs.encode(text)
        ids += len(expected)
        if ours.encode(text) != expected:
            different += 1
            print("different:", ascii(text))
    print(f"{count:,} strings, {ids:,} ids, {different} different (Unicode {unicodedata.unidata_version}, seed {seed})")


if __name__ == "__main__":
    main()
