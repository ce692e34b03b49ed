"""Parts of the output as parquet files: ``part-00000.parquet`` with a row for each input, in order.

Columns: ``key``, ``embedding``, ``error``, of images those of `numpyclip.destinations.image_columns`, and what is
carried along. Embeddings are fixed-size lists, not tensors, so that any program reads them. Where there is an
``error``, the numbers in the list are null, not the list itself, which pyarrow 20 cannot read. A key that is not UTF-8
is in ``key_bytes``, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from numpyclip.destinations.image_columns import image_columns, image_types
from numpyclip.destinations.key_columns import folder_of, name_columns, text_column
from numpyclip.destinations.new_file import check_atomic, make_folder, new_file, numbered_files
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.spool import Spool, batches
from numpyclip.remote import join, listing
from numpyclip.sources.parquet import need_pyarrow
from numpyclip.sources.part import Kind

if TYPE_CHECKING:
    from pyarrow import Array

# Metadata of a file, which may be read without a manifest.
FINGERPRINT = "numpyclip.fingerprint"
KIND = "numpyclip.kind"

Recorded: TypeAlias = "tuple[Kind, str | None]"  # what embeddings are of, and the fingerprint of the model

RESERVED = ("key", "key_bytes", "embedding", "error")


@dataclass(frozen=True)
class ParquetParts:
    """A destination of parquet files."""

    place: str
    dtype: str
    embed_dim: int
    kind: Kind
    fingerprint: str | None = None

    def done(self) -> set[int]:
        """Return the numbers of complete parts."""
        return set(numbered_files(listing(self.place), part_name))

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        """Write a part, atomically; return the numbers of rows and of errors among them."""
        make_folder(self.place)
        place = join(self.place, part_name(number))
        return write_parquet(place, rows, self.dtype, self.embed_dim, self.fingerprint, self.kind)


def part_name(number: int) -> str:
    """Return the name of the file of a part."""
    return f"part-{number:05d}.parquet"


def recorded_in(metadata: Mapping[bytes, bytes] | None) -> Recorded:
    """Return what a file says of its embeddings."""
    recorded = metadata or {}
    fingerprint = recorded.get(FINGERPRINT.encode())
    kind: Kind = "texts" if recorded.get(KIND.encode()) == b"texts" else "images"
    return kind, None if fingerprint is None else fingerprint.decode("utf-8", "replace")


def write_parquet(
    place: str, rows: Iterable[OutputRow], dtype: str, embed_dim: int, fingerprint: str | None, kind: Kind
) -> tuple[int, int]:
    """Write one file, atomically and in flat memory; return the numbers of rows and of errors among them.

    Parameters
    ----------
    place : str
        A path or URL.
    rows : iterable of OutputRow
    dtype : {"float16", "float32"}
    embed_dim : int
    fingerprint : str or None
        Of the model, as JSON.
    kind : {"images", "texts"}
        What is embedded. Texts themselves are the keys, or in the column ``caption``.

    Raises
    ------
    InputError
        If files at this URL would not be atomic.
    MissingPackageError
        If pyarrow is not installed.
    NumPyCLIPError
        If it cannot be written.
    """
    need_pyarrow(place)
    check_atomic(place)  # before anything is embedded
    import pyarrow

    value = pyarrow.float16() if dtype == "float16" else pyarrow.float32()
    text, vector = pyarrow.string(), pyarrow.list_(value, embed_dim)
    types = {"key": text, "embedding": vector, "error": text, **image_types(kind)}
    metadata = {KIND: kind, **({} if fingerprint is None else {FINGERPRINT: fingerprint})}
    errors = 0
    with Spool(place, types, RESERVED, metadata) as spool:
        for batch in batches(rows):
            keys = [row.key for row in batch]
            own = name_columns("key", keys) | image_columns(batch, kind)
            own["embedding"] = _embeddings(batch, dtype, embed_dim)
            own["error"] = text_column([_problem(row) for row in batch])
            spool.add(own, [row.columns for row in batch])
            spool.metadata |= folder_of(keys) if kind == "images" else {}
            errors += sum(row.embedding is None for row in batch)
        with new_file(place) as file:
            spool.write(file)
        return spool.rows, errors


def _problem(row: OutputRow) -> str | None:
    return None if row.embedding is not None else str(row.error)


def _embeddings(rows: Sequence[OutputRow], dtype: str, embed_dim: int) -> Array:
    import pyarrow

    embeddings = np.zeros((len(rows), embed_dim), dtype)
    missing = np.zeros(embeddings.shape, bool)
    for number, row in enumerate(rows):
        if row.embedding is None:
            missing[number] = True
        else:
            embeddings[number] = row.embedding
    values = pyarrow.array(embeddings.ravel(), mask=missing.ravel() if missing.any() else None)
    return pyarrow.FixedSizeListArray.from_arrays(values, embed_dim)
