"""Values that all sources share: read options, parts and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["images", "texts"]
Reader: TypeAlias = Literal["files", "webdataset", "parquet", "lines"]

MOST_BYTES = 1 << 26  # of an image in an archive, or at a URL
LARGE = 1 << 23  # bytes of an image that is read in its turn, while dozens of smaller ones wait in memory


@dataclass(frozen=True)
class ReadOptions:
    """How sources are read."""

    kind: Kind
    column: str | None = None  # of images or texts in parquet, of texts in .json; by default the usual names
    columns: tuple[str, ...] | None = None  # carried along; None: all others


@dataclass(frozen=True)
class Part:
    """A part of the input; the part of the output has the same number."""

    number: int
    reader: Reader
    source: str  # the shard, or the list; a path or URL
    start: int = 0  # first path, row group or byte of a list
    stop: int | None = None
    paths: tuple[str, ...] = ()  # of "files"
    limit: int | None = None  # rows of it that are wanted


@dataclass(frozen=True, eq=False)
class Row:
    """An input, or the error of reading it."""

    key: str  # with surrogates for bytes that are not UTF-8: path, URL, or those of the shard and a name within it
    content: str | bytes | None  # path or content of an image file, or a text; None if there is an error
    columns: Mapping[str, Any]  # carried along, values of JSON and of pyarrow
    error: str | None = None  # it becomes a row of the output
