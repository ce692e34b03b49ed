"""PART → ROWS: one worker reads one part, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from numpyclip.file_systems import without_passwords
from numpyclip.sources.fetch import fetched
from numpyclip.sources.lines import read_lines
from numpyclip.sources.parquet import read_parquet
from numpyclip.sources.part import Part, Reader, ReadOptions, Row
from numpyclip.sources.webdataset import read_webdataset

_Read: TypeAlias = "Callable[[Part, ReadOptions], Iterator[Row]]"
_READERS: dict[Reader, _Read] = {
    "files": lambda part, _: read_files(part.paths),
    "webdataset": read_webdataset,
    "parquet": read_parquet,
    "lines": read_lines,
}


def read_part(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the rows of a part, one for every input, in the same order each time.

    Raises
    ------
    InputError
        If its source cannot be read, after some tries.
    MissingPackageError
        If a package for its source is not installed.
    """
    return islice(_READERS[part.reader](part, options), part.limit)


def read_files(paths: Iterable[str], *, raises_outages: bool = True) -> Iterator[Row]:
    """Iterate over images by their paths and URLs, one row each; see `fetched` for `raises_outages`, and errors."""
    rows = (Row(without_passwords(path), path, {}) for path in paths)
    return fetched(rows, raises_outages=raises_outages)
