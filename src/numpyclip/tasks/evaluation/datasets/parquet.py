"""PARQUET → EXAMPLES: as in Hugging Face datasets, images as bytes, labels as numbers, label names in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.sources.parquet import iter_rows, open_parquet
from numpyclip.sources.parquet_columns import IMAGES, first_of
from numpyclip.tasks.evaluation.datasets.dataset import Example, Report

_LABELS = ("label", "labels", "cls", "class")  # names of columns
_CAPTIONS = ("captions", "caption", "sentences", "text", "txt")


def parquet_examples(path: Path, report: Report) -> Iterator[Example]:
    """Iterate over the rows of a file; a damaged file ends early, and that is reported."""
    try:
        with open_parquet(str(path)) as file:
            image, label, captions = _columns(path, file.schema_arrow.names)
            wanted = [column for column in (image, label, captions) if column is not None]
            for number, row in enumerate(iter_rows(file, wanted)):
                name, content = f"{path}/{number}", row[image]
                content = content.get("bytes") if isinstance(content, dict) else content
                try:
                    if not isinstance(content, bytes):
                        raise InputError(f"{name}: its image is {row[image]!r:.60}; expected the content of a file.")
                    found = (row[column] if column else None for column in (label, captions))
                    yield Example.of(name, content, *found)
                except InputError as error:
                    report(error)
    except (InputError, MissingPackageError):
        raise
    except Exception as error:  # pyarrow's, of every kind
        report(InputError(f"{path}: damaged ({error!s:.200})."))


def parquet_labels(path: Path) -> list[str] | None:
    """Return the names of labels in the schema, as the package `datasets` writes them."""
    with open_parquet(str(path)) as file:
        schema = file.schema_arrow
    _, label, _ = _columns(path, schema.names)
    try:
        facts = json.loads((schema.metadata or {})[b"huggingface"])
        names = facts["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _columns(path: Path, names: list[str]) -> tuple[str, str | None, str | None]:
    image, label, captions = (first_of(known, names) for known in (IMAGES, _LABELS, _CAPTIONS))
    if image is None or (label is None and captions is None):
        raise InputError(
            f"{path}: has the columns {', '.join(names):.200}; expected one of {', '.join(IMAGES)}, and one of "
            f"{', '.join((*_LABELS, *_CAPTIONS))}."
        )
    return image, label, captions
