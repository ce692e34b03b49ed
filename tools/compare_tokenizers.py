"""Compare the ids of random hard strings with those of OpenCLIP's and transformers' tokenizers.

Needs open_clip, transformers and sentencepiece, in a virtual environment of their own (see tools/README.md), and the
small tokenizers of tests/golden:

    python tools/compare_tokenizers.py [COUNT] [SEED]
"""

import argparse
import random
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import open_clip.tokenizer
import transformers

from compare_tokens import KINDS, MARKUP
from golden.tokenizers import LENGTH, SPECIALS
from numpyclip import Tokenizer
from numpyclip.families.transformers_types import TYPES
from numpyclip.tokenizer.cleaning import replace_surrogates
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.tokenizer.hugging_face import hugging_face_tokenizer, open_clip_file_tokenizer

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "golden" / "tokenizers"
Ids = list[list[int]]


def texts(count: int, rng: random.Random) -> list[str]:
    """Draw texts of characters that this Python knows; the libraries refuse halves of characters."""
    made: list[str] = []
    while len(made) < count:
        text = rng.choice(KINDS)(rng)
        if rng.random() < 0.2:
            text += rng.choice(SPECIALS) + rng.choice(MARKUP)
        if not any(unicodedata.category(letter) == "Cn" for letter in text):
            made.append(replace_surrogates(text))
    return made


def rows(tokenizer: transformers.PreTrainedTokenizerBase, drawn: list[str]) -> Ids:
    return tokenizer(drawn, padding="max_length", truncation=True, max_length=LENGTH).input_ids


def pairs(drawn: list[str]) -> Iterator[tuple[str, Ids, Tokenizer]]:
    """Yield a name, the library's ids, and our tokenizer."""
    for clean in ("lower", "whitespace", "canonicalize"):
        theirs = open_clip.tokenizer.SimpleTokenizer(clean=clean)(drawn, LENGTH).tolist()
        yield f"open_clip native {clean}", theirs, open_clip_tokenizer(clean)
        own = ("roberta", "xlm-roberta", "xlm-roberta-model", "nllb")
        for name in ("t5", "mt5", "gemma", "siglip", "bert", "bert-vocab", *own):
            options = {"clean": clean, "strip_sep_token": name.startswith("bert")}
            theirs = open_clip.tokenizer.HFTokenizer(str(FOLDER / name), LENGTH, **options)(drawn).tolist()
            yield f"open_clip {name} {clean}", theirs, open_clip_file_tokenizer(FOLDER / name, "", *options.values())
    siglip = transformers.AutoTokenizer.from_pretrained(FOLDER / "siglip")
    yield (
        "transformers siglip",
        rows(siglip, drawn),
        hugging_face_tokenizer(FOLDER / "siglip", TYPES["siglip"][0].tokenizer),
    )
    gemma = transformers.Siglip2Tokenizer.from_pretrained(FOLDER / "gemma")
    yield (
        "transformers gemma",
        rows(gemma, drawn),
        hugging_face_tokenizer(FOLDER / "gemma", TYPES["siglip2"][0].tokenizer),
    )
    sys.path.insert(0, str(ROOT))
    from tests.clip_folders import FOLDERS

    for name, make in FOLDERS.items():
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch))
            theirs = rows(transformers.AutoTokenizer.from_pretrained(scratch), drawn)
            yield f"transformers clip {name}", theirs, hugging_face_tokenizer(Path(scratch), TYPES["clip"][0].tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=10_000)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    given = parser.parse_args()
    count, seed = given.count, given.seed
    drawn = texts(count, random.Random(seed))
    for name, expected, ours in pairs(drawn):
        ids = ours(drawn, LENGTH, truncate=True).tolist()
        different = [text for text, mine, theirs in zip(drawn, ids, expected, strict=True) if mine != theirs]
        for text in different[:3]:
            print("different:", ascii(text))
        print(f"{name}: {count:,} strings, {len(different)} different")


if __name__ == "__main__":
    main()
