"""What a `tokenizer.json` may ask for; hostile ones are refused before any text is read."""

import base64
import json
import re
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.loader import load
from numpyclip.tokenizer.hugging_face import open_clip_file_tokenizer
from numpyclip.tokenizer.tokenizer_json import check_tokenizer
from tests.clip_folders import described
from tests.tokenizer.test_hugging_face import FOLDER

PATH = Path("there") / "tokenizer.json"
BPE = {"type": "BPE", "vocab": {"a": 0, "<pad>": 1}, "merges": []}
BLOW_UP = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}
DOUBLE = {"type": "Replace", "pattern": {"Regex": ""}, "content": "a"}
TEMPLATE: dict[str, Any] = {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}


def check(**parts: object) -> None:
    check_tokenizer(PATH, json.dumps({"model": BPE, **parts}).encode())


def sequence(*steps: object) -> dict[str, object]:
    return {"type": "Sequence", "normalizers": list(steps), "pretokenizers": list(steps), "decoders": list(steps)}


def table(text: bytes) -> dict[str, str]:
    data = (1024).to_bytes(4, "little") + bytes(1024) + b"a\0" + text + b"\0"
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FOLDER.glob("*/tokenizer.json")))
def test_what_the_libraries_save_is_read(name: str) -> None:
    check_tokenizer(PATH, (FOLDER / name / "tokenizer.json").read_bytes())


def test_what_openai_s_vocabulary_came_in_is_read() -> None:
    content = described(True, False)
    check_tokenizer(PATH, json.dumps(content).encode())
    del content["model"]["type"]  # as in the oldest files
    check_tokenizer(PATH, json.dumps(content).encode())


def test_a_file_that_blows_up_texts_is_refused_before_the_package_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    added = {"id": 0, "content": "a", "single_word": False, "lstrip": False, "rstrip": False}
    file = {
        "version": "1.0",
        "added_tokens": [{**added, "normalized": False, "special": False}],
        "normalizer": sequence(BLOW_UP, BLOW_UP),  # two instead of the ten that abort the process
        "model": BPE,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(file))
    with pytest.raises(UnsupportedCheckpointError, match=r"tokenizer.json: normalizer.normalizers.0, Replace, has"):
        open_clip_file_tokenizer(tmp_path, "", "lower", strip_sep_token=False)("a", 8)


