"""CONFIG ↔ JSON: the sizes and options of a model, for folders of our own."""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import MAX_SIDE, MAX_SIZE, MAX_TOKENS
from numpyclip.model.text import encoder_configs  # noqa: F401  whose classes are found among the subclasses

_Config = TypeVar("_Config")

# Fields from which arrays are made before anything else is read; other counts are limited as in any config file.
_LIMITS = {"size": MAX_SIDE, "short_side": MAX_SIDE, "context_length": MAX_TOKENS}
_LEAST = {**dict.fromkeys((*_LIMITS, "embed_dim", "patch_size", "patch_counts"), 1), "offset": -MAX_SIDE}  # else 0
_TYPE = "type"  # the key of the class


def to_json(value: Any) -> Any:
    """Convert a config to what `json` writes, with all its options."""
    if is_dataclass(value):
        return {_TYPE: type(value).__name__, **{f.name: to_json(getattr(value, f.name)) for f in fields(value)}}
    return [to_json(each) for each in value] if isinstance(value, tuple) else value


def from_json(path: Path, kind: type[_Config], value: object) -> _Config:
    """Read a config from an untrusted file; CheckpointError, with the name of an option, if it cannot be one."""
    config: _Config = _read(path, "config", kind, value)
    return config


def _read(path: Path, name: str, kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _read_options(path, name, kind, value)
    if get_origin(kind) in (Union, UnionType):
        return _read(path, name, _choose(get_args(kind), value), value)
    if get_origin(kind) is tuple and isinstance(value, list):
        first, *others = get_args(kind)
        kinds = [first] * len(value) if others == [...] else [first, *others]
        if len(kinds) == len(value):
            return tuple(_read(path, name, each, item) for each, item in zip(kinds, value, strict=True))
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is kind and _is_in_range(name, value):
        return value
    raise CheckpointError(f"{path}: {name} is {value!r:.60}; expected {_in_words(kind, name)}.")


def _read_options(path: Path, name: str, kind: Any, value: Any) -> Any:
    known = {each.__name__: each for each in _subclasses(kind)}
    chosen = known.get(value.get(_TYPE)) if isinstance(value, dict) else None
    if chosen is None:
        raise CheckpointError(f"{path}: {name} is {value!r:.60}; expected an object of type {' or '.join(known)}.")
    hints = get_type_hints(chosen)
    options = {option: each for option, each in value.items() if option != _TYPE}
    required = {field.name for field in fields(chosen) if field.default is MISSING}
    for option in (*sorted(required - options.keys()), *sorted(options.keys() - {f.name for f in fields(chosen)})):
        found = "is unknown; expected those" if option in options else "is missing; expected all"
        raise CheckpointError(f"{path}: {name}.{option:.100} {found} of {chosen.__name__}.")
    return chosen(**{option: _read(path, f"{name}.{option}", hints[option], each) for option, each in options.items()})


def _choose(kinds: tuple[Any, ...], value: Any) -> Any:
    """Choose from a union the member that a value looks like, or the first one, which then refuses it."""
    return next((kind for kind in kinds if _looks_like(value, kind)), kinds[0])


def _looks_like(value: Any, kind: Any) -> bool:
    if is_dataclass(kind):
        return isinstance(value, dict) and value.get(_TYPE) in {each.__name__ for each in _subclasses(kind)}
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    kind = list if get_origin(kind) is tuple else kind
    return type(value) is kind


def _subclasses(kind: Any) -> list[Any]:
    return [kind, *(inner for each in kind.__subclasses__() for inner in _subclasses(each))]


def _is_in_range(name: str, value: Any) -> bool:
    if type(value) is int:
        least, most = _range(name)
        return least <= value <= most
    return not isinstance(value, float) or math.isfinite(value)


def _in_words(kind: Any, name: str) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    limits = " of {} to {}".format(*_range(name)) if kind is int else ""
    return f"{kind if get_origin(kind) else kind.__name__}{limits}"


def _range(name: str) -> tuple[int, int]:
    option = name.rpartition(".")[2]
    return _LEAST.get(option, 0), _LIMITS.get(option, MAX_SIZE)
