"""A tokenizer from a file beside the weights.

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
from numpyclip.tokenizer.excerpt import excerpt


class TokenizerModel(Protocol):
    """A vocabulary with the special tokens around a text."""

    @property
    def min_length(self) -> int:
        """Number of ids of an empty text."""

    @property
    def keeps_end(self) -> bool:
        """Whether the beginning of a long text is truncated, not its end."""

    @property
    def padding_side(self) -> str | None:
        """Which side the file says is padded, "left" or "right", if it does."""

    def encode(self, text: str, max_length: int) -> tuple[list[int], int]:
        """Convert a text to ids, truncated to a length; also return the length without that."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if it has none."""

    def decode(self, ids: list[int]) -> str | None:
        """Convert ids to text, None if one is unknown."""


@dataclass(frozen=True, eq=False)
class FileTokenizer:
    """A tokenizer from a file. Thread-safe, and can be pickled."""

    name: str  # that of the file, and a hash of its contents and the settings
    path: Path
    model: TokenizerModel
    clean: Callable[[str], str]  # applied to a text first
    pad_id: int
    pads_left: bool
    zeroed_id: int | None  # becomes 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Convert texts to the rows that a text tower takes; see `numpyclip.tokenize`."""
        context_length = checked_length(context_length, self.model.min_length + 1)
        texts = checked(texts)
        rows = np.full((len(texts), context_length), self.pad_id, np.int32)
        for row, text in zip(rows, texts, strict=True):
            part, is_cut = excerpt(text, context_length, from_end=self.model.keeps_end)
            with naming(self.path):
                ids, count = self.model.encode(self.clean(replace_surrogates(part)), context_length)
                row[slice(-len(ids), None) if self.pads_left and ids else slice(len(ids))] = ids
            if (count > context_length or is_cut) and not truncate:
                raise too_long(text, count, context_length, at_least=is_cut)
        if self.zeroed_id is not None:
            rows[rows == self.zeroed_id] = 0
        return rows

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids to text; InputError for unknown ids."""
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
    """Convert errors of the packages that read a file to CheckpointError with its path."""
    try:
        yield
    except (NumPyCLIPError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust's code is no Exception
        raise CheckpointError(f"{path}: not a tokenizer that can be used ({error!r:.200}).") from error


@dataclass(frozen=True)
class UnreadableTokenizer:
    """One whose package is not installed: it has only its name, which fingerprints need."""

    name: str  # the same as with the package
    reason: str

    def __call__(self, texts: str | Sequence[str], context_length: int, truncate: bool = False) -> NDArray[np.int32]:
        """Raise MissingPackageError."""
        raise MissingPackageError(self.reason)

    def decode(self, ids: Iterable[int]) -> str:
        """Raise MissingPackageError."""
        raise MissingPackageError(self.reason)
