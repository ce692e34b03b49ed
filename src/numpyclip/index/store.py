"""What keeps an index: the few things that each kind of store can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from numpyclip.images.find import FileState
from numpyclip.index.records import Changes, Counts, Match, Side, Where
from numpyclip.model.fingerprint import Fingerprint
from numpyclip.model.ops import Array


class Store(Protocol):
    """Files, pictures by their content, texts, and an embedding of each picture and text.

    Reading is safe from many threads, also while another process writes. Whatever `write` and its like have done is
    there after any crash; what they have not finished was never there.
    """

    @property
    def place(self) -> str:
        """Where it is, as a person names it."""

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the model whose embeddings it holds; None if it holds none yet."""

    @property
    def model_name(self) -> str | None:
        """How the model is found again, as `remember_model` was told for its fingerprint."""

    def remember_model(self, fingerprint: Fingerprint, name: str) -> None:
        """Remember how the model with a fingerprint is found again."""

    def writing(self) -> AbstractContextManager[None]:
        """Be the only one who writes; StoreError if another process is."""

    def begin(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Settle whose embeddings an empty store will hold."""

    def folders(self) -> dict[str, tuple[str, ...]]:
        """Return folders that are indexed, with the patterns of what is ignored in each."""

    def set_folder(self, folder: str, ignore: Sequence[str]) -> None:
        """Remember a folder."""

    def forget_folder(self, folder: str) -> int:
        """Forget a folder and all files below it; return how many these were."""

    def directories(self, folder: str) -> list[str]:
        """List the folder and those below it in which there are files."""

    def files(self, directory: str) -> dict[str, FileState]:
        """Return files directly in a folder, by name."""

    def knows(self, digest: bytes) -> bool:
        """Tell whether a picture with this content has an embedding."""

    def embeddings_of(self, keys: Sequence[bytes | tuple[str, FileState]]) -> list[Array | None]:
        """Look up embeddings of pictures by their content, or by the path and state of a file; None for each other."""

    def write(self, changes: Changes) -> None:
        """Do one step, as a whole."""

    def write_texts(self, texts: Sequence[str], embeddings: Array) -> None:
        """Add texts; those that are there stay as they are."""

    def unknown_texts(self, texts: Sequence[str]) -> list[str]:
        """Of these texts, return those that are not there, each once."""

    def counts(self) -> Counts:
        """Count what is there."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Iterate over files that cannot be read, and why."""

    def search(self, side: Side, queries: Array, n: int, where: Where) -> list[list[Match]]:
        """Find for each query (m, e) the nearest; exact."""

    def picture(self, number: int) -> Match | None:
        """Return a picture by its number, with a cosine of 1 to itself."""

    def everything(self, side: Side) -> Iterator[Match]:
        """Iterate over all pictures of which there is a file, or all texts, in the order of their numbers."""

    def start_migration(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Begin, or go on, to collect embeddings of another model beside those that are searched."""

    def pending_pictures(self, n: int) -> list[tuple[int, bytes, list[str]]]:
        """Return some pictures that have none of those yet: number, digest and paths."""

    def pending_texts(self, n: int) -> list[tuple[int, str]]:
        """Return some texts that have none of those yet."""

    def write_migrated(self, side: Side, numbers: Sequence[int], embeddings: Array) -> None:
        """Add such embeddings."""

    def drop_pictures(self, numbers: Sequence[int]) -> None:
        """Forget pictures whose files cannot be read any more."""

    def finish_migration(self) -> None:
        """Search by the other model's embeddings from now on, and drop the others."""

    def compact(self) -> int:
        """Drop pictures of which there is no file any more, embeddings and all; return how many."""

    def close(self) -> None:
        """Let go of it."""
