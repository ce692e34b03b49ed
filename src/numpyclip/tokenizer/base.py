"""What every tokenizer is, and what it refuses."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError, TextTooLongError


class Tokenizer(Protocol):
    """What a model needs of its tokenizer."""

    @property
    def name(self) -> str:
        """What tells it from others: the same name, the same ids."""

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into rows of ids; see `numpyclip.tokenize`."""

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text."""


def checked(texts: str | Sequence[str]) -> Sequence[str]:
    """Return a list of texts.

    Raises
    ------
    InputError
        If it is none, nor a single text.
    """
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise InputError(f"texts: found {type(texts).__name__}; expected str or a sequence of it; convert it.")
    texts = list(texts)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"texts: found {_quoted(text)}, a {type(text).__name__}; expected str; convert it first.")
    return texts


def too_long(text: str, count: int, most: int) -> TextTooLongError:
    """Make an error about a text of so many tokens."""
    return TextTooLongError(
        f"text {_quoted(text)}: {count} tokens with the marks of start and end; "
        f"expected at most {most}; shorten it or pass truncate=True (--truncate)."
    )


def _quoted(text: object, limit: int = 60) -> str:
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[:limit]}..."
