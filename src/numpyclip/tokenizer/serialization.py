"""TOKENIZER ↔ JSON: a tokenizer as it is, and the file that it is read from, for folders of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpyclip.errors import CheckpointError, MissingPackageError
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.cleaning import OPEN_CLIP, lower_without_punctuation
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer, default_tokenizer, open_clip_tokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer
from numpyclip.tokenizer.file_tokenizer import FileTokenizer, TokenizerModel, UnreadableTokenizer, naming
from numpyclip.tokenizer.subword_models import JsonModel, SentencePieceModel, read_json
from numpyclip.weights.json_file import read_bytes

_T = TypeVar("_T")

_CLEAN: Mapping[str, Callable[[str], str]] = {
    each.__name__: each for each in (*OPEN_CLIP.values(), lower_without_punctuation)
}
_MAX_FILE = 2**27  # bytes, as where tokenizers are read first


def describe_tokenizer(tokenizer: Tokenizer) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Describe a tokenizer.

    Returns
    -------
    description : dict
        For `json`, which `read_tokenizer` takes.
    files : dict of str to bytes
        The file that it needs, if any.

    Raises
    ------
    MissingPackageError
        If it needs a package that is not installed.
    """
    if isinstance(tokenizer, TransformersCLIPTokenizer):
        pad = tokenizer.pad_id
        return {"kind": "transformers CLIP", "special_tokens": dict(tokenizer.special_tokens), "pad_id": pad}, {}
    if isinstance(tokenizer, CLIPTokenizer):
        return {"kind": tokenizer.name}, {}
    if isinstance(tokenizer, UnreadableTokenizer):
        raise MissingPackageError(tokenizer.reason)
    assert isinstance(tokenizer, FileTokenizer)
    model = tokenizer.model
    description: dict[str, Any] = {
        "kind": "file",
        "name": tokenizer.name,
        "clean": tokenizer.clean.__name__ if tokenizer.clean in _CLEAN.values() else None,
        **{option: getattr(tokenizer, option) for option in ("pad_id", "pads_left", "zeroed_id")},
    }
    if isinstance(model, JsonModel):
        side = "left" if model.keeps_end else "right"
        return {**description, "file": "tokenizer.json", "side": side}, {"tokenizer.json": model.to_json().encode()}
    assert isinstance(model, SentencePieceModel)
    data = read_bytes(tokenizer.path, _MAX_FILE, "a tokenizer")
    return {**description, "file": "spiece.model", "settings": model.settings}, {"spiece.model": data}


def read_tokenizer(folder: Path, source: Path, description: Mapping[str, Any]) -> Tokenizer:
    """Read a tokenizer by its description in an untrusted file, `source`.

    Raises
    ------
    CheckpointError
        If the description, or the file in the folder that it names, cannot be used.
    """
    kind = _option(source, description, "kind", str)
    if kind == "openai":
        return default_tokenizer()
    library, _, clean = kind.partition(" ")
    if library == "open_clip" and clean in ("", *OPEN_CLIP):
        return open_clip_tokenizer(clean or "lower")
    if kind == "transformers CLIP":
        return _read_clip(source, description)
    if kind == "file":
        return _read_file(folder, source, description)
    raise CheckpointError(f"{source}: tokenizer.kind is {kind!r:.60}; expected that of a tokenizer of this version.")


def _read_clip(source: Path, description: Mapping[str, Any]) -> Tokenizer:
    ids = default_tokenizer().vocabulary
    special = _option(source, description, "special_tokens", dict)
    pad_id = _option(source, description, "pad_id", int)
    if not (special.keys() <= ids.keys() and all(type(value) is bool for value in special.values())):
        raise CheckpointError(
            f"{source}: tokenizer.special_tokens is {special!r:.100}; expected CLIP's, true or false."
        )
    if not 0 <= pad_id < len(ids):
        raise CheckpointError(f"{source}: tokenizer.pad_id is {pad_id}; expected 0 to {len(ids) - 1}.")
    exact, in_lower_case = (
        {t: ids[t] for t, any_case in special.items() if any_case is which} for which in (False, True)
    )
    return TransformersCLIPTokenizer(exact, in_lower_case, pad_id)


def _read_file(folder: Path, source: Path, description: Mapping[str, Any]) -> Tokenizer:
    name = _option(source, description, "name", str)
    path = folder / ("spiece.model" if description.get("file") == "spiece.model" else "tokenizer.json")
    data = read_bytes(path, _MAX_FILE, "a tokenizer")
    try:
        with naming(path):
            if path.suffix == ".json":
                side = "left" if description.get("side") == "left" else "right"
                model: TokenizerModel = read_json(path, data, lower=False, side=side)
            else:
                model = SentencePieceModel(path, data, _option(source, description, "settings", dict))
    except MissingPackageError as error:
        return UnreadableTokenizer(name, str(error))
    zeroed_id = None if description.get("zeroed_id") is None else _option(source, description, "zeroed_id", int)
    return FileTokenizer(
        name,
        path,
        model,
        _CLEAN.get(str(description.get("clean")), str),
        _option(source, description, "pad_id", int),
        _option(source, description, "pads_left", bool),
        zeroed_id,
    )


def _option(source: Path, description: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    value = description.get(name)
    if type(value) is not kind:
        raise CheckpointError(f"{source}: tokenizer.{name} is {value!r:.60}; expected {kind.__name__}.")
    return value
