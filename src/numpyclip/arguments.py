"""Validation of arguments that many functions share: integers, paths, shards, networks, precisions, and others."""

import ipaddress
import operator
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from numpyclip.errors import InputError

OnError: TypeAlias = Literal["raise", "skip"] | Callable[[Any], object]
EngineName: TypeAlias = Literal["numpy", "openvino", "onnxruntime"]
Precision: TypeAlias = Literal["float32", "bfloat16", "float16", "int8"]

ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
ENGINE_OPTIONS = ("engine", "precision", "device")  # of `numpyclip.load`, of commands, and of what an index records
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,*A-Z]+")


def whole_number(value: Any) -> int | None:
    """Return an integer of any type, and None for all else, also for True and 1.0."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def positive(value: Any, name: str) -> int:
    """Return an integer above 0; InputError, which names the argument, if it is none."""
    if (number := whole_number(value)) is None or number < 1:
        raise InputError(f"{name} is {value!r:.60}; expected an integer above 0.")
    return number


def as_paths(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], name: str = "paths"
) -> Iterable[str | os.PathLike[str]]:
    """Return paths to iterate over, a single one as a list; InputError, which names the argument, if these are none."""
    if isinstance(paths, str | os.PathLike):
        return [paths]
    if not isinstance(paths, Iterable) or isinstance(paths, bytes):
        raise InputError(f"{name}: found {paths!r:.60}; expected a path, or an iterable of paths.")
    return paths


def checked_shard(shard: tuple[int, int]) -> tuple[int, int]:
    """Return the index of a shard, counted from 0, and the number of shards; InputError if they are invalid."""
    share, shares = shard
    if not 0 <= share < shares:
        raise InputError(f"shard is {shard}; expected an index from 0 and the number of shards, such as (0, 8).")
    return share, shares


def checked_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return an address, or a network such as ``192.168.1.0/24``; InputError if it is none."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        why = " (host bits are set)" if "host bits" in str(error) else ""
        raise InputError(
            f"{text!r:.60} is not an IP address or network{why}; expected one such as 192.168.1.7 or 192.168.1.0/24."
        ) from error


def checked_origin(text: str) -> str:
    """Return the origin of a site, or ``*`` for those of all; InputError if it is none."""
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise InputError(f"{text!r:.60} is not an origin; expected one such as https://example.org.")
    return text


def checked_precision(precision: object) -> Precision:
    """Return a precision, by default float32; raise InputError if it is none."""
    if precision is None:
        return "float32"
    for known in PRECISIONS:
        if isinstance(precision, str) and precision == known:
            return known
    raise InputError(f"precision is {precision!r:.60}; expected {', '.join(map(repr, PRECISIONS))}.")


def error_handler(on_error: OnError) -> Callable[[Exception], object]:
    """Return what is called with an error: it raises the error, ignores it, or is the caller's own.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if on_error == "raise":
        return _raise
    if on_error == "skip":
        return lambda error: None
    if not callable(on_error):
        raise InputError(f"on_error is {on_error!r:.60}; expected 'raise', 'skip' or a callable.")
    return on_error


def _raise(error: Exception) -> None:
    raise error
