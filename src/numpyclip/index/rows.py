"""Rows of an index's tables, as records and back."""

from __future__ import annotations

import datetime
import glob
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from numpyclip.errors import InputError
from numpyclip.index.database import Connection
from numpyclip.index.database.sql import conditions, generation
from numpyclip.index.records import Exif, Filed, Match, Modality
from numpyclip.index.vectors import Found, Space
from numpyclip.index.where import EVERYWHERE, Where


def space_of(connection: Connection, modality: Modality) -> Space:
    """Return which embeddings are searched."""
    return Space(generation(connection), modality)


def folders_in(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return folders that are indexed, with the patterns of what is ignored in each, forgotten folders among it."""
    rows = connection.execute("SELECT path, ignored FROM folders ORDER BY path")
    ignored = {os.fsdecode(path): json.loads(patterns) for path, patterns in rows}
    forgotten = [path for path, patterns in ignored.items() if patterns is None]
    return {
        folder: (*patterns, *_patterns_of(forgotten, os.path.join(folder, "")))
        for folder, patterns in ignored.items()
        if patterns is not None
    }


def _patterns_of(paths: Sequence[str], start: str) -> list[str]:
    below = (path.removeprefix(start) for path in paths if path.startswith(start))
    return ["/" + glob.escape(path).replace(os.sep, "/") for path in below]


def put_folder(connection: Connection, folder: str, ignore: Sequence[str] | None) -> None:
    """Add a folder, or change what is ignored in it; with None it is forgotten, and ignored by folders above it."""
    sql = "INSERT INTO folders VALUES (?, ?) ON CONFLICT (path) DO UPDATE SET ignored = excluded.ignored"
    connection.execute(sql, (os.fsencode(folder), json.dumps(ignore)))


def picture_of(connection: Connection, digest: bytes | None) -> tuple[int, str | None] | None:
    """Look up the number of a picture, and when it was taken."""
    row: tuple[int, str | None] | None = connection.execute(
        "SELECT id, taken FROM pictures WHERE digest = ?", (digest,)
    ).fetchone()
    return row


def put_file(connection: Connection, filed: Filed) -> None:
    """Add a file, or change what is known of it.

    Raises
    ------
    InputError
        If its picture is not there.
    """
    picture, taken = None, None
    if filed.problem is None:
        if (found := picture_of(connection, filed.digest)) is None:
            raise InputError(f"{filed.path}: no picture has its digest; write the picture together with its file.")
        picture, taken = found
    state = filed.state
    date = taken or _local_time(state.mtime_ns)
    connection.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (directory, name) DO UPDATE SET "
        "size = excluded.size, mtime_ns = excluded.mtime_ns, date = excluded.date, picture = excluded.picture, "
        "problem = excluded.problem",
        (*key_of(filed.path), state.size, state.mtime_ns, date, picture, filed.problem),
    )


def key_of(path: str) -> tuple[bytes, bytes]:
    """Split a path into the primary key of `files`."""
    directory, name = os.path.split(path)
    return os.fsencode(directory), os.fsencode(name)


def path_of(directory: bytes, name: bytes) -> str:
    """Join what `key_of` has split."""
    return os.path.join(os.fsdecode(directory), os.fsdecode(name))


def files_of(connection: Connection, picture: int, where: Where = EVERYWHERE) -> list[Any]:
    """Return the files of a picture, in order: path and date, then what `Exif` consists of."""
    condition, values = conditions(where)
    sql = (
        "SELECT directory, name, date, width, height, taken, latitude, longitude FROM files "
        f"JOIN pictures ON id = picture WHERE picture = ? AND {condition} ORDER BY directory, name"
    )
    rows = connection.execute(sql, (picture, *values))
    return [(path_of(directory, name), *known) for directory, name, *known in rows]


def matches(
    connection: Connection, modality: Modality, found: Iterable[Found], where: Where = EVERYWHERE
) -> Iterator[Match]:
    """Look up what was found; pictures without a file that `where` selects are left out."""
    for number, cosine, embedding in found:
        if modality == "texts":
            (text,) = connection.execute("SELECT text FROM texts WHERE id = ?", (number,)).fetchone()
            yield Match(number, cosine, embedding, text=text)
        elif files := files_of(connection, number, where):
            (path, date, *exif), *copies = files
            yield Match(number, cosine, embedding, path, tuple(copy for copy, *_ in copies), date, Exif(*exif))


def pending(connection: Connection, modality: Modality, column: str, n: int) -> list[Any]:
    """Return some pictures or texts without an embedding of the next generation."""
    sql = (
        f"SELECT id, {column} FROM {modality} WHERE NOT EXISTS "
        "(SELECT 1 FROM vectors WHERE generation = ? AND side = ? AND item = id) ORDER BY id LIMIT ?"
    )
    return list(connection.execute(sql, (generation(connection) + 1, modality, n)))


def _local_time(mtime_ns: int) -> str:
    """Format a modification time as EXIF data does the time when a picture was taken."""
    try:
        return datetime.datetime.fromtimestamp(mtime_ns // 10**9).isoformat()  # local time, as EXIF's
    except (OverflowError, OSError, ValueError):  # a file system with nonsense in it
        return ""
