"""The interface of every tokenizer, and checks of its arguments."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError, TextTooLongError, quoted

MAX_LENGTH = 2**16  # ids of a row; the longest context of a published text tower is some hundreds


class Tokenizer(Protocol):
    """The interface of a model's tokenizer."""

    @property
    def name(self) -> str:
        """Tokenizers of the same name give the same ids."""

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Convert texts to rows of ids; see `numpyclip.tokenize`."""

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids to text."""


def checked(texts: str | Iterable[str], name: str = "texts") -> Sequence[str]:
    """Return a list of texts; InputError, which names the argument, if these are no strings."""
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes) or not _has_items(texts):
        raise InputError(f"{name}: found {type(texts).__name__}; expected str or a sequence of it; convert it.")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"{name}: found {text!r:.60} ({type(text).__name__}); expected str; convert it first.")
    return texts


def checked_length(context_length: object, minimum: int = 1) -> int:
    """Return the length of a row of ids; InputError if it is none."""
    length = whole_number(context_length)
    if length is None or not minimum <= length <= MAX_LENGTH:
        raise InputError(f"context_length: found {context_length!r:.60}; expected the model's own, usually 64 or 77.")
    return length


def checked_ids(ids: Iterable[int]) -> list[int]:
    """Return a list of ids of any vocabulary; InputError if these are no integers."""
    if not _has_items(ids):
        raise InputError(f"ids: found {ids!r:.60}; expected a row of `tokenize`, or any other integers.")
    listed = []
    for found in ids:
        if (i := whole_number(found)) is None:
            raise InputError(f"ids: found {found!r:.60}; expected integers, a single row of them.")
        listed.append(i)
    return listed


def _has_items(value: Iterable[object]) -> bool:
    try:
        iter(value)  # isinstance would accept an array of no dimension
    except TypeError:
        return False
    return True


def too_long(text: str, count: int, most: int, *, at_least: bool = False) -> TextTooLongError:
    """Make an error about a text of so many tokens, or `at_least` so many in the part of it that was read."""
    tokens = f"{'more than ' * at_least}{count} tokens with the start-of-text and end-of-text tokens"
    found = tokens if count > most else f"{len(text)} characters"
    what = f"text {quoted(text, 60)}: {found}; expected at most {most} tokens"
    error = TextTooLongError(f"{what}; shorten it (`tokenize` and `embed_texts` also take truncate=True).")
    error.found = what
    return error
