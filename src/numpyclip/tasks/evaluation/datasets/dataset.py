"""What every dataset is made of, and what kind of dataset a path is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.pictures import PICTURE_SUFFIXES
from numpyclip.tasks.prompts import templates
from numpyclip.tasks.text_files import read_lines

Report: TypeAlias = "Callable[[NumPyCLIPError], None]"  # is told what could not be read

_LABELS = "classnames.txt"  # the names that CLIP_benchmark gives to these files
_TEMPLATES = "zeroshot_classification_templates.txt"
_TYPE = "dataset_type.txt"
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
    """

    path: Path
    sources: Sequence[Source]
    labels: list[str] | None = None
    templates: list[str] | None = None

    def examples(self, report: Report) -> Iterator[Example]:
        """Iterate over the examples; what cannot be read is reported and left out."""
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


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset.

    Parameters
    ----------
    path : str or path
        A folder with a folder of pictures for every class, or with pictures and, in ``.txt`` files of the same names,
        captions, one a line; a ``.tar`` or ``.tar.gz`` file in the layout of webdataset; a ``.parquet`` file; or a
        folder with several of these archives. ``classnames.txt`` and ``zeroshot_classification_templates.txt`` beside
        them, or one folder up, are read as CLIP_benchmark does.

    Raises
    ------
    InputError
        If there is no such thing, or it is another one.
    """
    path = Path(path)
    if not path.is_dir() and not path.is_file():
        raise InputError(f"{path}: there is no such file or folder.")
    archives = _archives(path)
    if archives is None:
        from numpyclip.tasks.evaluation.datasets.folder import open_folder

        return open_folder(path)
    folder = path if path.is_dir() else path.parent
    kind = _first_file(folder, _TYPE)
    if kind is not None and "multilabel" in read_lines(kind):
        raise InputError(f"{kind}: the dataset has several labels for a picture; expected one for each.")
    named = _first_file(folder, _LABELS)
    ensemble = _first_file(folder, _TEMPLATES)
    return Dataset(
        path,
        [_source(archive) for archive in archives],
        _labels_of(archives) if named is None else read_lines(named),
        None if ensemble is None else templates(read_lines(ensemble)),
    )


_TAR = (".tar", ".tar.gz", ".tgz")
_PARQUET = (".parquet",)


def _archives(path: Path) -> list[Path] | None:
    """List the archives that a path means; None for a folder without any, which holds pictures itself."""
    if path.is_dir():
        found = [file for file in path.iterdir() if file.name.endswith((*_TAR, *_PARQUET)) and file.is_file()]
        return sorted(found, key=lambda file: (len(file.name), file.name)) or None  # 2.tar lies before 10.tar
    if path.name.endswith((*_TAR, *_PARQUET)):
        return [path]
    raise InputError(
        f"{path}: is no dataset; expected a folder, or a file that ends in {', '.join((*_TAR, *_PARQUET))}."
    )


def _source(archive: Path) -> Source:
    if archive.name.endswith(_PARQUET):
        from numpyclip.tasks.evaluation.datasets.parquet import ParquetFile

        return ParquetFile(archive)
    from numpyclip.tasks.evaluation.datasets.webdataset import Tar

    return Tar(archive)


def _labels_of(archives: list[Path]) -> list[str] | None:
    """Names of labels that archives tell themselves: parquet files of the Hugging Face hub do."""
    if not archives[0].name.endswith(_PARQUET):
        return None
    from numpyclip.tasks.evaluation.datasets.parquet import ParquetFile

    return ParquetFile(archives[0]).labels()


def _first_file(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder.resolve().parent / name) if file.is_file()), None)


def is_picture(name: str) -> bool:
    """Tell whether a file is a picture, by its name."""
    return name.lower().endswith(PICTURE_SUFFIXES)


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
