"""Parquet files, as the Hugging Face hub has them: pictures as bytes, labels as numbers, with names in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report, as_captions, as_label

_PICTURES = ("image", "img", "picture", "jpg", "png", "webp")  # names of columns
_LABELS = ("label", "labels", "cls", "class")
_CAPTIONS = ("captions", "caption", "sentences", "text", "txt")
_ROWS = 32  # read at once, with their pictures


@dataclass(frozen=True)
class ParquetFile:
    """One file.

    Attributes
    ----------
    path : Path
    """

    path: Path

    def __call__(self, report: Report) -> Iterator[Example]:
        """Iterate over the rows; where the file is damaged they end, and that is reported."""
        try:
            file = self._open()
            picture, label, captions = self._columns(file.schema_arrow.names)
            wanted = [column for column in (picture, label, captions) if column is not None]
            rows = (row for batch in file.iter_batches(_ROWS, columns=wanted) for row in batch.to_pylist())
            for number, row in enumerate(rows):
                name = f"{self.path}/{number}"
                try:
                    yield _example(name, row[picture], row.get(label), row.get(captions))
                except InputError as error:
                    report(error)
        except (InputError, MissingPackageError):
            raise
        except Exception as error:  # pyarrow's, of every kind
            report(InputError(f"{self.path}: damaged ({error!s:.200})."))

    def labels(self) -> list[str] | None:
        """Names of labels that the schema tells, as the package `datasets` writes them."""
        schema = self._open().schema_arrow
        _, label, _ = self._columns(schema.names)
        try:
            facts = json.loads((schema.metadata or {})[b"huggingface"])
            names = facts["info"]["features"][label]["names"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return None
        return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None

    def _open(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise MissingPackageError(
                f"{self.path}: parquet files need the package pyarrow, which is not installed. "
                "Run `pip install numpyclip[parquet]`."
            ) from error
        try:
            return parquet.ParquetFile(self.path)
        except Exception as error:
            raise InputError(f"{self.path}: is no parquet file ({error!s:.200}).") from error

    def _columns(self, names: list[str]) -> tuple[str, str | None, str | None]:
        picture, label, captions = (
            next((column for column in known if column in names), None) for known in (_PICTURES, _LABELS, _CAPTIONS)
        )
        if picture is None or (label is None and captions is None):
            raise InputError(
                f"{self.path}: has the columns {', '.join(names):.200}; expected one of {', '.join(_PICTURES)}, and "
                f"one of {', '.join((*_LABELS, *_CAPTIONS))}."
            )
        return picture, label, captions


def _example(name: str, picture: Any, label: Any, captions: Any) -> Example:
    content = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(content, bytes):
        raise InputError(f"{name}: its picture is {picture!r:.60}; expected the content of a file.")
    found = as_label(label, name), as_captions(captions, name)
    if found == (None, ()):
        raise InputError(f"{name}: has neither a label nor captions.")
    return Example(name, content, *found)
