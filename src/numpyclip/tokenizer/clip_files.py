"""`vocab.json` and `merges.txt` of a CLIP → the `tokenizer.json` that transformers' `CLIPTokenizer` makes of them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT
from numpyclip.tokenizer.vocabulary_json import ADDED_FLAGS

# In the order in which they get an id, where the vocabulary has none for them.
_DEFAULTS = {"bos_token": START_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT, "pad_token": END_OF_TEXT}
_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_WHITE_SPACE = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
_SPLIT = {"type": "Split", "pattern": {"Regex": _PATTERN}, "behavior": "Removed", "invert": True}
_STEPS_BEFORE = {
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, _WHITE_SPACE, {"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_SPLIT, _BYTE_LEVEL]},
}


def as_tokenizer_json(
    ids: Mapping[str, int], merges: Iterable[str], tokens: Mapping[str, str], added: Iterable[Mapping[str, Any]]
) -> bytes:
    """Combine the files.

    Parameters
    ----------
    ids, merges
        The contents of `vocab.json`, and lines of `merges.txt`.
    tokens
        The special tokens by name, such as `pad_token`, as far as they are set.
    added
        How tokens are found before a text is split; of one that appears twice, the last counts.
    """
    tokens = {**_DEFAULTS, **{name: token for name, token in tokens.items() if name in _DEFAULTS}}
    flags = {token: dict.fromkeys(ADDED_FLAGS, False) for token in tokens.values()}
    for options in added:
        flags[options["content"]] = {flag: bool(options.get(flag)) for flag in ADDED_FLAGS}
    known = dict(ids)
    for token in flags:
        known.setdefault(token, max(known.values(), default=-1) + 1)
    contents = {
        "version": "1.0",
        "added_tokens": [
            {"id": known[token], "content": token, **options, "special": True} for token, options in flags.items()
        ],
        **_STEPS_BEFORE,
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [tokens["eos_token"], known[tokens["eos_token"]]],
            "cls": [tokens["bos_token"], known[tokens["bos_token"]]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {**_BYTE_LEVEL, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "unk_token": tokens["unk_token"],
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "vocab": ids,
            "merges": [merge.split(" ") for merge in merges],
        },
    }
    return json.dumps(contents).encode()


def _without_default(step: dict[str, Any]) -> dict[str, Any]:
    return {option: value for option, value in step.items() if (option, value) != ("use_regex", True)}


def has_steps_of(data: bytes, other: bytes) -> bool:
    """Tell whether two files have the same steps before and after their vocabularies."""
    found, expected = (json.loads(each, object_hook=_without_default) for each in (data, other))
    return all(found.get(part) == expected[part] for part in ("normalizer", "pre_tokenizer", "post_processor"))
