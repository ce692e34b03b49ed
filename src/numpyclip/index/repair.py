"""Checking an index as a whole, and repairing it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.index import rows
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.sql import checked, set_meta
from numpyclip.index.database.sqlite import SQLiteDatabase
from numpyclip.index.open_store import is_address, open_store
from numpyclip.index.vectors import Progress
from numpyclip.index.vectors.shards import PRECISIONS, shard_files
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
    """Replace a damaged database by one with what can be read of its folders and texts.

    The new one is in place when all is in it; if this is interrupted before, another call begins again.
    """
    database = SQLiteDatabase(folder)
    shards = shard_files(folder)
    old = database.file.with_name(f"{database.file.name}.damaged")
    if database.file.exists():
        if (damage := database.damage(thorough=True)) is None:
            return []
        damage += f"; it is now {old.name}"
    elif shards or old.exists():
        damage = "is missing"
    else:
        return []
    with database.alone():
        if database.file.exists():
            database.file.replace(old)
        tables = {table: list(_rows_of(old, table)) if old.is_file() else [] for table in _KINDS}
        precision = next((name for name in PRECISIONS[1:] if any(f.suffix == f".{name}" for f in shards)), "float32")
        database.remove_beside()
        for path in (*folder.glob("*.usearch"), *shards):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        database.create(lambda connection: _restore(connection, **tables), precision=precision, row_checksums="1")
    again = "numpyclip index" if tables["folders"] else "numpyclip index FOLDER"
    return [
        f"{database.file.name} {damage}. Kept are {len(tables['folders'])} folders and {len(tables['texts'])} texts; "
        f"`{again}` embeds everything again"
    ]


_KINDS: dict[str, tuple[str, tuple[Any, ...], Callable[..., Any]]] = {
    "meta": ("key, value", (str, str), lambda key, value: (key, value)),
    "folders": ("path, ignored", (bytes, str), lambda path, ignored: (os.fsdecode(path), rows.patterns_in(ignored))),
    "texts": ("id, text", (int, (bytes, str)), lambda number, text: rows.text_of(text)),
}


def _restore(
    connection: Connection, meta: list[tuple[str, str]], folders: list[tuple[str, Any]], texts: list[str]
) -> None:
    """Write what was kept of a damaged database into a new one."""
    facts = dict(meta)
    known = {key: value for key, value in meta if key.startswith("model ")}
    with contextlib.suppress(InputError, KeyError):
        Fingerprint.from_json(facts["fingerprint"])
        known |= {key: facts[key] for key in ("fingerprint", "embed_dim")} | {"generation": "1"}
    set_meta(connection, **known)
    for folder, ignored in folders:
        rows.put_folder(connection, folder, ignored)
    for text in texts:
        rows.put_text(connection, text)


def _rows_of(file: Path, table: str) -> Iterator[Any]:
    """Read what can be read of a table of a damaged database."""
    columns, kinds, parse = _KINDS[table]
    with contextlib.suppress(sqlite3.Error, OSError):
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)
        with contextlib.closing(connection):
            for row in connection.execute(f"SELECT {columns} FROM {table}"):
                with contextlib.suppress(Damage):
                    yield parse(*checked(row, *kinds))
