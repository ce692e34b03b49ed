"""SOURCES → PLACES: brace expansion and globs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import chain

from numpyclip.errors import InputError
from numpyclip.file_systems import is_url, is_web
from numpyclip.remote import base_name, glob
from numpyclip.sources.part import Reader

ARCHIVES = (".tar", ".tar.gz", ".tgz")  # in the layout of webdataset
PARQUET = ".parquet"
LISTS = ".txt"

_MOST_NAMES = 1_000_000  # that one source stands for
_GROUP = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})(?:\.\.(-?\d{1,18}))?")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])")


def places(source: str) -> Iterator[str]:
    """Iterate over the paths or URLs that a source stands for; itself, if a file or folder has this name.

    Raises
    ------
    InputError
        If nothing matches, or too many names do.
    """
    if not is_url(source) and os.path.lexists(source):
        yield source
        return
    for number, name in enumerate(braces(source)):
        if number == _MOST_NAMES:
            raise InputError(f"{source}: stands for more than {_MOST_NAMES:,} names. Name them in a list.")
        if not _is_pattern(name):
            yield name
            continue
        if not (found := glob(name)):
            raise InputError(f"{name}: no file fits this pattern.")
        yield from found


def reader_of(place: str) -> Reader | None:
    """Tell by the name of a shard or list how it is read; None for what has another name."""
    name = (base_name(place) if is_web(place) else place).lower()
    known: dict[Reader, str | tuple[str, ...]] = {"webdataset": ARCHIVES, "parquet": PARQUET, "lines": LISTS}
    return next((reader for reader, suffix in known.items() if name.endswith(suffix)), None)


def braces(source: str) -> Iterator[str]:
    """Expand ``{00000..00999}``, ``{a..f}`` and ``{train,val}`` as shells and webdataset do; braces of others stay."""
    for group in _GROUP.finditer(source):
        if (choices := _choices(group[1])) is not None:
            expanded = (f"{source[: group.start()]}{choice}{source[group.end() :]}" for choice in choices)
            yield from _without_repeats(chain.from_iterable(map(braces, expanded)))
            return
    yield source


def _without_repeats(names: Iterator[str]) -> Iterator[str]:
    """Leave out what has been there: of ``{a,b{0..1}}`` the inner braces are expanded first."""
    seen: set[str] = set()
    for name in names:
        if name not in seen:
            seen.add(name)
            yield name


def _choices(group: str) -> Iterator[str] | None:
    """Return what braces stand for, given what is in them; None if they are no group."""
    if (found := _RANGE.fullmatch(group)) is not None:
        first, last, step = found.groups()
        is_padded = any(re.match("-?0[0-9]", end) for end in (first, last))
        width = max(len(first), len(last)) if is_padded else 0
        return (f"{number:0{width}d}" for number in _inclusive(int(first), int(last), int(step or 1)))
    if (found := _LETTERS.fullmatch(group)) is not None:
        return map(chr, _inclusive(ord(found[1]), ord(found[2]), 1))
    return iter(group.split(",")) if "," in group else None


def _inclusive(first: int, last: int, step: int) -> range:
    """Count up or down, as the ends say."""
    step = abs(step) or 1
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)


def _is_pattern(name: str) -> bool:
    wildcards = "*" if is_web(name) else "*?["
    return any(letter in name for letter in wildcards)
