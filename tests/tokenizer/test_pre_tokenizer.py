"""Words as openai/CLIP splits them, recorded by tools/make_golden_tokens.py for every code point there is."""

import gzip
import hashlib
import json
import sys
from pathlib import Path

import pytest

from numpyclip.tokenizer.pre_tokenizer import split

SPLIT = json.loads(gzip.decompress((Path(__file__).parents[1] / "golden" / "tokens.json.gz").read_bytes()))["split"]


@pytest.mark.parametrize(
    ("surrounding", "stop", "expected"),
    [pytest.param(*row, id=row[0], marks=[pytest.mark.exhaustive] if row[1] > sys.maxunicode else []) for row in SPLIT],
)
def test_every_code_point_is_split_as_the_reference_splits_it(surrounding: str, stop: int, expected: str) -> None:
    points = (point for point in range(stop) if not 0x41 <= point <= 0x5A)
    words = split("\n".join(surrounding.format(chr(point)) for point in points))
    assert hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest() == expected


@pytest.mark.parametrize("surrounding", [row[0] for row in SPLIT])
def test_ascii_text_is_split_as_in_a_text_of_all_scripts(surrounding: str) -> None:
    for point in set(range(0x80)) - set(range(0x41, 0x5B)):
        text = surrounding.format(chr(point))
        assert split(text) == split(f"{text} é")[:-1]
