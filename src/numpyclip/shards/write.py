"""Write the rows of parts."""

from collections.abc import Iterable
from typing import Literal, Protocol

from numpyclip.shards.part import Kind, OutputRow


class Destination(Protocol):
    """Where parts are written to."""

    def done(self) -> set[int]:
        """Return the numbers of the parts that are complete."""

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        """Write a part, atomically; return how many rows and errors it has."""


def open_destination(
    place: str,
    layout: Literal["parquet", "clip-retrieval"],
    dtype: Literal["float16", "float32"],
    embed_dim: int,
    kind: Kind,
) -> Destination:
    """Open a folder or URL."""
    raise NotImplementedError
