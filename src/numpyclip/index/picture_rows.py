"""Rows of the tables of images and of their files, as records and back."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from types import NoneType
from typing import Any

from numpyclip.errors import InputError
from numpyclip.file_systems import is_url
from numpyclip.images.dates import date_in_name
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.index.database import Connection
from numpyclip.index.database.conditions import below, conditions
from numpyclip.index.database.sql import MOST_KEYS, MOST_VALUES, checked, meta, one_of, set_meta
from numpyclip.index.records import Filed, NewPicture
from numpyclip.index.where import EVERYWHERE, FIRST_MOMENT, Where
from numpyclip.runtime.chunks import batched

_TEXT, _FLOAT = (str, NoneType), (float, NoneType)  # or nothing
# As in `Exif`, whose `offset` is a word of SQL.
EXIF_COLUMNS = ("width", "height", "taken", "latitude", "longitude", "camera", "lens", "utc_offset", "duration")
EXIF_TYPES = (int, int, _TEXT, _FLOAT, _FLOAT, _TEXT, _TEXT, _TEXT, _FLOAT)
_FILES = ("directory", "name", "size", "mtime_ns", "date", "picture", "problem", "cause")
_PICTURE = _FILES.index("picture") - 2  # in a row behind its key
_COPY_MARKS = (
    "INSERT INTO marks (digest, kind, name) SELECT after.digest, kind, marks.name "
    "FROM marks JOIN pictures AS before ON before.digest = marks.digest, pictures AS after "
    "WHERE before.id = ? AND after.id = ? AND NOT EXISTS (SELECT 1 FROM files WHERE picture = before.id) "
    "AND (before.taken = after.taken OR before.taken IS NULL OR after.taken IS NULL) "
    "ON CONFLICT DO NOTHING"
)
_LAST_MOMENT = "9999-12-31T23:59:59"


def put_pictures(connection: Connection, pictures: Mapping[bytes, NewPicture]) -> None:
    """Add images by their digests; those that are there stay as they are."""
    rows = [(digest, *astuple(picture.exif)) for digest, picture in pictures.items()]
    connection.insert("pictures", ("digest", *EXIF_COLUMNS), rows, "DO NOTHING")


def unread_exif(connection: Connection, n: int, below: int) -> list[int]:
    """List some images below a number that an earlier version has added, which read less; the last ones first."""
    sql = (
        "SELECT id FROM pictures WHERE id <= ? AND id < ? AND camera IS NULL AND lens IS NULL AND utc_offset IS NULL "
        "ORDER BY id DESC LIMIT ?"
    )
    written = meta(connection, "unread_exif") or "0"
    last = int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0
    return [checked(row, int)[0] for row in connection.execute(sql, (last, below, n))] if last else []


def replace_exif(connection: Connection, found: Mapping[int, Exif], last: int) -> None:
    """Replace what is known of images, and the dates of their files; those from the number `last` on are done."""
    set_meta(connection, unread_exif=str(last - 1))
    columns = ", ".join(f"{column} = ?" for column in EXIF_COLUMNS)
    for number, exif in sorted(found.items()):
        connection.execute(f"UPDATE pictures SET {columns} WHERE id = ?", (*astuple(exif), number))
        sql = "SELECT directory, name, size, mtime_ns FROM files WHERE picture = ?"
        rows = [checked(row, bytes, bytes, int, int) for row in connection.execute(sql, (number,))]
        dates = [(_date(os.fsdecode(name), exif.taken, FileState(*state)), where, name) for where, name, *state in rows]
        connection.executemany("UPDATE files SET date = ? WHERE directory = ? AND name = ?", dates)


def pictures_of(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, tuple[int, str | None]]:
    """Look up the numbers of images, and when they were taken; those that are not there are left out."""
    found: dict[bytes, tuple[int, str | None]] = {}
    for some in batched(digests, MOST_VALUES):
        rows = connection.execute(f"SELECT digest, id, taken FROM pictures WHERE digest {one_of(len(some))}", some)
        found.update(
            (digest, (number, taken)) for digest, number, taken in (checked(row, bytes, int, _TEXT) for row in rows)
        )
    return found


def digests_of(connection: Connection, numbers: Iterable[int]) -> dict[int, bytes]:
    """Look up the digests of images of which there is a file, by their numbers."""
    found: dict[int, bytes] = {}
    for some in batched(numbers, MOST_VALUES):
        has_file = "EXISTS (SELECT 1 FROM files WHERE picture = id)"
        rows = connection.execute(f"SELECT id, digest FROM pictures WHERE id {one_of(len(some))} AND {has_file}", some)
        found.update(checked(row, int, bytes) for row in rows)
    return found


def number_at(connection: Connection, path: str) -> int | None:
    """Look up which image a file is, by its path; None for a file that is not there, or is no image."""
    row = connection.execute("SELECT picture FROM files WHERE directory = ? AND name = ?", key_of(path)).fetchone()
    return None if row is None else checked(row, (int, NoneType))[0]


def drop_pictures(connection: Connection, numbers: Iterable[int]) -> None:
    """Remove images, with their files and embeddings."""
    for number in numbers:
        connection.execute("DELETE FROM files WHERE picture = ?", (number,))
        connection.execute("DELETE FROM vectors WHERE side = 'pictures' AND item = ?", (number,))
        connection.execute("DELETE FROM pictures WHERE id = ?", (number,))


def drop_without_file(connection: Connection) -> int:
    """Remove images of which there is no file, with their embeddings; return how many."""
    orphans = "NOT EXISTS (SELECT 1 FROM files WHERE picture = {})"
    connection.execute(f"DELETE FROM vectors WHERE side = 'pictures' AND {orphans.format('item')}")
    dropped: int = connection.execute(f"DELETE FROM pictures WHERE {orphans.format('id')}").rowcount
    return dropped


def put_files(connection: Connection, filed: Sequence[Filed], found: Mapping[bytes, tuple[int, str | None]]) -> None:
    """Add files, or change what is known of them; `found` are images that were looked up before.

    Where a file has another content now, which is new, and no other file has that of before, its marks are copied,
    unless both say when they were taken, and not the same.

    Raises
    ------
    InputError
        If an image is not there.
    """
    digests = {file.digest for file in filed if file.problem is None and file.digest is not None}
    pictures = {**found, **pictures_of(connection, digests - found.keys())}
    rows = dict(_row_of(file, pictures) for file in filed)
    update = ", ".join(f"{column} = excluded.{column}" for column in _FILES[2:])
    written = [(*key_of_file, *row) for key_of_file, row in rows.items()]
    keep = "excluded.size >= 0 OR files.size < 0"  # what is no file here takes no file's place
    conflict = f"({connection.key_of_files}) DO UPDATE SET {update} WHERE {keep}"
    edited = _edited(connection, {key: row[_PICTURE] for key, row in rows.items()})
    connection.insert("files", _FILES, written, conflict)
    connection.executemany(_COPY_MARKS, edited)


def _edited(connection: Connection, pictures: Mapping[tuple[bytes, bytes], Any]) -> list[tuple[int, int]]:
    """List which images of files other ones, of which there is no file yet, will take the place of."""
    edited: set[tuple[int, int]] = set()
    for keys in batched(pictures, MOST_KEYS):
        directories, names = ({*each} for each in zip(*keys, strict=True))
        sql = (
            f"SELECT directory, name, picture FROM files WHERE directory {one_of(len(directories))} "
            f"AND name {one_of(len(names))} AND picture IS NOT NULL"
        )
        for row in connection.execute(sql, (*directories, *names)):
            *key, before = checked(row, bytes, bytes, int)
            after = pictures.get((key[0], key[1]))
            if after not in (None, before):
                edited.add((before, after))
    there: set[int] = set()
    for some in batched({after for _, after in edited}, MOST_VALUES):
        found = connection.execute(f"SELECT DISTINCT picture FROM files WHERE picture {one_of(len(some))}", some)
        there.update(checked(row, int)[0] for row in found)
    return sorted((before, after) for before, after in edited if after not in there)


def _row_of(
    filed: Filed, pictures: Mapping[bytes, tuple[int, str | None]]
) -> tuple[tuple[bytes, bytes], tuple[object, ...]]:
    """Return the key of a file, and what is known of it."""
    picture, taken, problem = None, None, None
    if filed.problem is not None:
        problem = _printable(filed.problem)
    elif filed.digest is None or (found := pictures.get(filed.digest)) is None:
        raise InputError(f"{filed.path}: no image has its digest; write the image together with its file.")
    else:
        picture, taken = found
    state = storable(filed.state)
    date = _date(filed.path, taken, filed.state)
    return key_of(filed.path), (state.size, state.mtime_ns, date, picture, problem, filed.tried_with)


def _date(path: str, taken: str | None, state: FileState) -> str:
    """Return the date of a file: when its image was taken, else that of its name, else when it was modified."""
    return taken or date_in_name(path) or (FIRST_MOMENT if state == NO_FILE else _local_time(state.mtime_ns))


def date_by_names(connection: Connection) -> None:
    """Give files of images that say no date that of their names, once: earlier versions did not read it."""
    if meta(connection, "dates") is not None:
        return
    set_meta(connection, dates="of names")
    sql = "SELECT id FROM pictures WHERE taken IS NULL AND id > ? ORDER BY id LIMIT ?"
    last = -1
    while some := [checked(row, int)[0] for row in connection.execute(sql, (last, MOST_VALUES))]:
        rows = connection.execute(f"SELECT directory, name FROM files WHERE picture {one_of(len(some))}", some)
        keys = [checked(row, bytes, bytes) for row in rows]
        dates = [(date, *key) for key in keys if (date := date_in_name(os.fsdecode(key[1])))]
        connection.executemany("UPDATE files SET date = ? WHERE directory = ? AND name = ?", dates)
        last = some[-1]


def storable(state: FileState) -> FileState:
    """Return a state as it comes back from a store: of a modification time after the year 2262, the last 64 bits."""
    return FileState(state.size, (state.mtime_ns + (1 << 63)) % (1 << 64) - (1 << 63), state.digest)


def _printable(problem: str) -> str:
    """Return a message as every database takes it: of a path, lone surrogates and NUL as escape sequences."""
    return problem.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _local_time(mtime_ns: int) -> str:
    """Format a modification time as EXIF data does the time when an image was taken, in the years that this has."""
    try:
        return datetime.datetime.fromtimestamp(mtime_ns // 10**9).isoformat()  # local time, as EXIF's
    except (OverflowError, OSError, ValueError):  # a file system with nonsense in it
        return FIRST_MOMENT if mtime_ns < 0 else _LAST_MOMENT


def directories_in(connection: Connection, folder: str | None) -> list[str]:
    """List the folder and those below it, or all folders, in which there are files of this machine."""
    condition, values = ("1 = 1", []) if folder is None else below(folder)
    found = connection.execute(f"SELECT DISTINCT directory FROM files WHERE {condition} AND size >= 0", values)
    return [os.fsdecode(*checked(row, bytes)) for row in found]


def problems(connection: Connection) -> list[tuple[str, str]]:
    """List files that cannot be read, each with the reason."""
    sql = "SELECT directory, name, problem FROM files WHERE picture IS NULL ORDER BY directory, name"
    found = (checked(row, bytes, bytes, str) for row in connection.execute(sql))
    return [(path_of(directory, name), problem) for directory, name, problem in found]


def files_in(connection: Connection, directory: str) -> dict[str, FileState]:
    """Return the files directly in a folder, by name."""
    sql = "SELECT name, size, mtime_ns, digest FROM files LEFT JOIN pictures ON id = picture WHERE directory = ?"
    found = connection.execute(sql, (os.fsencode(directory),))
    rows = (checked(row, bytes, int, int, (bytes, NoneType)) for row in found)
    return {os.fsdecode(name): FileState(size, mtime_ns, digest) for name, size, mtime_ns, digest in rows}


def unreadable_in(connection: Connection, directory: str) -> dict[str, str | None]:
    """Return the files directly in a folder that could not be read, by name, and what each was tried with."""
    sql = "SELECT name, cause FROM files WHERE directory = ? AND picture IS NULL"
    rows = (checked(row, bytes, _TEXT) for row in connection.execute(sql, (os.fsencode(directory),)))
    return {os.fsdecode(name): tried_with for name, tried_with in rows}


def files_of(connection: Connection, pictures: Sequence[int], where: Where = EVERYWHERE) -> dict[int, list[Any]]:
    """Return the files of images, in order: path, state and date, then what `Exif` consists of."""
    condition, values = conditions(connection, where, by_row=True)
    found: dict[int, list[Any]] = {picture: [] for picture in pictures}
    for some in batched(pictures, MOST_VALUES):
        sql = (
            f"SELECT picture, directory, name, size, mtime_ns, digest, date, {', '.join(EXIF_COLUMNS)} "
            f"FROM files JOIN pictures ON id = picture WHERE picture {one_of(len(some))} AND {condition} "
            "ORDER BY directory, name"
        )
        for row in connection.execute(sql, (*some, *values)):
            picture, directory, name, *state = checked(row[:6], int, bytes, bytes, int, int, bytes)
            found[picture].append((path_of(directory, name), FileState(*state), *checked(row[6:], str, *EXIF_TYPES)))
    return found


def paths_of(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, set[str]]:
    """Look up where images are; those that are not there are left out."""
    known = {number: digest for digest, (number, _) in pictures_of(connection, digests).items()}
    found: dict[bytes, set[str]] = {digest: set() for digest in known.values()}
    for some in batched(known, MOST_VALUES):
        sql = f"SELECT picture, directory, name FROM files WHERE picture {one_of(len(some))}"
        for picture, directory, name in (checked(row, int, bytes, bytes) for row in connection.execute(sql, some)):
            found[known[picture]].add(path_of(directory, name))
    return found


def no_file(connection: Connection) -> str | None:
    """Return the path of an image that is no file here, if there is one."""
    row = connection.execute(
        "SELECT directory, name FROM files WHERE size < 0 AND picture IS NOT NULL LIMIT 1"
    ).fetchone()
    return None if row is None else path_of(*checked(row, bytes, bytes))


def key_of(path: str) -> tuple[bytes, bytes]:
    """Split a path or URL into the primary key of `files`."""
    directory, name = os.path.split(path)
    if is_url(path):  # exactly: of `a//b` the path of a file would lose a slash
        directory, _, name = path.rpartition("/")
    return os.fsencode(directory), os.fsencode(name)


def path_of(directory: bytes, name: bytes) -> str:
    """Join what `key_of` has split."""
    place = os.fsdecode(directory)
    return f"{place}/{os.fsdecode(name)}" if is_url(f"{place}/") else os.path.join(place, os.fsdecode(name))
