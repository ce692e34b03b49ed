"""Folders with CLIP's vocabulary as transformers saved it over time; tools/golden/tokenizers.py makes them, too."""

import json
from pathlib import Path
from typing import Any

from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT

PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
PLAIN = {"single_word": False, "lstrip": False, "rstrip": False}


def vocabulary() -> tuple[dict[str, int], list[str]]:
    own = default_tokenizer()
    return dict(own._ids), list(own._ranks)


def described(start_in_any_case: bool, end_in_any_case: bool) -> dict[str, Any]:
    """What `tokenizer.json` holds."""
    ids, merges = vocabulary()
    marks = [(49406, START_OF_TEXT, start_in_any_case), (49407, END_OF_TEXT, end_in_any_case)]
    white_space = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Removed", "invert": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": mark, **PLAIN, "normalized": anyhow, "special": True} for i, mark, anyhow in marks
        ],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, white_space, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [END_OF_TEXT, 49407],
            "cls": [START_OF_TEXT, 49406],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": END_OF_TEXT,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "vocab": ids,
            "merges": merges,
        },
    }


def write(folder: Path, **files: dict[str, Any]) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")


def of_openai_without_json(folder: Path) -> None:
    ids, merges = vocabulary()
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    tokens = {
        name: {"content": token, **PLAIN, "normalized": True}
        for name, token in {"bos_token": START_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}.items()
    }
    marked: dict[str, Any] = {name: {"__type": "AddedToken", **token} for name, token in tokens.items()}
    settings = {**marked, "pad_token": END_OF_TEXT, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    write(
        folder,
        vocab=ids,
        special_tokens_map={**tokens, "pad_token": END_OF_TEXT},
        tokenizer_config=settings,
        config={"model_type": "clip"},
    )


def of_openai(folder: Path) -> None:
    of_openai_without_json(folder)
    write(folder, tokenizer=described(True, True))


def of_version_5(folder: Path, pad: str = END_OF_TEXT) -> None:
    ends = {"bos_token": START_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT, "pad_token": pad}
    write(folder, tokenizer=described(True, False), tokenizer_config={**ends, "tokenizer_class": "CLIPTokenizer"})


def of_version_4(folder: Path) -> None:
    """As of_version_5, but `tokenizer_config.json` says how the marks are found, and not what `tokenizer.json` says."""
    of_version_5(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    settings["tokenizer_class"] = "CLIPTokenizerFast"
    settings["added_tokens_decoder"] = {
        str(i): {"content": mark, **PLAIN, "normalized": False, "special": True}
        for i, mark in ((49406, START_OF_TEXT), (49407, END_OF_TEXT))
    }
    write(folder, tokenizer_config=settings)


def padded_with_exclamation_marks(folder: Path) -> None:
    of_version_5(folder, pad="!")


FOLDERS = {
    "of OpenAI": of_openai,
    "of OpenAI without tokenizer.json": of_openai_without_json,
    "of version 4": of_version_4,
    "of version 5": of_version_5,
    "padded with !": padded_with_exclamation_marks,
}
