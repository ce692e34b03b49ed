"""Labels: what a classifier chooses from, and in which words."""

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
from numpyclip.tasks.text_files import read_lines, read_text


@dataclass(frozen=True)
class Label:
    """One of the things that a picture may show.

    Attributes
    ----------
    name : str
        What answers and reports call it.
    phrases : tuple of str
        What is put into the templates: the name and its synonyms. Their embeddings join in that of the label.
    """

    name: str
    phrases: tuple[str, ...]


def as_labels(labels: Iterable[str | Label | Sequence[str]], separator: str | None = None) -> tuple[Label, ...]:
    """Return labels, of whatever kind they were given.

    Parameters
    ----------
    labels : iterable of str, Label or sequence of str
        Of a sequence, the first is the name, and the others are its synonyms.
    separator : str, optional
        What lies between the parts of a name such as "animal/dog", of which the last alone is put into templates.

    Raises
    ------
    InputError
        If there are none, or one is no text, or empty.

    Warns
    -----
    UserWarning
        If two names are the same. (Two of ImageNet's in openai/CLIP are, and a class is known by its number there.)
    """
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise InputError(f"labels is {labels!r:.60}; expected a list of one or more texts.")
    given = list(labels)
    found = tuple(_as_label(label, separator) for label in given)
    if not found:
        raise InputError("there are no labels; expected a list of one or more texts.")
    twice = [name for name, count in Counter(label.name for label in found).items() if count > 1]
    if twice and not all(isinstance(label, Label) for label in given):  # those were looked at when they were made
        warnings.warn(
            f"{len(twice)} labels are there more than once, such as {quoted(twice[0])}: they share what is probable, "
            "and only the first of them is ever predicted.",
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
            phrases[0] = _leaf(name, separator)
    texts = [name, *phrases]
    if not phrases or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(f"a label is {label!r:.60}; expected a text, or a list of a text and its synonyms.")
    return Label(name, tuple(dict.fromkeys(phrases)))


def _leaf(name: str, separator: str) -> str:
    parts = name.split(separator)
    if not all(part.strip() for part in parts):
        raise InputError(f"the label {quoted(name)} has an empty part; expected such as 'animal{separator}dog'.")
    return parts[-1]


def read_labels(file: str | os.PathLike[str]) -> list[list[str]]:
    """Read labels from a file: one a line, or of a ``.csv`` file one a row, with its synonyms in the other columns.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or holds no labels.
    """
    path = Path(file)
    if path.suffix.lower() == ".csv":
        try:
            rows = list(csv.reader(io.StringIO(read_text(path), newline=""), strict=True))
        except csv.Error as error:
            raise InputError(f"{path}: is no CSV file ({error}). Quotes within quotes are written twice.") from error
        found = [cells for row in rows if (cells := [cell.strip() for cell in row if cell.strip()])]
    else:
        found = [[line] for line in read_lines(path)]
    if not found:
        raise InputError(f"{path}: holds no labels; expected one a line.")
    return found


def parents(labels: Sequence[Label], separator: str) -> dict[str, list[int]]:
    """List what labels are parts of, such as "animal" of "animal/dog", each with the rows of its labels."""
    found: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        parts = label.name.split(separator)
        for end in range(1, len(parts)):
            found.setdefault(separator.join(parts[:end]), []).append(row)
    for row, label in enumerate(labels):  # "animal" may be a label, too: one for other animals
        if label.name in found:
            found[label.name].append(row)
    return found


class LabelIndex:
    """Finds the rows of labels by their names; underscores count as spaces, as names of folders have them.

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
        """Return the row of the label of this name."""
        return self._rows.get(_spaced(name))

    def of_folder(self, picture: str | os.PathLike[str]) -> int | None:
        """Return the row of the label that the folder of a picture is named after; "animal/dog" is two folders."""
        folders = PurePath(picture).parts[:-1]
        for depth in range(min(self._depth, len(folders)), 0, -1):
            row = self.find((self._separator or "").join(folders[-depth:]))
            if row is not None:
                return row
        return None


def _spaced(name: str) -> str:
    return name.replace("_", " ")
