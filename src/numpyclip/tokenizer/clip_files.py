"""`vocab.json` and `merges.txt` of a CLIP → the `tokenizer.json` that transformers' `CLIPTokenizer` makes of them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from numpyclip.tokenizer.pre_tokenizer import END_OF_TEXT, START_OF_TEXT

# In the order in which they get an id, where the vocabulary has none for them.
_DEFAULTS = {"bos_token": START_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT, "pad_token": END_OF_TEXT}
_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


def as_tokenizer_json(
    ids: Mapping[str, int], merges: str, tokens: Mapping[str, str], added: Iterable[Mapping[str, Any]]
) -> bytes:
    """Combine the files.

    Parameters
    ----------
    ids, merges
        The contents of `vocab.json`, and of `merges.txt`.
    tokens
        The special tokens by name, such as `pad_token`, as far as they are set.
    added
        How tokens are found before a text is split; of one that appears twice, the last counts.
    """
    tokens = {**_DEFAULTS, **{name: token for name, token in tokens.items() if name in _DEFAULTS}}
    flags = {token: dict.fromkeys(_FLAGS, False) for token in tokens.values()}
    for options in added:
        flags[options["content"]] = {flag: bool(options.get(flag)) for flag in _FLAGS}
    known = dict(ids)
    for token in flags:
        known.setdefault(token, max(known.values(), default=-1) + 1)
    white_space = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    split = {"type": "Split", "pattern": {"Regex": _PATTERN}, "behavior": "Removed", "invert": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    contents = {
        "version": "1.0",
        "added_tokens": [
            {"id": known[token], "content": token, **options, "special": True} for token, options in flags.items()
        ],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, white_space, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [tokens["eos_token"], known[tokens["eos_token"]]],
            "cls": [tokens["bos_token"], known[tokens["bos_token"]]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "unk_token": tokens["unk_token"],
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "vocab": ids,
            "merges": [line.split(" ") for line in merges.split("\n") if line and not line.startswith("#version")],
        },
    }
    return json.dumps(contents).encode()
