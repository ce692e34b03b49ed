"""Images and texts that have no embedding of a model yet: the part of `Store` that a migration asks."""

from __future__ import annotations

from collections.abc import Sequence

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.index import generations, picture_rows, rows
from numpyclip.index.database import Database
from numpyclip.index.generations import following, searched
from numpyclip.index.records import PendingPicture


class Pending:
    """See `Store`."""

    _database: Database

    def start_migration(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Start or resume collecting embeddings of another model beside those that are searched."""
        with self._database.transaction() as connection:
            generations.start_migration(connection, fingerprint, embed_dim)

    def pending_pictures(self, n: int) -> list[PendingPicture]:
        """Return some images without an embedding of the next model."""
        with self._database.reading() as connection:
            pending = rows.pending(connection, following(connection, "pictures"), "digest", n)
            numbers = [number for number, _ in pending]
            files = picture_rows.files_of(connection, numbers)
            parts: dict[int, list[str]] = {number: [] for number in numbers}
            for number, part in rows.keys_of(connection, searched(connection, "pictures"), numbers):
                parts[number].append(part)
            return [
                PendingPicture(number, digest, [path for path, *_ in files[number]], parts[number])
                for number, digest in pending
            ]

    def pending_texts(self, n: int, *, migrating: bool = True) -> list[tuple[int, str]]:
        """Return some texts without an embedding, of the next model or of this one: number and text."""
        with self._database.reading() as connection:
            space = following(connection, "texts") if migrating else searched(connection, "texts")
            found = rows.pending(connection, space, "text", n)
        return [(number, rows.text_of(data)) for number, data in found]

    def drop_pictures(self, numbers: Sequence[int]) -> None:
        """Remove images whose files cannot be read any more."""
        with self._database.transaction() as connection:
            picture_rows.drop_pictures(connection, numbers)
