"""Read the rows of a part."""

from collections.abc import Iterator

from numpyclip.shards.part import Part, ReadOptions, Row


def read_part(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Read the rows of a part, in order."""
    raise NotImplementedError
