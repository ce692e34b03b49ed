"""The place of an index → the store that keeps it."""

from __future__ import annotations

import os
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.index.folder.shards import Precision
from numpyclip.index.folder.store import FolderStore
from numpyclip.index.store import Store


def open_store(place: str | os.PathLike[str], *, create: bool = False, precision: Precision | None = None) -> Store:
    """Open an index.

    Parameters
    ----------
    place : str or path
        A folder, or an address that begins with ``postgresql://`` or ``postgres://``.
    create : bool, default=False
        Make it if it is not there.
    precision : {"float32", "float16", "int8"}, optional
        See `FolderStore`.
    """
    address = os.fspath(place)
    if address.startswith(("postgresql://", "postgres://")):
        if precision is not None:
            raise InputError(f"precision {precision} is for an index in a folder; PostgreSQL holds float32.")
        from numpyclip.index.postgres_store import PostgresStore

        return PostgresStore(address, create=create)
    return FolderStore(place, create=create, precision=precision)


def default_place() -> str:
    """Return where the index of this user lies: $NUMPYCLIP_INDEX, else where the system keeps data of programs."""
    if place := os.environ.get("NUMPYCLIP_INDEX"):
        return place
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return os.fspath(base / "numpyclip" / "index")
