"""COLUMNS → COLUMNS: names of metadata columns in the output."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

CAPTION = "caption"  # the column of texts in every output

_PREFIX = "source_"
_PREFIXES = re.compile(f"^(?:{_PREFIX})+")


def valid_text(text: str) -> str:
    r"""Return a text as valid UTF-8, with lone surrogates (of file names, say) as ``\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def free_names(names: Iterable[str], taken: Container[str]) -> dict[str, str]:
    """Map names of columns to their names in the output: those that are taken are prefixed."""
    # So are those that have the prefix before a name that is taken: what a name becomes does not depend on the others.
    return {name: f"{_PREFIX}{name}" if _PREFIXES.sub("", name) in taken else name for name in names}
