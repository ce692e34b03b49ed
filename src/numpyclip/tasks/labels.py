"""The labels of a classifier: their names and synonyms, their hierarchy, and files of them."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from numpyclip.errors import InputError, quoted
from numpyclip.tasks.prompts import label_file, label_names
from numpyclip.tasks.text_files import read_lines, read_text


@dataclass(frozen=True)
class Label:
    """One of the things that an image may show.

    Attributes
    ----------
    name : str
        What answers and reports call it.
    phrases : tuple of str
        The name and its synonyms, which are put into the templates. Their embeddings are averaged.
    """

    name: str
    phrases: tuple[str, ...]


def as_labels(labels: str | Iterable[str | Label | Sequence[str]], separator: str | None = None) -> tuple[Label, ...]:
    """Return labels as a tuple of `Label`.

    Parameters
    ----------
    labels : str, or iterable of str, Label or sequence of str
        The first of a sequence is the name, the others are its synonyms. A string is the name of a dataset: see
        `numpyclip.tasks.prompts.label_names`.
    separator : str, optional
        Separates the parts of a name such as "animal/dog", of which only the last is put into templates.

    Raises
    ------
    InputError
        If there are none, or one is not a string, or empty.

    Warns
    -----
    UserWarning
        If a name is duplicated, as two of ImageNet's in openai/CLIP are.
    """
    if isinstance(labels, str) and labels in label_names():
        labels = read_labels(label_file(labels))
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise InputError(
            f"labels is {labels!r:.60}; expected a list of one or more strings, or the name of a dataset, such as "
            "'imagenet'."
        )
    given = list(labels)
    found = tuple(_as_label(label, separator) for label in given)
    if not found:
        raise InputError("there are no labels; expected a list of one or more strings.")
    twice = [name for name, count in Counter(label.name for label in found).items() if count > 1]
    if twice and not all(isinstance(label, Label) for label in given):  # which were checked before
        warnings.warn(
            f"labels: {len(twice)} duplicated, such as {quoted(twice[0])}; duplicates split the probability, and "
            "only the first is ever predicted.",
            stacklevel=2,
        )
    return found


def _as_label(label: str | Label | Sequence[str], separator: str | None) -> Label:
    if isinstance(label, Label):
        name, phrases = label.name, list(label.phrases)
    else:
        phrases = [label] if isinstance(label, str) else list(label) if isinstance(label, Sequence) else []
        name = phrases[0] if phrases else ""
        if separator and isinstance(name, str):
            parts = name.split(separator)
            if not all(part.strip() for part in parts):
                raise InputError(f"the label {quoted(name)} has an empty part; expected e.g. 'animal{separator}dog'.")
            phrases[0] = parts[-1]
    texts = [name, *phrases]
    if not phrases or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(f"a label is {label!r:.60}; expected a string, or a list of a string and its synonyms.")
    return Label(name, tuple(dict.fromkeys(phrases)))


def read_labels(file: str | os.PathLike[str]) -> list[list[str]]:
    """Read labels from a file: one per line, or one per row of a ``.csv`` file, with synonyms in the other columns."""
    path = Path(file)
    if path.suffix.lower() == ".csv":
        try:
            rows = list(csv.reader(io.StringIO(read_text(path), newline=""), strict=True))
        except csv.Error as error:
            raise InputError(f"{path}: is not a CSV file ({error}). Double the quotes within quotes.") from error
        found = [cells for row in rows if (cells := [cell.strip() for cell in row if cell.strip()])]
    else:
        found = [[line] for line in read_lines(path)]
    if not found:
        raise InputError(f"{path}: holds no labels; expected one per line.")
    return found


def parents(labels: Sequence[Label], separator: str) -> dict[str, list[int]]:
    """List the parents of labels, such as "animal" of "animal/dog", each with the rows of its labels."""
    found: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        parts = label.name.split(separator)
        for end in range(1, len(parts)):
            found.setdefault(separator.join(parts[:end]), []).append(row)
    for row, label in enumerate(labels):  # "animal" may also be a label, for other animals
        if label.name in found:
            found[label.name].append(row)
    return found


class LabelIndex:
    """Find the rows of labels by name; underscores, as in names of folders, count as spaces.

    Parameters
    ----------
    labels : sequence of Label
    separator : str, optional
        As in `as_labels`.
    """

    def __init__(self, labels: Sequence[Label], separator: str | None = None) -> None:
        self._separator = separator
        self._rows: dict[str, int] = {}
        for row, label in enumerate(labels):
            self._rows.setdefault(_spaced(label.name), row)
        self._depth = max(name.count(separator) for name in self._rows) + 1 if separator else 1

    def find(self, name: str) -> int | None:
        """Return the row of the label with this name."""
        return self._rows.get(_spaced(name))

    def of_folder(self, picture: str | os.PathLike[str]) -> int | None:
        """Return the row of the label that the folder of an image is named after; "animal/dog" is two folders."""
        folders = PurePath(picture).parts[:-1]
        for depth in range(min(self._depth, len(folders)), 0, -1):
            if (row := self.find((self._separator or "").join(folders[-depth:]))) is not None:
                return row
        return None


def _spaced(name: str) -> str:
    return name.replace("_", " ")
