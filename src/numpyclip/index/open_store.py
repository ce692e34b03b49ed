"""The place of an index → the store that keeps it."""

from __future__ import annotations

import os
from pathlib import Path

from numpyclip.errors import InputError, StoreError
from numpyclip.index.database import RECOVERY, Damage
from numpyclip.index.database.sql import meta
from numpyclip.index.database.sqlite import SQLiteDatabase
from numpyclip.index.store import Store
from numpyclip.index.vectors.memory_mapped import MemoryMappedVectors
from numpyclip.index.vectors.shards import VECTOR_DTYPES, VectorDType, shard_files
from numpyclip.index.where import absolute, is_path


def open_store(place: str | os.PathLike[str], *, create: bool = False, vectors: VectorDType | None = None) -> Store:
    """Open an index.

    Parameters
    ----------
    place : str or path
        A folder, which is not that of the images, or an address that begins with ``postgresql://`` or
        ``postgres://``: everything is in the schema ``numpyclip`` there.
    create : bool, default=False
        Make it if it is not there.
    vectors : {"float32", "float16", "int8"}, optional
        The dtype in which searches read the embeddings of a folder first; the results are the same. If the index is
        there, it must be its.

    Raises
    ------
    MissingPackageError
        If it is in PostgreSQL, and psycopg is not installed.
    StoreError
        If there is no index, or none that this version can read, or a server cannot be reached or has no pgvector.
    InputError
        If its dtype is another.
    """
    address = os.fspath(place)
    if not is_path(address):
        raise InputError(f"the place of the index is {place!r:.60}, which no path can be.")
    if is_address(address):
        if vectors is not None:
            raise InputError(f"vectors={vectors!r:.60} is for an index in a folder; PostgreSQL holds float32.")
        from numpyclip.index.database.postgres import PostgresDatabase
        from numpyclip.index.vectors.pgvector import PgVectors

        return Store(PostgresDatabase(address, create=create), PgVectors())
    if vectors is not None and vectors not in VECTOR_DTYPES:
        raise InputError(f"vectors is {vectors!r:.60}; expected one of {', '.join(VECTOR_DTYPES)}.")
    folder = Path(absolute(place))
    database = SQLiteDatabase(folder)
    if not database.file.exists() and shard_files(folder):
        raise StoreError(f"{database.file}: is missing. {RECOVERY}")
    if create:
        database.check_empty()
        database.create(precision=vectors or "float32", row_checksums="1")
    database.check()
    with database.reading() as connection:
        found: VectorDType = meta(connection, "precision") or "float32"  # type: ignore[assignment]
        if found not in VECTOR_DTYPES:
            raise Damage(f"holds {found!r:.60} for the precision of embeddings")
    if vectors not in (None, found):
        raise InputError(f"{folder}: this index has vectors of {found}, not {vectors}; leave vectors out.")
    return Store(database, MemoryMappedVectors(folder, found))


def is_address(place: str | os.PathLike[str]) -> bool:
    """Tell whether the place of an index is a PostgreSQL server."""
    return os.fspath(place).startswith(("postgresql://", "postgres://"))


def default_place() -> str:
    """Return where the index of this user is: $NUMPYCLIP_INDEX, else where the system keeps data of programs."""
    if place := os.environ.get("NUMPYCLIP_INDEX"):
        return place
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return os.fspath(base / "numpyclip" / "index")
