"""ERROR MESSAGE → REASON IN THE LOG: without the words that the client sent, which may be a query or a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

_MAX_REASON = 300  # characters
_MAX_VALUES = 10_000  # that are looked through, and characters in all
_MAX_CHARACTERS = 1_000_000
_CODED = 200  # characters without a space: base64 or a URL, of which a message quotes the beginning and the end
_WHOLE = 4  # letters from which on a word may be a part of one that was sent, since messages cut long values
_WORD = re.compile(r"\w+")
_ESCAPED = re.compile(r"\\(x..|u.{4}|U.{8}|.)")  # in values as repr writes them


def reason(message: str, sent: Any) -> str:
    """Return the message with ``…`` in place of words that are among the values of a request.

    Parameters
    ----------
    message : str
    sent : object
        The fields of the request, by name; names are kept.
    """
    values = list(islice(_values(sent), _MAX_VALUES + 1))
    if len(values) > _MAX_VALUES or sum(map(len, values)) > _MAX_CHARACTERS:
        return "of a request too long to search for what the message quotes"
    words = _WORD.findall(" ".join(values).casefold())
    whole, text = set(words), " ".join(words)

    def shown(found: re.Match[str]) -> str:
        word = found[0].casefold()
        return "…" if word in whole or (len(word) >= _WHOLE and word in text) else found[0]

    return _WORD.sub(shown, _ESCAPED.sub(" ", message[:_MAX_REASON]))


def _values(sent: Any, depth: int = 0) -> Iterator[str]:
    """List texts and numbers; of those inside of values the names, too."""
    if isinstance(sent, str):
        yield sent if " " in sent[:_CODED] else f"{sent[:_CODED]} {sent[-_CODED:]}"
    elif isinstance(sent, (int, float)):
        yield str(sent)
    elif isinstance(sent, (list, tuple)):
        for value in sent:
            yield from _values(value, depth + 1)
    elif isinstance(sent, dict):
        for name, value in sent.items():
            if depth:
                yield str(name)
            yield from _values(value, depth + 1)