@pytest.mark.parametrize(
    ("part", "told", "message"),
    [
        ("normalizer", BLOW_UP, "normalizer, Replace, has the content 'aaaa"),
        ("normalizer", sequence({"type": "NFC"}, BLOW_UP), "normalizer.normalizers.1, Replace, has the content 'aaaa"),
        (
            "normalizer",
            sequence(DOUBLE),
            "normalizer.normalizers.0, Replace, has the pattern {'Regex': ''}; expected a",
        ),
        ("normalizer", {**DOUBLE, "pattern": {"String": ""}}, "normalizer, Replace, has the pattern {'String': ''}"),
        ("normalizer", sequence(sequence(BLOW_UP)), "normalizer.normalizers.0 is 'Sequence'; expected BertN"),
        ("normalizer", sequence(*[BLOW_UP] * 13), "normalizer is no list of at most 12 steps"),
        ("normalizer", sequence({"type": "NFKC"}, {"type": "NFKD"}), "normalizers.1, NFKD, is a second one"),
        ("normalizer", sequence(table(b"b"), table(b"b")), "normalizers.1, Precompiled, is a second one"),
        ("normalizer", table(b"b" * 41), "normalizer, Precompiled, has a table that replaces one character by a"),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "?"}, "Precompiled, has no table"),
        ("normalizer", {"type": "Prepend", "prepend": "a" * 9}, "normalizer, Prepend, has 'aaaaaaaaa' to prepend"),
        ("normalizer", {k: v for k, v in BLOW_UP.items() if k != "type"}, "normalizer is None; expected BertN"),
        ("normalizer", {"type": ["Replace"]}, r"normalizer is \['Replace'\]; expected BertN"),
        ("normalizer", 3, "normalizer is 3; expected a JSON object"),
        ("pre_tokenizer", sequence(*[{"type": "ByteLevel"}] * 2), "pre_tokenizer.pretokenizers.1, ByteLevel, is a sec"),
        ("pre_tokenizer", {"type": "Strange\x1b"}, r"pre_tokenizer is 'Strange\\x1b'; expected BertPre"),
        ("post_processor", {**TEMPLATE, "single": [{}] * 17}, "post_processor, TemplateProcessing, has no lists of"),
        ("post_processor", {**TEMPLATE, "special_tokens": {"a": {"ids": [0] * 17}}}, "TemplateProcessing, has no"),
        ("decoder", BLOW_UP, "decoder, Replace, has the content"),
        ("decoder", {"type": "CTC"}, "decoder is 'CTC'; expected BPEDecoder, "),
        ("model", {"type": "WordLevel"}, "model is 'WordLevel'; expected BPE or Unigram or WordPiece"),
        ("model", None, "model is None; expected BPE"),
    ],
)
def test_a_step_that_is_not_known_or_blows_up_texts_is_named(part: str, told: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"^there.tokenizer.json: .*{message}") as caught:
        check(**{part: told})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("part", "told", "message"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "/////wAAAAAAAAAA"}, "a trie of 4294967295"),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(?:a*)*b"}}, "the pattern {'Regex': '"),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "a" * 600}}, "a string of 600 characters"),
        ("pre_tokenizer", {"type": "Split", "pattern": "a"}, "the pattern 'a'; expected a string, or"),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": "a*a*b"}, "content": ""}, "the pattern {'Regex': 'a*"),
        ("decoder", {"type": "Replace", "pattern": {"Regex": "(a|a)*b"}, "content": ""}, "the pattern {'Regex': '"),
        ("decoder", {"type": "WordPiece", "prefix": "#" * 10_000_000}, "a string of 10000000 characters"),
        ("normalizer", {"type": "NFC", "more": [[[[[[[[[[]]]]]]]]]]}, "more than 8 levels"),
    ],
)
def test_what_would_abort_or_block_the_process_is_named(part: str, told: object, message: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=rf"json: {part}, \w+, has .*{re.escape(message)}") as caught:
        check(**{part: told})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("letter", "most"), [("[", 2**20), ("{", 2**17), (",", 2**21), (":", 2**19)])
def test_a_file_of_too_many_values_is_refused_before_it_is_parsed(letter: str, most: int) -> None:
    tracemalloc.start()
    with pytest.raises(UnsupportedCheckpointError, match=f"has {most + 1} times {re.escape(repr(letter))}; expected"):
        check_tokenizer(PATH, letter.encode() * (most + 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * most + 2**20


def test_the_abort_of_the_native_package_is_forestalled_in_a_whole_model(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    shutil.copytree(FOLDER.parent / "families" / "transformers-siglip", tmp_path / "model")
    content = json.loads((FOLDER / "xlm-roberta" / "tokenizer.json").read_text("utf-8"))
    content["normalizer"]["precompiled_charsmap"] = "/////wAAAAAAAAAA"
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "model" / "tokenizer_config.json").write_text('{"tokenizer_class": "XLMRobertaTokenizer"}')
    model, _ = load(tmp_path / "model")
    with pytest.raises(UnsupportedCheckpointError, match=r"tokenizer\.json: normalizer, Precompiled, has a table"):
        model.embed_texts("a cat")


def test_what_is_told_twice_is_refused_for_the_package_may_read_the_other() -> None:
    twice = json.dumps({"model": BPE, "normalizer": {"type": "NFC"}}).replace("NFC", 'NFC", "type": "NFKC')
    with pytest.raises(CheckpointError, match=r"not a tokenizer, which is JSON .*a name twice"):
        check_tokenizer(PATH, twice.encode())


def test_small_changes_of_texts_are_no_blow_up() -> None:
    replace = {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}
    check(normalizer=sequence(*[replace] * 4, table(b"b" * 40)), decoder=sequence(replace))
