"""Checking an index as a whole, and repairing it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from numpyclip.errors import MissingPackageError
from numpyclip.index.database import Damage
from numpyclip.index.database.schema import APPLICATION_ID, VERSION
from numpyclip.index.database.sql import meta, set_meta
from numpyclip.index.database.sqlite import SQLiteDatabase
from numpyclip.index.database.sqlite_connection import SQLiteConnection, unsound_pages
from numpyclip.index.open_store import is_address, open_store
from numpyclip.index.salvage import check_rows, copy_sound, is_damage
from numpyclip.index.store import Store
from numpyclip.index.vectors import LEAST_RECALL, Progress
from numpyclip.index.vectors.shards import VECTOR_DTYPES, remove, shard_files
from numpyclip.index.where import absolute

# The header of an SQLite file: what it begins with, and after the size of pages the format that its journal needs.
_MAGIC, _FORMAT, _ROLLBACK = b"SQLite format 3\0", bytes((2, 2, 0, 64, 32, 32)), bytes((1, 1, 0, 64, 32, 32))
_FEW = 4  # bytes


def check_index(place: str | os.PathLike[str], progress: Progress = iter) -> list[str]:
    """Check all of an index, and repair it: what is damaged is left out, and the next update computes it again.

    Every embedding is compared with its checksum. A damaged HNSW index is built again. Of a damaged database, what is
    sound is kept, embeddings included; it stays beside the new one, as ``index.sqlite.damaged``.

    Parameters
    ----------
    place : str or path
        As for `open_store`.
    progress : callable, optional
        Given counts of rows that were added to an HNSW index, iterates over them.

    Returns
    -------
    list of str
        What was wrong; empty if nothing was.

    Raises
    ------
    StoreError
        If there is no index, or another process writes to it.
    """
    is_folder = not is_address(place)
    problems = _repair_database(Path(absolute(place))) if is_folder else []
    with contextlib.closing(open_store(place)) as store, store.writing():
        found = store.drop_damaged()
        if store.has_damaged_hnsw() or (found and is_folder and store.remove_hnsw()):
            found.append(f"HNSW index: {_rebuild_hnsw(store, progress)}")
        return [*problems, *found]


def _rebuild_hnsw(store: Store, progress: Progress) -> str:
    """Build the HNSW index again, if that can be done, and say what has become of it."""
    if not store.counts().pictures:
        store.remove_hnsw()
        return "removed; there are no images"
    try:
        recall = store.build_hnsw(progress)  # from what an interrupted build has left, if that is sound
    except MissingPackageError as error:
        store.remove_hnsw()
        return f"removed; searches are exhaustive: {error}"
    if not recall.is_good:
        return f"removed; a new one has recall {recall.least:.1%}, below {LEAST_RECALL:.0%}: searches are exhaustive"
    return f"built again, recall {recall.least:.1%}"


def _repair_database(folder: Path) -> list[str]:
    """Replace a damaged database by one with what is sound in it."""
    database = SQLiteDatabase(folder)
    with database.translated():
        if not os.path.lexists(database.file) and not shard_files(folder):
            return []
        found = []
        while (special := database.special_file()) not in (None, database.file.name):
            remove(folder / str(special))
            found.append(f"{special} was no regular file: removed")
        with database.alone(), database.unmarked():
            if database.file.is_file() and _mend_header(database.file):
                found.append(f"{database.file.name} had a damaged header, which is restored")
            if (damage := _damage(database)) is not None:
                found.append(_salvage(database, damage))
            elif database.fits_checksum() is False:
                database.forget_checksum()
                found.append(
                    f"{database.file.name} differs from what NumPyCLIP wrote, as after a change by another program; "
                    "SQLite finds no damage, so all of it is kept"
                )
    return found


def _mend_header(file: Path) -> bool:
    """Write the bytes of the header that all indexes have, if few of them differ: with others SQLite reads nothing."""
    with file.open("r+b") as stream:
        found = stream.read(len(_MAGIC) + 2 + len(_FORMAT))
        size, version = found[len(_MAGIC) :][:2], found[len(_MAGIC) + 2 :][:2]
        expected = _MAGIC + size + (_ROLLBACK if version == _ROLLBACK[:2] else _FORMAT)
        wrong = sum(byte != there for byte, there in zip(expected, found, strict=False))
        if not 0 < wrong <= _FEW or len(found) < len(expected):
            return False
        stream.seek(0)
        stream.write(expected)
    return True


def _damage(database: SQLiteDatabase) -> str | None:
    """Look at all that is in a database."""
    if not database.file.exists():
        return "is missing"
    if database.special_file():
        return "is no regular file"
    if not database.file.stat().st_size:
        return "is empty"
    with database.reading() as connection:
        try:
            if (damage := unsound_pages(connection, "integrity_check")) is not None:
                return damage
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if application == APPLICATION_ID and 1 <= version <= VERSION:  # else opening it says what it is
                check_rows(connection)
        except Damage as error:
            return str(error)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return f"is damaged ({error})"
    return None


def _salvage(database: SQLiteDatabase, damage: str) -> str:
    """Put a database with what is sound into the place of a damaged one."""
    folder = Path(database.place)
    shards = shard_files(folder)
    counts: dict[str, int] = {}

    def fill(new: SQLiteConnection) -> None:
        if database.file.is_file():
            with database.reading() as old:
                copy_sound(old, new)
        if meta(new, "precision") is None:
            found = (name for name in VECTOR_DTYPES[1:] if any(file.suffix == f".{name}" for file in shards))
            set_meta(new, precision=next(found, "float32"))
        for table in ("folders", "texts", "vectors"):
            (counts[table],) = new.execute(f"SELECT count(*) FROM {table}").fetchone()
        if not counts["vectors"]:
            set_meta(new, row_checksums="1")

    kept = database.replace(fill)
    if not counts["vectors"]:
        for path in (*folder.glob("[!.]*.usearch*"), *shards):
            remove(path)
    update = "numpyclip index" if counts["folders"] else "numpyclip index FOLDER"
    return (
        f"{database.file.name} {damage}{f'; it is now {kept}' if kept else ''}. Kept are {counts['folders']} folders, "
        f"{counts['texts']} texts and {counts['vectors']} embeddings; `{update}` embeds the rest, or --import adds it"
    )
