"""Vocabularies in a `tokenizer.json` with numbers and sizes that no published one has."""

from typing import Any

import pytest

from numpyclip.tokenizer import vocabulary_json
from numpyclip.tokenizer.vocabulary_json import added_fault, model_fault
from tests.clip_folders import described

BPE: dict[str, Any] = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], "dropout": None}
WORD_PIECE: dict[str, Any] = {"type": "WordPiece", "vocab": {"a": 0}, "max_input_chars_per_word": 100}
UNIGRAM: dict[str, Any] = {"type": "Unigram", "vocab": [["a", 0.0], ["b", -1]], "unk_id": 0}
ADDED: dict[str, Any] = {"id": 0, "content": "<pad>", "normalized": False}


def test_plain_ones_and_openai_s_have_no_fault() -> None:
    for model in (BPE, WORD_PIECE, UNIGRAM, {**BPE, "merges": [["a", "b"]]}, {**UNIGRAM, "unk_id": None}):
        assert model_fault(model) is None
    content = described(True, False)
    assert model_fault(content["model"]) is None
    assert added_fault(content["added_tokens"]) is None
    assert added_fault(None) is None


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "is None; expected BPE or Unigram or WordPiece"),
        ([], "is []; expected BPE"),
        ({"type": ["BPE"]}, "is ['BPE']; expected BPE"),
        ({"type": "WordLevel"}, "is 'WordLevel'; expected BPE"),
        ({**BPE, "fuse_unk": 3}, "has an option that is neither true nor false"),
        ({**BPE, "vocab": {"a": 4_000_000_000}}, "has the id 4000000000; expected 0 to 16777215"),
        ({**BPE, "vocab": {"a": -1}}, "has the id -1;"),
        ({**BPE, "vocab": {"a": 1.5}}, "has the id 1.5;"),
        ({**BPE, "vocab": {"a": True}}, "has the id True;"),
        ({**BPE, "vocab": {"a" * 513: 0}}, "has no vocabulary of that kind; expected at most 1048576 strings"),
        ({**BPE, "vocab": [["a", 0]]}, "has no vocabulary of that kind"),
        ({**BPE, "merges": None}, "has no list of at most 1048576 merges"),
        ({**BPE, "merges": ["a b"] * (2**20 + 1)}, "has no list of at most 1048576 merges"),
        ({**BPE, "merges": [["a", "b", "c"]]}, "has merges that are no pairs"),
        ({**BPE, "merges": [["a", 1]]}, "has merges that are no pairs"),
        ({**BPE, "merges": ["a " + "b" * 2000]}, "has merges that are no pairs"),
        ({**BPE, "dropout": 0.5}, "has the dropout 0.5, with which ids are random"),
        ({**BPE, "continuing_subword_prefix": "a"}, "has the continuing_subword_prefix 'a'; expected null"),
        ({**BPE, "end_of_word_suffix": "a" * 17}, "has the end_of_word_suffix 'aaaa"),
        ({**WORD_PIECE, "max_input_chars_per_word": 10**18}, "has 1000000000000000000 as max_input_chars_per_word"),
        ({**WORD_PIECE, "max_input_chars_per_word": -1}, "has -1 as max_input_chars_per_word"),
        ({**WORD_PIECE, "continuing_subword_prefix": "#" * 17}, "has the continuing_subword_prefix '####"),
        ({**UNIGRAM, "vocab": {"a": 0}}, "has no vocabulary that is a list of pieces with their scores"),
        ({**UNIGRAM, "vocab": [["a"]]}, "has no vocabulary that is a list of pieces"),
        ({**UNIGRAM, "vocab": [["a" * 5_000_000, 0.0]]}, "has 1 pieces; expected at most 1048576 strings"),
        ({**UNIGRAM, "vocab": [["a", float("nan")]]}, "has the score nan for 'a'; expected a finite number"),
        ({**UNIGRAM, "vocab": [["a", 1e308]]}, "has the score 1e+308 for 'a'"),
        ({**UNIGRAM, "vocab": [["a", 10**400]]}, "has the score 1000"),
        ({**UNIGRAM, "vocab": [["a", "b"]]}, "has the score 'b' for 'a'"),
        ({**UNIGRAM, "unk_id": 2}, "has the unk_id 2; expected one of its 2 pieces"),
        ({**UNIGRAM, "unk_id": -1}, "has the unk_id -1;"),
    ],
)
def test_what_is_out_of_range_is_named(model: object, message: str) -> None:
    wrong = model_fault(model)
    assert wrong is not None
    assert wrong.startswith(message)
    assert len(wrong) < 200


def test_all_tokens_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary_json, "_MAX_LETTERS", 3)
    assert model_fault(BPE) is not None
    monkeypatch.setattr(vocabulary_json, "_MAX_LETTERS", 4)
    assert model_fault(BPE) is None


def test_the_nodes_of_a_trie_are_counted_where_beginnings_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {**UNIGRAM, "vocab": [[piece, 0.0] for piece in ("abcd", "abce", "abcdé")]}  # seven, of fifteen bytes
    monkeypatch.setattr(vocabulary_json, "_MAX_NODES", 7)
    assert model_fault(shared) is None
    monkeypatch.setattr(vocabulary_json, "_MAX_NODES", 6)
    assert model_fault(shared) == "has a vocabulary whose trie has 7 nodes; expected at most 6"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({}, "is no list of JSON objects"),
        ([3], "is no list of JSON objects"),
        ([{**ADDED, "content": ""}], "has 1 tokens, or long or empty ones"),
        ([{**ADDED, "content": None}], "has 1 tokens, or long or empty ones"),
        ([{**ADDED, "content": "ab" * 10_000_000}], "has 1 tokens, or long or empty ones"),
        ([ADDED] * (2**14 + 1), "has 16385 tokens, or long or empty ones"),
        ([{**ADDED, "id": 2**24}], "has the id 16777216; expected 0 to 16777215"),
        ([{**ADDED, "id": None}], "has the id None"),
    ],
)
def test_added_tokens_out_of_range_are_named(tokens: object, message: str) -> None:
    wrong = added_fault(tokens)
    assert wrong is not None
    assert wrong.startswith(message)
