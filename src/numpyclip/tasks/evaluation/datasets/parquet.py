"""PARQUET → EXAMPLES: as in Hugging Face datasets, images as bytes, labels as numbers, label names in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report

_IMAGES = ("image", "img", "picture", "jpg", "png", "webp")  # names of columns
_LABELS = ("label", "labels", "cls", "class")
_CAPTIONS = ("captions", "caption", "sentences", "text", "txt")
_ROWS = 32  # read at once, with their images


def parquet_examples(path: Path, report: Report) -> Iterator[Example]:
    """Iterate over the rows of a file; a damaged file ends early, and that is reported."""
    try:
        file = _open(path)
        image, label, captions = _columns(path, file.schema_arrow.names)
        wanted = [column for column in (image, label, captions) if column is not None]
        rows = (row for batch in file.iter_batches(_ROWS, columns=wanted) for row in batch.to_pylist())
        for number, row in enumerate(rows):
            name, content = f"{path}/{number}", row[image]
            content = content.get("bytes") if isinstance(content, dict) else content
            try:
                if not isinstance(content, bytes):
                    raise InputError(f"{name}: its image is {row[image]!r:.60}; expected the content of a file.")
                yield Example.of(name, content, row.get(label), row.get(captions))
            except InputError as error:
                report(error)
    except (InputError, MissingPackageError):
        raise
    except Exception as error:  # pyarrow's, of every kind
        report(InputError(f"{path}: damaged ({error!s:.200})."))


def parquet_labels(path: Path) -> list[str] | None:
    """Return the names of labels in the schema, as the package `datasets` writes them."""
    schema = _open(path).schema_arrow
    _, label, _ = _columns(path, schema.names)
    try:
        facts = json.loads((schema.metadata or {})[b"huggingface"])
        names = facts["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _open(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError(
            f"{path}: parquet files need the package pyarrow, which is not installed. "
            "Run `pip install numpyclip[parquet]`."
        ) from error
    try:
        return parquet.ParquetFile(path)
    except Exception as error:
        raise InputError(f"{path}: is not a parquet file ({error!s:.200}).") from error


def _columns(path: Path, names: list[str]) -> tuple[str, str | None, str | None]:
    image, label, captions = (
        next((column for column in known if column in names), None) for known in (_IMAGES, _LABELS, _CAPTIONS)
    )
    if image is None or (label is None and captions is None):
        raise InputError(
            f"{path}: has the columns {', '.join(names):.200}; expected one of {', '.join(_IMAGES)}, and one of "
            f"{', '.join((*_LABELS, *_CAPTIONS))}."
        )
    return image, label, captions
