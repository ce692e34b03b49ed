"""The parts of every dataset: examples, sources of them, and their labels and captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.notebook import counted

_MOST_CAPTIONS = 1000  # of one image


class Example(NamedTuple):
    """An image, and what is known about it.

    Attributes
    ----------
    name : str
        Of the image, in messages and reports.
    picture : str or bytes
        Path or content of its file.
    label : int, str or None
        Number or name of its class.
    captions : tuple of str
    """

    name: str
    picture: str | bytes
    label: int | str | None
    captions: tuple[str, ...]

    @classmethod
    def of(cls, name: str, picture: str | bytes, label: Any, captions: Any) -> Example:
        """Make an example of the label and captions in a file: a number or a string; and lines, or a list of strings.

        Raises
        ------
        InputError
            If they are something else, or both are missing.
        """
        example = cls(name, picture, _label(label, name), as_captions(captions, name))
        if example.label is None and not example.captions:
            raise InputError(f"{name}: has neither a label nor captions.")
        return example


Report: TypeAlias = "Callable[[NumPyCLIPError], object]"  # is given the errors of what cannot be read
Source: TypeAlias = "Callable[[Report], Iterator[Example]]"  # of the examples in a file or folder that can be read


@dataclass(frozen=True)
class Dataset:
    """Examples, which can be iterated over any number of times.

    Attributes
    ----------
    path : Path
    sources : sequence of callable
        Each is given a callable for errors, and iterates over examples.
    labels : list of str or None
        Names of all classes, by number, if the dataset has them.
    templates : list of str or None
        Prompt templates, if the dataset has them.
    left_out : Counter
        Files that are not images, by suffix, as counted by the last iteration over the examples.
    """

    path: Path
    sources: Sequence[Source]
    labels: list[str] | None = None
    templates: list[str] | None = None
    left_out: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        labels = "" if self.labels is None else f", {counted(len(self.labels), 'label')}"
        return f"Dataset({str(self.path)!r}{labels})"

    def examples(self, report: Report) -> Iterator[Example]:
        """Iterate over the examples; what cannot be read is reported and left out."""
        self.left_out.clear()
        for source in self.sources:
            yield from source(report)

    @cached_property
    def label_names(self) -> list[str]:
        """Names of all labels: those of the dataset, or else those of its examples, sorted."""
        if self.labels is not None:
            return self.labels
        found = {example.label for example in self.examples(lambda error: None)}  # reported when examples are used
        return sorted(label for label in found if isinstance(label, str))


def _label(value: Any, where: str) -> int | str | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, str):
        raise InputError(f"{where}: the label is {value!r:.60}; expected a number or a string.")
    text = value.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else text or None


def as_captions(value: Any, where: str) -> tuple[str, ...]:
    """Return captions, given a string with one per line, or a list of strings; InputError for all else."""
    lines = value.splitlines() if isinstance(value, str) else [] if value is None else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise InputError(f"{where}: the captions are {value!r:.60}; expected a string, or a list of strings.")
    if len(lines) > _MOST_CAPTIONS:
        raise InputError(f"{where}: has {len(lines)} captions; expected {_MOST_CAPTIONS} at most.")
    return tuple(stripped for line in lines if (stripped := line.strip()))
