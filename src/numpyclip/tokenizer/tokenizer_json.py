"""Validation of a `tokenizer.json` before the package `tokenizers` reads it.

That package aborts the process when it runs out of memory, which a table of a false size, or a few steps that each
lengthen a text, can bring about. So only types of steps are allowed that published CLIPs use, all sizes have a limit,
and a text can grow by a small factor only. `vocabulary_json` validates the vocabulary.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.tokenizer import charsmap, vocabulary_json
from numpyclip.tokenizer.patterns import MAX_PATTERN, is_linear
from numpyclip.weights.json_file import without_duplicates

# Part of the file → the key of its list of steps if there are several, and their allowed types.
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "normalizer": (
        "normalizers",
        (
            *("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD"),
            *("Precompiled", "Prepend", "Replace", "Strip", "StripAccents"),
        ),
    ),
    "pre_tokenizer": (
        "pretokenizers",
        ("BertPreTokenizer", "ByteLevel", "Metaspace", "Split", "Whitespace", "WhitespaceSplit"),
    ),
    "post_processor": ("processors", ("BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing")),
    "decoder": (
        "decoders",
        ("BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece"),
    ),
}
_MANY = ("Replace", "Split")  # others at most once in a part
_FORMS = {"NFC", "NFD", "NFKC", "NFKD", "Precompiled"}  # one of them at most: a letter becomes up to 18
_MAX_STEPS = 12
_MAX_PREPENDED = 8
_MAX_PIECES = 16  # of a template: a text, and the tokens around it
_MAX_STRING = 512  # characters, in any option of a step
_MAX_DEPTH = 8
_MAX_VALUES = {b"[": 2**20, b"{": 2**17, b",": 2**21, b":": 2**19}  # the largest published file has half of them


def check_tokenizer(path: Path, data: bytes) -> None:
    """Raise unless a `tokenizer.json` has only what published CLIPs use.

    Raises
    ------
    CheckpointError
        If it is no JSON object, or not of the form that the package writes.
    UnsupportedCheckpointError
        If a step is of another type, or could lengthen a text much, or a size is out of range; it is named.
    """
    for letter, most in _MAX_VALUES.items():
        if (count := data.count(letter)) > most:
            raise UnsupportedCheckpointError(f"{path}: has {count} times {letter.decode()!r}; expected {most} or less.")
    try:
        contents = json.loads(data, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a tokenizer, which is JSON ({error!r:.200}).") from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"{path}: is {contents!r:.60}; expected a JSON object.")
    for part, (within, kinds) in _PARTS.items():
        if contents.get(part) is not None:
            _check_part(path, part, _steps(path, part, contents[part], within), kinds)
    for part, check in (("model", vocabulary_json.model_fault), ("added_tokens", vocabulary_json.added_fault)):
        if wrong := check(contents.get(part)):
            raise UnsupportedCheckpointError(f"{path}: {part} {wrong}.")


def _steps(path: Path, part: str, value: object, within: str) -> dict[str, dict[str, Any]]:
    """Return the steps by their names in messages: those of a sequence, which are no sequences, or the only one."""
    steps = {part: value}
    if isinstance(value, dict) and value.get("type") == "Sequence":
        listed = value.get(within)
        if not isinstance(listed, list) or len(listed) > _MAX_STEPS:
            raise UnsupportedCheckpointError(f"{path}: {part} is no list of at most {_MAX_STEPS} steps.")
        steps = {f"{part}.{within}.{index}": step for index, step in enumerate(listed)}
    for name, step in steps.items():
        if not isinstance(step, dict):
            raise CheckpointError(f"{path}: {name} is {step!r:.60}; expected a JSON object.")
    return steps  # type: ignore[return-value]


def _check_part(path: Path, part: str, steps: Mapping[str, dict[str, Any]], kinds: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for name, step in steps.items():
        kind = step.get("type")
        if kind not in kinds:
            raise UnsupportedCheckpointError(f"{path}: {name} is {kind!r:.60}; expected {', '.join(kinds)}.")
        if kind not in _MANY and (kind in seen or (kind in _FORMS and seen & _FORMS)):
            raise UnsupportedCheckpointError(f"{path}: {name}, {kind}, is a second one; expected one of its kind.")
        seen.add(kind)
        if wrong := _oversized(step) or (_CHECKS[kind](step) if kind in _CHECKS else None):
            raise UnsupportedCheckpointError(f"{path}: {name}, {kind}, has {wrong}.")


def _oversized(value: object, key: str = "", depth: int = 0) -> str | None:
    """Find a string that is too long anywhere in a step, a table excepted, or one that is nested too deep."""
    if depth > _MAX_DEPTH:
        return f"more than {_MAX_DEPTH} levels"
    if isinstance(value, str) and len(value) > _MAX_STRING and key != "precompiled_charsmap":
        return f"a string of {len(value)} characters; expected {_MAX_STRING} or fewer"
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = [(key, each) for each in value] if isinstance(value, list) else []
    return next(filter(None, (_oversized(each, name, depth + 1) for name, each in inner)), None)


def _pattern(step: Mapping[str, Any]) -> str | None:
    pattern = step.get("pattern")
    if isinstance(pattern, dict) and len(pattern) == 1:
        if isinstance(pattern.get("String"), str) and pattern["String"]:
            return None
        if isinstance(expression := pattern.get("Regex"), str) and is_linear(expression):
            return None
    return (
        f"the pattern {pattern!r:.60}; expected a string, or a regular expression of at most {MAX_PATTERN} characters "
        "that takes linear time: it has no groups, matches one character or more, and nothing after an unlimited "
        "repetition can fail"
    )


def _replaced(step: Mapping[str, Any]) -> str | None:
    content = step.get("content")
    if isinstance(content, str) and len(content) <= 1:
        return _pattern(step)
    return f"the content {content!r:.60}; expected one character or none"


def _prepended(step: Mapping[str, Any]) -> str | None:
    text = step.get("prepend")
    if isinstance(text, str) and len(text) <= _MAX_PREPENDED:
        return None
    return f"{text!r:.60} to prepend; expected {_MAX_PREPENDED} characters or fewer"


def _precompiled(step: Mapping[str, Any]) -> str | None:
    try:
        table = base64.b64decode(step["precompiled_charsmap"], validate=True)
    except (KeyError, TypeError, ValueError):
        return "no table; expected one of sentencepiece's"
    return charsmap.fault(table)


def _template(step: Mapping[str, Any]) -> str | None:
    specials = step.get("special_tokens")
    tokens = list(specials.values()) if isinstance(specials, dict) else [None]
    lists = [step.get("single"), step.get("pair"), tokens]
    lists += [token.get("ids") if isinstance(token, dict) else None for token in tokens[:_MAX_PIECES]]
    if all(isinstance(pieces, list) and len(pieces) <= _MAX_PIECES for pieces in lists):
        return None
    return f"no lists of tokens; expected {_MAX_PIECES} or fewer in each"


_CHECKS = {
    "Replace": _replaced,
    "Split": _pattern,
    "Prepend": _prepended,
    "Precompiled": _precompiled,
    "TemplateProcessing": _template,
}
