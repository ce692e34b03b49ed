"""The store of an index: files, images by their content, texts, and an embedding of each image and text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, StoreError
from numpyclip.index import generations, picture_rows, rows
from numpyclip.index.browsing import Browsing
from numpyclip.index.database import Connection, Database
from numpyclip.index.database.sql import generation, have_parts, meta, set_meta
from numpyclip.index.drop_damaged import drop_damaged
from numpyclip.index.generations import following, searched
from numpyclip.index.indexed_files import IndexedFiles
from numpyclip.index.marks import Marking
from numpyclip.index.pending import Pending
from numpyclip.index.picture_views import Viewing
from numpyclip.index.records import (
    MODALITIES,
    WHOLE,
    Changes,
    Counts,
    Key,
    Match,
    Modality,
    is_part,
)
from numpyclip.index.vectors import Progress, Recall, Space, Vectors
from numpyclip.index.where import EVERYWHERE, Where
from numpyclip.model.ops import Array

_LENGTHS = 1e-3  # that squares of lengths are off 1, at most
_PAGE = 4096  # images or texts at once


class Store(IndexedFiles, Pending, Browsing, Marking, Viewing):
    """An index without its model.

    Reading is safe from many threads, also while another process writes. Changes are made within `writing`, and each
    call is one transaction.
    """

    def __init__(self, database: Database, vectors: Vectors) -> None:
        self._database = database
        self._vectors = vectors
        self._mix: Fingerprint | None = None

    @property
    def place(self) -> str:
        """Where it is, as a person names it."""
        return self._database.place

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of the model whose embeddings it holds; None if it holds none yet."""
        with self._database.reading() as connection:
            return generations.searched_fingerprint(connection)

    @property
    def model_name(self) -> str | None:
        """How the model is loaded, as `remember_model` was told for its fingerprint."""
        with self._database.reading() as connection:
            return meta(connection, f"model {meta(connection, 'fingerprint')}")

    def remember_model(self, fingerprint: Fingerprint, name: str) -> None:
        """Remember how the model with a fingerprint is loaded."""
        with self._database.transaction() as connection:
            generations.remember_model(connection, fingerprint, name)

    def replace_fingerprint(self, fingerprint: Fingerprint) -> None:
        """Record another fingerprint for the embeddings that are searched, whose model is still loaded as before."""
        with self._database.transaction() as connection:
            generations.replace_fingerprint(connection, fingerprint)

    def calibration(self) -> str:
        """Return what `set_calibration` has recorded, else an empty object of JSON."""
        with self._database.reading() as connection:
            return meta(connection, "calibration") or "{}"

    def set_calibration(self, calibration: str) -> None:
        """Record a calibration, an object of JSON; see `stored_calibration`."""
        with self._database.transaction() as connection:
            set_meta(connection, calibration=calibration)

    def mix(self, fingerprint: Fingerprint) -> None:
        """Replace the fingerprint by one with several precisions once embeddings are added, in this `writing`."""
        self._mix = fingerprint

    @contextlib.contextmanager
    def writing(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock for writing; StoreError if another process holds it.

        Processes that only add images, files and texts, and remove files that are gone, may share it where the
        database has many writers, as PostgreSQL has.
        """
        self._mix = None
        with self._database.writing(shared=shared):
            self._remove_old_generations()
            with self._database.transaction() as connection:
                if self._vectors.upgrade(connection):
                    drop_damaged(connection, self._vectors)
                picture_rows.date_by_names(connection)
            yield

    def begin(self, fingerprint: Fingerprint, embed_dim: int) -> None:
        """Record the model whose embeddings an empty store will hold, unless another process was faster."""
        with self._database.transaction() as connection:
            sql = "INSERT INTO meta VALUES ('fingerprint', ?) ON CONFLICT DO NOTHING"
            if connection.execute(sql, (fingerprint.to_json(),)).rowcount:
                set_meta(connection, embed_dim=str(embed_dim), generation="1")

    def embeddings_of(self, digests: Sequence[bytes]) -> dict[bytes, Array]:
        """Look up embeddings (embed_dim,) of images by the SHA-256 of their files; those without one are left out.

        Each is of the image as models see it, not of another part.
        """
        with self._database.reading() as connection:
            known = picture_rows.pictures_of(connection, digests)
            numbers = {number: digest for digest, (number, _) in known.items()}
            keys = [(number, WHOLE) for number in numbers]
            found = self._vectors.take(connection, searched(connection, "pictures"), keys)
        return {numbers[number]: embedding for (number, _), embedding in found.items()}

    def embeddings_by_number(self, numbers: Sequence[int]) -> dict[int, Array]:
        """Look up embeddings (embed_dim,) of images, each of its first part; those without one are left out."""
        with self._database.reading() as connection:
            space = searched(connection, "pictures")
            first = {key[0]: key for key in reversed(list(rows.keys_of(connection, space, numbers)))}
            found = self._vectors.take(connection, space, first.values())
        return {number: embedding for (number, _), embedding in found.items()}

    def parts_of(self, digests: Sequence[bytes]) -> dict[bytes, set[str]]:
        """Look up of which parts of images there are embeddings; images that are not there are left out."""
        with self._database.reading() as connection:
            known = picture_rows.pictures_of(connection, digests)
            numbers = {number: digest for digest, (number, _) in known.items()}
            found: dict[bytes, set[str]] = {digest: set() for digest in known}
            for number, part in rows.keys_of(connection, searched(connection, "pictures"), numbers):
                found[numbers[number]].add(part)
        return found

    def write(self, changes: Changes) -> int:
        """Apply changes, and return how many images are new; InputError if a file's digest is of no image.

        Of an image that is there, embeddings of parts are added that it has not.
        """
        with self._database.transaction() as connection:
            picture_rows.put_pictures(connection, changes.pictures)
            found = picture_rows.pictures_of(connection, changes.pictures)
            embeddings = {
                (number, part): embedding
                for digest, (number, _) in found.items()
                for part, embedding in changes.pictures[digest].embeddings.items()
            }
            if parted := sorted({number for number, part in embeddings if part}):
                connection.lock("pictures", parted)  # other writers may add the same to an image that is there
            new = self._add(connection, searched(connection, "pictures"), embeddings)
            gone = sorted(map(picture_rows.key_of, changes.forgotten))
            connection.executemany("DELETE FROM files WHERE directory = ? AND name = ?", gone)
            picture_rows.put_files(connection, changes.filed, found)
            return new

    def write_texts(self, texts: Sequence[str], embeddings: Array) -> None:
        """Add texts; those that have an embedding stay as they are."""
        with self._database.transaction() as connection:
            numbers = rows.put_texts(connection, texts)
            of_text = dict(zip(texts, embeddings, strict=True))
            found = {(number, WHOLE): of_text[text] for text, number in numbers.items()}
            self._add(connection, searched(connection, "texts"), found)

    def unknown_texts(self, texts: Iterable[str]) -> list[str]:
        """Return those of some texts that are not in the index, each once."""
        with self._database.reading() as connection:
            return rows.unknown_texts(connection, texts)

    def counts(self, where: Where = EVERYWHERE) -> Counts:
        """Count files and images that `where` selects, and all texts and unreadable files."""
        with self._database.reading() as connection:
            return rows.counts(connection, where)

    def count_searched(self, where: Where = EVERYWHERE) -> int:
        """Count the images that a search with `where` compares: of more than 10,000 files about, for it is fast."""
        with self._database.reading() as connection:
            return rows.count_searched(connection, where)

    def count_compared(self, where: Where = EVERYWHERE, pictures: int | None = None) -> int:
        """Count the embeddings that such a search compares, of which an image may have several.

        `pictures` is what `count_searched` has told, if it was asked before.
        """
        pictures = self.count_searched(where) if pictures is None else pictures
        with self._database.reading() as connection:
            if not have_parts(connection):
                return pictures
            return rows.count_compared(connection, searched(connection, "pictures"), where, pictures)

    def search(
        self, modality: Modality, queries: Array, n: int, where: Where = EVERYWHERE, *, skip: int = 0
    ) -> list[list[Match]]:
        """Find for each query (m, embed_dim) the nearest `n` after `skip`; exact, unless there is an HNSW index."""
        if modality not in MODALITIES:
            raise InputError(f"modality is {modality!r:.60}; expected 'pictures' or 'texts'.")
        if modality == "texts" and where != EVERYWHERE:
            raise InputError("texts have no folder and no date; leave out these conditions, or search images.")
        with self._database.reading() as connection:
            space = searched(connection, modality)
            found = self._vectors.nearest(connection, space, queries, skip + n, where)
            return [list(rows.matches(connection, modality, nearest[skip:], where)) for nearest in found]

    def picture(self, number: int, part: str = WHOLE) -> Match | None:
        """Return an image by its number, with a cosine of 1 to itself; None if there is none, or no file of it.

        By default it is the first part: of an image the whole, of a video one of its moments.
        """
        if not 0 <= number < 1 << 63:
            return None
        with self._database.reading() as connection:
            space = searched(connection, "pictures")
            keys = rows.keys_of(connection, space, [number])
            found = self._vectors.take(connection, space, [(number, part)] if part else keys[:1])
            return next(rows.matches(connection, "pictures", rows.by_themselves(found)), None)

    def picture_at(self, path: str) -> Match | None:
        """Return an image by a path that the index has of it, as `picture` does; no file is looked at."""
        number = self.number_at(path)
        return None if number is None else self.picture(number)

    def everything(self, modality: Modality) -> Iterator[Match]:
        """Iterate over all images of which there is a file, or all texts, in the order of their numbers.

        An image comes once for each of its parts.
        """
        last = (-1, WHOLE)
        while True:
            with self._database.reading() as connection:
                space = searched(connection, modality)
                keys = rows.keys_after(connection, space, last, _PAGE)
                found = self._vectors.take(connection, space, keys)
                matches = list(rows.matches(connection, modality, rows.by_themselves(found)))
            if not keys:
                return
            yield from matches
            last = keys[-1]

    def write_embeddings(
        self, modality: Modality, keys: Sequence[Key], embeddings: Array, *, migrating: bool = True
    ) -> None:
        """Add embeddings of images or texts that are in the index, of the next model or of this one.

        What has one of the next model is not pending any more: all of an image are to be added together.
        """
        with self._database.transaction() as connection:
            space = following(connection, modality) if migrating else searched(connection, modality)
            numbers = sorted({number for number, _ in keys})
            connection.lock(modality, numbers)  # other writers may have found the same without an embedding
            self._add(connection, space, dict(zip(keys, embeddings, strict=True)))

    def finish_migration(self) -> None:
        """Replace the embeddings that are searched by those of the next model."""
        with self._database.transaction() as connection:
            if not generations.finish_migration(connection):
                raise StoreError(f"{self.place}: no migration is in progress.")
        self._remove_old_generations()

    def compact(self) -> int:
        """Delete images without a file and their embeddings; return how many."""
        with self._database.transaction() as connection:
            if generations.is_migrating(connection):
                raise StoreError(f"{self.place}: a migration is in progress; finish it first: index --migrate.")
            dropped = picture_rows.drop_without_file(connection)
            if not (old := generation(connection)):
                return 0
            self._vectors.compact(connection, old)
        self._remove_old_generations()
        self._database.shrink()
        return dropped

    def drop_damaged(self) -> list[str]:
        """Remove embeddings that are damaged, and images without one; say how many there were."""
        with self._database.transaction() as connection:
            return drop_damaged(connection, self._vectors)

    def has_damaged_hnsw(self) -> bool:
        """Tell whether there is an HNSW index that cannot be used."""
        with self._database.reading() as connection:
            return self._vectors.has_damaged_hnsw(connection, searched(connection, "pictures"))

    def build_hnsw(self, progress: Progress = iter) -> Recall:
        """Build an HNSW index of all images, which searches then use: faster, but approximate."""
        with self._database.building() as connection:
            space = searched(connection, "pictures")
            if not rows.has_embeddings(connection, space):
                raise StoreError(f"{self.place}: holds no images yet; there is nothing to build a graph of.")
            return self._vectors.build_hnsw(connection, space, progress)

    def remove_hnsw(self) -> bool:
        """Remove the HNSW index; False if there was none."""
        with self._database.building() as connection:
            return self._vectors.remove_hnsw(connection)

    def close(self) -> None:
        """Close connections to a server, if it has any."""
        self._database.close()

    def _add(self, connection: Connection, space: Space, embeddings: Mapping[Key, Array]) -> int:
        """Add embeddings of images or texts, but those that are there; return how many of these had none.

        InputError for what would be in the index, and found by no search.
        """
        items = {item for item, _ in embeddings}
        there = rows.keys_of(connection, space, items)
        new = sorted(embeddings.keys() - set(there))
        if not new:
            return 0
        if wrong := [part for _, part in new if not is_part(part)]:
            raise InputError(f"{wrong[0]!r:.60} is no part of an image; expected a word, or seconds such as '12.5'.")
        added = np.stack([embeddings[number] for number in new])
        squares = np.einsum("ij,ij->i", added, added, dtype=np.float64)
        if not (np.abs(squares - 1) < _LENGTHS).all():
            raise InputError(f"{self.place}: an embedding is not of unit length; expected finite ones, normalized.")
        if self._mix is not None:
            generations.replace_fingerprint(connection, self._mix)
        if any(part for _, part in new) and not have_parts(connection):
            set_meta(connection, parts="1")
        self._vectors.add(connection, space, new, added)
        return len(items - {item for item, _ in there})

    def _remove_old_generations(self) -> None:
        with self._database.reading() as connection:
            self._vectors.remove_before(connection, generation(connection))
