"""Checking an index as a whole, and repairing it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpyclip.index import rows
from numpyclip.index.database import Damage
from numpyclip.index.database.sql import checked
from numpyclip.index.database.sqlite import SQLiteDatabase
from numpyclip.index.open_store import is_address, open_store
from numpyclip.index.vectors import Progress
from numpyclip.index.vectors.shards import PRECISIONS
from numpyclip.index.where import absolute


def check_index(place: str | os.PathLike[str], progress: Progress = iter) -> list[str]:
    """Check all of an index, and repair it: what is damaged is left out, and the next update computes it again.

    Every embedding is compared with its checksum. A damaged HNSW index is built again. Of a damaged database, folders
    and texts are kept as far as they can be read; it stays beside the new one, as ``index.sqlite.damaged``.

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
    problems = [] if is_address(place) else _salvage(Path(absolute(place)))
    with contextlib.closing(open_store(place)) as store, store.writing():
        found = store.drop_unsound()
        if store.has_damaged_hnsw() or (found and not is_address(place) and store.remove_hnsw()):
            store.remove_hnsw()
            if store.counts().pictures:
                recall = store.build_hnsw(progress)
                found.append(f"HNSW index: built again, recall {recall.least:.1%}")
            else:
                found.append("HNSW index: removed; there are no pictures")
        return [*problems, *found]


def _salvage(folder: Path) -> list[str]:
    """Replace a damaged database by one with what can be read of its folders and texts."""
    database = SQLiteDatabase(folder)
    if not database.file.exists() or (damage := database.damage(thorough=True)) is None:
        return []
    with database.alone():
        tables: dict[str, list[Any]] = {"meta": [], "folders": [], "texts": []}
        old = database.file.with_name(f"{database.file.name}.damaged")
        database.file.replace(old)
        for table, found in tables.items():
            found += _rows_of(old, table) if old.is_file() else ()
        shards = sorted(folder.glob("pictures-*/*"))
        precision = next((name for name in PRECISIONS[1:] if any(f.suffix == f".{name}" for f in shards)), "float32")
        database.remove_beside()
        for path in (*folder.glob("pictures-*"), *folder.glob("texts-*")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        database.create(precision=precision, row_checksums="1")
    store = open_store(folder)
    with store.writing():
        store.restore(**tables)
    return [
        f"{database.file.name} {damage}; it is now {old.name}. Kept are {len(tables['folders'])} folders and "
        f"{len(tables['texts'])} texts; `numpyclip index` embeds everything again"
    ]


_KINDS: dict[str, tuple[str, tuple[Any, ...], Callable[..., Any]]] = {
    "meta": ("key, value", (str, str), lambda key, value: (key, value)),
    "folders": ("path, ignored", (bytes, str), lambda path, ignored: (os.fsdecode(path), rows.patterns_in(ignored))),
    "texts": ("id, text", (int, (bytes, str)), lambda number, text: rows.text_of(text)),
}


def _rows_of(file: Path, table: str) -> Iterator[Any]:
    """Read what can be read of a table of a damaged database."""
    columns, kinds, parse = _KINDS[table]
    with contextlib.suppress(sqlite3.Error, OSError):
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
        with contextlib.closing(connection):
            for row in connection.execute(f"SELECT {columns} FROM {table}"):
                with contextlib.suppress(Damage):
                    yield parse(*checked(row, *kinds))
