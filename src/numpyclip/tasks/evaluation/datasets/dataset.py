"""What every dataset is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from numpyclip.errors import InputError, NumPyCLIPError

Report: TypeAlias = "Callable[[NumPyCLIPError], None]"  # is told what could not be read

_MOST_CAPTIONS = 1000  # of one picture


class Example(NamedTuple):
    """A picture, and what is known about it.

    Attributes
    ----------
    name : str
        Of the picture, in messages and reports.
    picture : str or bytes
        Path or content of its file.
    label : int, str or None
        Number or name of what it shows.
    captions : tuple of str
    """

    name: str
    picture: str | bytes
    label: int | str | None
    captions: tuple[str, ...]


class Source(Protocol):
    """A file or folder of examples."""

    def __call__(self, report: Report) -> Iterator[Example]:
        """Iterate over the examples; what cannot be read is reported and left out."""


@dataclass(frozen=True)
class Dataset:
    """Examples, which can be gone through again and again.

    Attributes
    ----------
    path : Path
    sources : sequence of Source
    labels : list of str or None
        Names of all labels, by their numbers, if the dataset tells them.
    templates : list of str or None
        Those that it is classified with, if it tells.
    left_out : Counter
        Files that are no pictures, by suffix, of which the last iteration over the examples has told.
    """

    path: Path
    sources: Sequence[Source]
    labels: list[str] | None = None
    templates: list[str] | None = None
    left_out: Counter[str] = field(default_factory=Counter)

    def examples(self, report: Report) -> Iterator[Example]:
        """Iterate over the examples; what cannot be read is reported and left out."""
        self.left_out.clear()
        for source in self.sources:
            yield from source(report)

    @cached_property
    def label_names(self) -> list[str]:
        """Names of all labels: those that the dataset tells, or those that its examples have, sorted."""
        if self.labels is not None:
            return self.labels
        found = {example.label for example in self.examples(_ignore)}
        return sorted(label for label in found if isinstance(label, str))


def _ignore(problem: NumPyCLIPError) -> None:
    """Say nothing of what could not be read, for it is said when the examples are used."""


def as_label(value: Any, where: str) -> int | str | None:
    """Read a label: a number, or a text, which may be a number in digits.

    Raises
    ------
    InputError
        If it is something else.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise InputError(f"{where}: the label is {value!r:.60}; expected a number or a text.")
    text = value.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else text or None


def as_captions(value: Any, where: str) -> tuple[str, ...]:
    """Read captions: a text of one a line, or a list of texts.

    Raises
    ------
    InputError
        If it is something else, or so many that they are none.
    """
    lines = value.splitlines() if isinstance(value, str) else [] if value is None else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{where}: the captions are {value!r:.60}; expected a text, or a list of texts.")
    if len(lines) > _MOST_CAPTIONS:
        raise InputError(f"{where}: has {len(lines)} captions; expected {_MOST_CAPTIONS} at most.")
    return tuple(stripped for line in lines if (stripped := line.strip()))
