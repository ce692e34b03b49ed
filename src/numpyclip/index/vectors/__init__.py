"""`Vectors`: the embeddings of an index, and the search for the nearest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from numpyclip.index.database import Connection
from numpyclip.index.records import WHOLE, Key, Modality, Moment
from numpyclip.index.where import Where
from numpyclip.model.ops import Array

Progress: TypeAlias = Callable[[Iterator[int]], Iterable[int]]  # consumes counts of rows that are done, and shows them
MOST_OTHERS = 5  # parts of one image
LEAST_RECALL = 0.9  # below which an approximate search is not used


class Space(NamedTuple):
    """Embeddings that compare: those of one model, and of one modality."""

    generation: int
    modality: Modality


class Found(NamedTuple):
    """An image or a text, by its number, the part of it that the embedding is of, and others that are near."""

    item: int
    cosine: float
    embedding: Array
    part: str = WHOLE
    others: Sequence[Moment] = ()


class Recall(NamedTuple):
    """Which share of the `n` nearest by exhaustive search an approximate one finds, measured on some queries."""

    images: float  # for images that are not in the index
    texts: float  # for these, moved as texts are
    queries: int
    n: int
    candidates: int  # that it compares again, to find them

    @property
    def least(self) -> float:
        """The lower one."""
        return min(self.images, self.texts)

    @property
    def is_good(self) -> bool:
        """Whether searches use it."""
        return self.least >= LEAST_RECALL


class Vectors(Protocol):
    """Embeddings, of unit length, of the images and texts that the table `vectors` lists by their numbers."""

    def add(self, connection: Connection, space: Space, keys: Sequence[Key], embeddings: Array) -> None:
        """Add embeddings (n, embed_dim) in a transaction."""

    def take(self, connection: Connection, space: Space, keys: Iterable[Key]) -> dict[Key, Array]:
        """Look up embeddings; those that are not there are left out."""

    def nearest(self, connection: Connection, space: Space, queries: Array, n: int, where: Where) -> list[list[Found]]:
        """Find for each query (m, embed_dim) the nearest that are searched: of each image its nearest part."""

    def upgrade(self, connection: Connection) -> bool:
        """Bring what an earlier version has written up to date, in a transaction; False if nothing had to be done."""
        return False

    def damaged(self, connection: Connection, space: Space) -> list[int]:
        """List items whose embeddings are not as they were written; the caller removes them."""

    def compact(self, connection: Connection, generation: int) -> None:
        """Rewrite a generation without deleted embeddings, in a transaction."""
        return

    def remove_before(self, connection: Connection, generation: int) -> None:
        """Delete what is left of older generations."""

    def build_hnsw(self, connection: Connection, space: Space, progress: Progress) -> Recall:
        """Build an HNSW index, which searches then use, on a connection for building."""

    def has_damaged_hnsw(self, connection: Connection, space: Space) -> bool:
        """Tell whether there is an HNSW index that cannot be used."""

    def remove_hnsw(self, connection: Connection) -> bool:
        """Remove it; False if there is none."""
