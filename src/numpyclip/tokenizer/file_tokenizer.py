"""A tokenizer that a file beside the weights describes.

::

    text ──clean──▶ clean text ──model──▶ ids, cut to length ──pad──▶ row
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, InputError, MissingPackageError, NumPyCLIPError
from numpyclip.tokenizer.base import checked, checked_ids, checked_length, too_long
from numpyclip.tokenizer.cleaning import replace_surrogates


class TokenizerModel(Protocol):
    """What knows the vocabulary, and which ids stand before and after a text."""

    @property
    def least(self) -> int:
        """How many ids a text has at least."""

    def encode(self, text: str, most: int) -> tuple[list[int], int]:
        """Turn a text into ids, at most so many of them, and say how many there would be."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""

    def decode(self, ids: list[int]) -> str | None:
        """Turn ids into text, into None if there is no such id."""


@dataclass(frozen=True, eq=False)
class FileTokenizer:
    """A tokenizer that a file describes. May be used from many threads at once, and pickled.

    Attributes
    ----------
    name : str
        The file's, and a hash of what it holds.
    path : Path
        The file.
    model : TokenizerModel
    clean : callable
        What is done to a text first.
    pad_id : int
        What fills a row.
    pads_left : bool
        On which side.
    blank : int, optional
        The id that becomes 0.
    """

    name: str
    path: Path
    model: TokenizerModel
    clean: Callable[[str], str]
    pad_id: int
    pads_left: bool
    blank: int | None

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Turn texts into the rows that a text tower reads; see `numpyclip.tokenize`."""
        context_length = checked_length(context_length, self.model.least + 1)
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, np.int32)
        for row, text in zip(rows, texts, strict=True):
            with naming(self.path):
                ids, count = self.model.encode(self.clean(replace_surrogates(text)), context_length)
                row[slice(-len(ids), None) if self.pads_left and ids else slice(len(ids))] = ids
            if count > context_length and not truncate:
                raise too_long(text, count, context_length)
        if self.blank is not None:
            rows[rows == self.blank] = 0
        return rows

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids back into text.

        Raises
        ------
        InputError
            If an id is no whole number, or not in the vocabulary.
        """
        listed = checked_ids(ids)
        text = None
        if all(0 <= i < 2**31 for i in listed):
            with naming(self.path):
                text = self.model.decode(listed)
        if text is None:
            raise InputError(f"ids: found {listed!r:.60}; expected those of the vocabulary in {self.path}.")
        return text


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the packages that read a file name it."""
    try:
        yield
    except (NumPyCLIPError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust's code is no Exception
        raise CheckpointError(f"{path}: not a tokenizer that can be used ({error!r:.200}).") from error


@dataclass(frozen=True)
class UnreadableTokenizer:
    """One that needs a package which is not installed: it has its name, which fingerprints hold, and nothing more.

    Attributes
    ----------
    name : str
        The same as where the package is installed.
    reason : str
    """

    name: str
    reason: str

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Raise MissingPackageError."""
        raise MissingPackageError(self.reason)

    def decode(self, ids: Iterable[int]) -> str:
        """Raise MissingPackageError."""
        raise MissingPackageError(self.reason)
