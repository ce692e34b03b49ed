"""PATH → DATASET: what kind of dataset a file or folder is."""

from __future__ import annotations

import os
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.datasets.dataset import Dataset, Source
from numpyclip.tasks.evaluation.datasets.folder import open_folder
from numpyclip.tasks.evaluation.datasets.parquet import ParquetFile
from numpyclip.tasks.evaluation.datasets.webdataset import Tar
from numpyclip.tasks.prompts import templates
from numpyclip.tasks.text_files import read_lines

_LABELS = "classnames.txt"  # the names that CLIP_benchmark gives to these files
_TEMPLATES = "zeroshot_classification_templates.txt"
_TYPE = "dataset_type.txt"
_TAR = (".tar", ".tar.gz", ".tgz")
_PARQUET = (".parquet",)


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
        return ParquetFile(archive)
    return Tar(archive)


def _labels_of(archives: list[Path]) -> list[str] | None:
    """Names of labels that archives tell themselves: parquet files of the Hugging Face hub do."""
    if not archives[0].name.endswith(_PARQUET):
        return None
    return ParquetFile(archives[0]).labels()


def _first_file(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder.resolve().parent / name) if file.is_file()), None)
