"""PATH → DATASET: a folder, webdataset archives or parquet files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.datasets.dataset import Dataset
from numpyclip.tasks.evaluation.datasets.folder import open_folder
from numpyclip.tasks.evaluation.datasets.parquet import parquet_examples, parquet_labels
from numpyclip.tasks.evaluation.datasets.webdataset import tar_examples
from numpyclip.tasks.prompts import templates
from numpyclip.tasks.text_files import read_lines

_LABELS = "classnames.txt"  # the names that CLIP_benchmark gives to these files
_TEMPLATES = "zeroshot_classification_templates.txt"
_TYPE = "dataset_type.txt"
_PARQUET = ".parquet"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", _PARQUET)


def open_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open a dataset.

    Parameters
    ----------
    path : str or path
        A folder with a folder of images for every class, or with images and their captions, one per line, in ``.txt``
        files of the same names; a ``.tar`` or ``.tar.gz`` file in the layout of webdataset; a ``.parquet`` file; or a
        folder of such archives. ``classnames.txt`` and ``zeroshot_classification_templates.txt`` beside these, or in
        the parent folder, are read as by CLIP_benchmark.

    Raises
    ------
    InputError
        If there is no such file or folder, or it is not a dataset.
    """
    path = Path(path)
    if not os.path.isdir(path) and not os.path.isfile(path):  # noqa: PTH112, PTH113  false for what no file can be called
        raise InputError(f"{path}: there is no such file or folder.")
    archives = _archives(path)
    if archives is None:
        return open_folder(path)
    folder = path if path.is_dir() else path.parent
    kind = _first_file(folder, _TYPE)
    if kind is not None and "multilabel" in read_lines(kind):
        raise InputError(f"{kind}: the dataset has several labels for an image; expected one for each.")
    sources = [
        partial(parquet_examples if archive.name.endswith(_PARQUET) else tar_examples, archive) for archive in archives
    ]
    labels = None
    if (named := _first_file(folder, _LABELS)) is not None:
        labels = read_lines(named)
    elif archives[0].name.endswith(_PARQUET):
        labels = parquet_labels(archives[0])
    ensemble = _first_file(folder, _TEMPLATES)
    return Dataset(path, sources, labels, None if ensemble is None else templates(read_lines(ensemble)))


def _archives(path: Path) -> list[Path] | None:
    """List the archives that a path names; None for a folder without any, which holds images itself."""
    if path.is_dir():
        found = [file for file in path.iterdir() if _is_archive(file.name) and file.is_file()]
        return sorted(found, key=lambda file: (len(file.name), file.name)) or None  # 2.tar before 10.tar
    if path.name.endswith(_ARCHIVES):
        return [path]
    raise InputError(f"{path}: is not a dataset; expected a folder, or a file that ends in {', '.join(_ARCHIVES)}.")


def _is_archive(name: str) -> bool:
    return name.endswith(_ARCHIVES) and not name.startswith(".")  # as macOS leaves beside files on other disks


def _first_file(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder.resolve().parent / name) if file.is_file()), None)
