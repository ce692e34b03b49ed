"""ROWS → OUTPUT: parts of embeddings in a folder or object store, each atomic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeAlias

from numpyclip.destinations.clip_retrieval_parts import ClipRetrievalParts
from numpyclip.destinations.parquet_parts import ParquetParts
from numpyclip.destinations.row import OutputRow
from numpyclip.sources.parquet import need_pyarrow
from numpyclip.sources.part import Kind

Layout: TypeAlias = Literal["parquet", "clip-retrieval"]
Dtype: TypeAlias = Literal["float16", "float32"]


class Destination(Protocol):
    """Where parts of the output are written."""

    def done(self) -> set[int]:
        """Return the numbers of complete parts, which costs a listing or two."""

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        """Write a part, atomically and in flat memory; return the numbers of rows and of errors among them.

        Raises
        ------
        NumPyCLIPError
            If it cannot be written.
        """


def open_destination(
    place: str, layout: Layout, dtype: Dtype, embed_dim: int, kind: Kind, fingerprint: str | None = None
) -> Destination:
    """Return the destination of a run; nothing is made before the first part is written.

    Parameters
    ----------
    place : str
        A folder, whose parent is there, or a URL.
    layout : {"parquet", "clip-retrieval"}
        `numpyclip.destinations.parquet_parts` and `numpyclip.destinations.clip_retrieval_parts` describe them.
    dtype : {"float16", "float32"}
        Of the embeddings in it.
    embed_dim : int
    kind : {"images", "texts"}
        What is embedded. Texts themselves are in the rows' column ``caption``.
    fingerprint : str, optional
        Of the model, as JSON, which each parquet part names, so that it can be read alone.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    """
    need_pyarrow(place)
    if layout == "parquet":
        return ParquetParts(place, dtype, embed_dim, kind, fingerprint)
    return ClipRetrievalParts(place, dtype, embed_dim, kind)
