"""COLUMNS → COLUMNS: under which names what is beside an image or text is carried along."""

from __future__ import annotations

from collections.abc import Iterable

CAPTION = "caption"  # the column of texts in every output

_PREFIX = "source_"


def valid_text(text: str) -> str:
    r"""Return a text as valid UTF-8, with lone surrogates (of file names, say) as ``\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def free_names(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Map names of columns to those under which they are carried along: those that are taken are prefixed."""
    used, renamed = set(taken), {}
    for name in names:
        new = name
        while new in used:
            new = f"{_PREFIX}{new}"
        used.add(new)
        renamed[name] = new
    return renamed
