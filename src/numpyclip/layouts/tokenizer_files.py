"""The tokenizer of a model as `tokenizer.json`, which other libraries read, and the settings beside it."""

from __future__ import annotations

import json
from typing import Any

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import MissingPackageError
from numpyclip.layouts.library import Library
from numpyclip.saving.plan import as_json
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_files import as_tokenizer_json
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.tokenizer.file_tokenizer import FileTokenizer, UnreadableTokenizer
from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT
from numpyclip.tokenizer.subword_models import JsonModel, read_json
from numpyclip.weights.json_file import read_bytes

_LOWER = {"type": "Lowercase"}
_WHITE_SPACE = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
_STRIP = {"type": "Strip", "strip_left": True, "strip_right": True}
_PUNCTUATION = {"type": "Replace", "pattern": {"Regex": r"[!-/:-@\[-`{-~]"}, "content": ""}
_UNDERSCORE = {"type": "Replace", "pattern": {"String": "_"}, "content": " "}

# What the repair of texts (ftfy) does to letters and quotes that people type. No `tokenizer.json` expresses the rest.
_LIGATURES = {"\u0132": "IJ", "\u0133": "ij", "\u0149": "\u02bcn", "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl"}
_LIGATURES |= {"\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "\u017ft", "\ufb06": "st"}
_FULL_WIDTH = {chr(0xFF00 + code): chr(0x20 + code) for code in range(1, 95)}
_REPAIR = [
    *({"type": "Replace", "pattern": {"String": of}, "content": by} for of, by in (_LIGATURES | _FULL_WIDTH).items()),
    {"type": "Replace", "pattern": {"Regex": "[\u02bc\u2018-\u201b]"}, "content": "'"},
    {"type": "Replace", "pattern": {"Regex": "[\u201c-\u201f]"}, "content": '"'},
]

# Our cleaning by its name.
_CLEAN: dict[str, list[dict[str, Any]]] = {
    "_as_it_is": [],
    "lower": [*_REPAIR, _WHITE_SPACE, _STRIP, _LOWER],
    "whitespace": [*_REPAIR, _WHITE_SPACE, _STRIP],
    "canonicalize": [*_REPAIR, _UNDERSCORE, _PUNCTUATION, _WHITE_SPACE, _STRIP, _LOWER],
    "lower_without_punctuation": [_PUNCTUATION, _WHITE_SPACE, _STRIP, _LOWER],
}


def tokenizer_files(model: CLIP, library: Library) -> dict[str, bytes]:
    """Make the contents of `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.

    Raises
    ------
    UnsupportedCheckpointError
        If a library that reads them would make other ids of plain texts.
    MissingPackageError
        If the tokenizer needs a package that is not installed.
    """
    tokenizer, config = model.tokenizer, model.config.text
    assert config is not None
    if isinstance(tokenizer, CLIPTokenizer):
        contents, tokens = _clip(tokenizer, pads_freely=config.least_length == 1)
        kind = "CLIPTokenizer"
    else:
        contents, tokens = _from_file(tokenizer, library)
        kind = "PreTrainedTokenizerFast"
    settings = {"tokenizer_class": kind, "model_max_length": model.context_length, **tokens}
    return {
        "tokenizer.json": contents,
        "tokenizer_config.json": as_json(settings),
        "special_tokens_map.json": as_json(tokens),
    }


def _clip(tokenizer: CLIPTokenizer, pads_freely: bool) -> tuple[bytes, dict[str, str]]:
    """Describe CLIP's vocabulary; padding that no token attends to is the end-of-text token, as in OpenAI's folders."""
    symbols = dict(enumerate(tokenizer.vocabulary))
    symbols |= {len(symbols) - 2: START_OF_TEXT, len(symbols) - 1: END_OF_TEXT}  # OpenCLIP spells them otherwise
    any_case = dict.fromkeys((START_OF_TEXT, END_OF_TEXT), False)
    if isinstance(tokenizer, TransformersCLIPTokenizer):
        any_case = dict(tokenizer.special_tokens)
    added = [{"content": token, "normalized": normalized} for token, normalized in any_case.items()]
    tokens = {"bos_token": START_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT, "pad_token": END_OF_TEXT}
    contents = json.loads(as_tokenizer_json({s: i for i, s in symbols.items()}, tokenizer.merges, tokens, added))
    library, _, clean = tokenizer.name.partition(" ")
    if library != "transformers":  # OpenAI's, or OpenCLIP's
        contents["normalizer"]["normalizers"] = [{"type": "NFC"}, *_CLEAN[clean or "lower"]]
    if not pads_freely:
        tokens["pad_token"] = symbols[tokenizer.pad_id]
    return json.dumps(contents).encode(), tokens


def _from_file(tokenizer: Tokenizer, library: Library) -> tuple[bytes, dict[str, str]]:
    """Return the tokenizer as the package `tokenizers` has it, behind the cleaning of texts."""
    if isinstance(tokenizer, UnreadableTokenizer):
        raise MissingPackageError(tokenizer.reason)
    assert isinstance(tokenizer, FileTokenizer)
    model = _of_json(tokenizer)
    if model is None:
        raise library.cannot(f"{tokenizer.path} is sentencepiece's", "a tokenizer.json beside it")
    if tokenizer.pads_left or model.keeps_end:
        raise library.cannot(f"{tokenizer.path} pads or truncates texts at their beginning", "their end")
    if tokenizer.zeroed_id is not None:
        raise library.cannot(f"{tokenizer.path} replaces separators by zeros (strip_sep_token)", "none of that")
    contents = json.loads(model.to_json())
    clean = tokenizer.clean.__name__ if model is tokenizer.model else "lower_without_punctuation"
    if clean not in _CLEAN:
        raise library.cannot(f"{tokenizer.path} follows the cleaning {clean!r}", "one that tokenizer.json can express")
    own = contents["normalizer"]
    steps = [*_CLEAN[clean], *(own["normalizers"] if "normalizers" in (own or {}) else [own])]
    contents["normalizer"] = {"type": "Sequence", "normalizers": [step for step in steps if step]}
    return json.dumps(contents).encode(), {"pad_token": model.token_of(tokenizer.pad_id)}


def _of_json(tokenizer: FileTokenizer) -> JsonModel | None:
    """Return the vocabulary; that of a SigLIP from the other file that Hugging Face's libraries have written."""
    if isinstance(tokenizer.model, JsonModel):
        return tokenizer.model
    beside = tokenizer.path.with_name("tokenizer.json")
    return read_json(beside, read_bytes(beside, 2**27, "a tokenizer"), False, "right") if beside.is_file() else None
