"""How objects are displayed: in one line (`repr`), and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from numpyclip.escaping import printable

_MOST_ROWS = 20


def counted(count: int, noun: str) -> str:
    """Count things: ``1 label``, ``2 labels``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def html_table(caption: str, rows: Mapping[str, str]) -> str:
    """Make a table of two columns, truncated if it is long."""
    cells = [f"<tr><th>{_cell(name)}</th><td>{_cell(value)}</td></tr>" for name, value in rows.items()]
    rest = len(cells) - _MOST_ROWS
    more = f"<tr><td colspan=2>... and {rest} more</td></tr>" if rest > 0 else ""
    return f"<table><caption>{_cell(caption)}</caption>{''.join(cells[:_MOST_ROWS])}{more}</table>"


def _cell(text: str) -> str:
    return escape(printable(text))
