"""FILES → ROWS: images by their paths, which are read later, or by URLs, which are fetched."""

from __future__ import annotations

from collections.abc import Iterator

from numpyclip.shards.fetch import fetched
from numpyclip.shards.part import Part, ReadOptions, Row


def read_files(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the files of a part."""
    del options
    return fetched((Row(path, path, {}) for path in part.paths), part.source)
