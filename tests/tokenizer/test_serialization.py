"""A tokenizer that is described, and read again, is the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer, open_clip_tokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer, open_clip_file_tokenizer
from numpyclip.tokenizer.serialization import describe_tokenizer, read_tokenizer

FOLDERS = Path(__file__).parents[1] / "golden" / "tokenizers"
TEXTS = [
    "",
    "A photo of TWO cats!",
    "caf\u00e9_na\u00efve \u4e2d\u6587  don't 42",
    "<|endoftext|> </s> [SEP] <pad>",
    "dog " * 40,
]
SOURCE = Path("numpyclip.json")


def again(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    """Write and read it."""
    description, files = describe_tokenizer(tokenizer)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return read_tokenizer(folder, SOURCE, json.loads(json.dumps(description)))


def assert_same(ours: Tokenizer, theirs: Tokenizer) -> None:
    assert ours.name == theirs.name
    np.testing.assert_array_equal(ours(TEXTS, 24, True), theirs(TEXTS, 24, True))


@pytest.mark.parametrize(
    "tokenizer",
    [
        default_tokenizer(),
        *(open_clip_tokenizer(clean) for clean in ("lower", "whitespace", "canonicalize")),
        TransformersCLIPTokenizer({"<|startoftext|>": 49406, "!": 0}, {"<|endoftext|>": 49407}, 0),
    ],
    ids=lambda tokenizer: tokenizer.name[:24],
)
def test_clips_own_vocabulary_needs_no_file(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert_same(again(tokenizer, tmp_path), tokenizer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["bert", "bert-vocab", "gemma", "mt5", "nllb", "roberta", "t5", "xlm-roberta", "xlm-roberta-model"]
)
@pytest.mark.parametrize("lower", [False, True])
def test_a_tokenizer_of_a_file_is_the_same(name: str, lower: bool, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    tokenizer = hugging_face_tokenizer(FOLDERS / name, TokenizerRules("", lower=lower))
    assert_same(again(tokenizer, tmp_path), tokenizer)


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
def test_so_is_one_that_open_clip_wraps(clean: str, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    tokenizer = open_clip_file_tokenizer(FOLDERS / "bert", "", clean, strip_sep_token=True)
    assert_same(again(tokenizer, tmp_path), tokenizer)


def test_so_is_sentencepiece_s(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    tokenizer = hugging_face_tokenizer(FOLDERS / "siglip", TokenizerRules("SiglipTokenizer"))
    assert_same(again(tokenizer, tmp_path), tokenizer)
    assert (tmp_path / "spiece.model").exists()


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, r"tokenizer\.kind is None; expected str"),
        ({"kind": "other"}, r"tokenizer\.kind is 'other'; expected that of a tokenizer of this version"),
        ({"kind": "open_clip fold"}, r"tokenizer\.kind is 'open_clip fold'"),
        (
            {"kind": "transformers CLIP", "special_tokens": {"no word": True}, "pad_id": 0},
            "special_tokens is {'no word'",
        ),
        ({"kind": "transformers CLIP", "special_tokens": {"!": 1}, "pad_id": 0}, "special_tokens is {'!': 1}"),
        ({"kind": "transformers CLIP", "special_tokens": {}, "pad_id": 49408}, r"pad_id is 49408; expected 0 to 49407"),
        ({"kind": "file", "name": "x", "file": "../../etc/passwd"}, r"tokenizer\.json: cannot be read"),
    ],
)
def test_what_is_no_description_is_refused(description: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_tokenizer(tmp_path, SOURCE, description)
