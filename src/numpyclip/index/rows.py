"""Rows of an index's tables, as records and back."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpyclip.images.exif import Exif
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.conditions import below, conditions
from numpyclip.index.database.sql import MOST_VALUES, checked, one_of
from numpyclip.index.picture_rows import files_of
from numpyclip.index.records import Counts, Key, Match, Modality, seconds_of
from numpyclip.index.vectors import Found, Space
from numpyclip.index.where import EVERYWHERE, Where
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched

COUNTED = 10_000  # files, from which on it is told about how many are searched


def counts(connection: Connection, where: Where) -> Counts:
    """Count files and images that `where` selects, and all texts and unreadable files."""
    condition, values = conditions(connection, where)
    sql = (
        "SELECT count(picture), count(DISTINCT picture), (SELECT count(*) FROM texts), "
        f"(SELECT count(*) FROM files WHERE picture IS NULL) FROM files WHERE {condition}"
    )
    return Counts(*connection.execute(sql, values).fetchone())


def count_searched(connection: Connection, where: Where) -> int:
    """Count the images that a search with `where` compares; if there are many, about."""
    condition, values = conditions(connection, where)
    some = f"SELECT picture FROM files WHERE {condition} LIMIT ?"
    sql = f"SELECT count(*), count(DISTINCT picture) FROM ({some}) AS counted"
    files, pictures = connection.execute(sql, (*values, COUNTED)).fetchone()
    return max(connection.estimate(where), pictures) if files == COUNTED else int(pictures)


def count_compared(connection: Connection, space: Space, where: Where, pictures: int) -> int:
    """Count the embeddings of so many images, which a search with `where` compares; if there are many, about."""
    condition, values = conditions(connection, where)
    sql = (
        "SELECT count(*), count(DISTINCT item) FROM vectors WHERE generation = ? AND side = ? "
        f"AND item IN (SELECT picture FROM files WHERE {condition} LIMIT ?)"
    )
    embeddings, counted = connection.execute(sql, (*space, *values, COUNTED)).fetchone()
    return int(pictures * embeddings / max(counted, 1))


def folders_in(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return folders that are indexed, with the patterns of what is ignored in each, forgotten folders among it."""
    rows = connection.execute("SELECT path, ignored FROM folders ORDER BY path")
    ignored = {os.fsdecode(path): patterns_in(text) for path, text in (checked(row, bytes, str) for row in rows)}
    forgotten = [path for path, patterns in ignored.items() if patterns is None]
    return {
        folder: (*patterns, *_patterns_of(forgotten, os.path.join(folder, "")))
        for folder, patterns in ignored.items()
        if patterns is not None
    }


def patterns_in(text: str) -> list[str] | None:
    """Read the patterns of a folder; None marks one that was forgotten."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = 0
    if found is None or (isinstance(found, list) and all(isinstance(pattern, str) for pattern in found)):
        return found
    raise Damage(f"holds {text!r:.60} for the patterns of a folder")


def _patterns_of(paths: Sequence[str], start: str) -> list[str]:
    below = (path.removeprefix(start) for path in paths if path.startswith(start))
    return ["/" + glob.escape(path).replace(os.sep, "/") for path in below]


def put_folder(connection: Connection, folder: str, ignore: Sequence[str] | None) -> None:
    """Add a folder, or change what is ignored in it; with None it is forgotten, and ignored by folders above it."""
    path = os.fsencode(folder)
    connection.execute("DELETE FROM folders WHERE path = ?", (path,))
    connection.insert("folders", ("path", "ignored"), [(path, json.dumps(ignore))], "DO NOTHING")


def forget_folder(connection: Connection, folder: str) -> int:
    """Remove a folder and all files below it, return how many; folders above it ignore it until it is added."""
    condition, values = below(folder, "path")
    connection.execute(f"DELETE FROM folders WHERE {condition}", values)
    condition, values = below(folder)
    forgotten: int = connection.execute(f"DELETE FROM files WHERE {condition}", values).rowcount
    above = any(folder.startswith(os.path.join(other, "")) for other in folders_in(connection))
    if above and (forgotten or os.path.isdir(folder)):
        put_folder(connection, folder, None)
    return forgotten


def put_texts(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """Add texts, unless they are there, and return their numbers."""
    written = {bytes_of(text): text for text in texts}
    by_digest = {hashlib.sha256(data).digest(): data for data in written}
    connection.insert("texts", ("digest", "text"), list(by_digest.items()), "DO NOTHING")
    numbers: dict[str, int] = {}
    for some in batched(by_digest, MOST_VALUES):
        rows = connection.execute(f"SELECT digest, id FROM texts WHERE digest {one_of(len(some))}", some)
        numbers.update(
            (written[by_digest[digest]], number) for digest, number in (checked(row, bytes, int) for row in rows)
        )
    return numbers


def unknown_texts(connection: Connection, texts: Iterable[str]) -> list[str]:
    """Return those of some texts that are not there, each once."""
    unknown = {hashlib.sha256(bytes_of(text)).digest(): text for text in texts}
    for some in batched(list(unknown), MOST_VALUES):
        for (digest,) in connection.execute(f"SELECT digest FROM texts WHERE digest {one_of(len(some))}", some):
            del unknown[digest]
    return list(unknown.values())


def has_embeddings(connection: Connection, space: Space) -> bool:
    """Tell whether there are any."""
    sql = "SELECT 1 FROM vectors WHERE generation = ? AND side = ? LIMIT 1"
    return connection.execute(sql, space).fetchone() is not None


def keys_after(connection: Connection, space: Space, last: Key, n: int) -> list[Key]:
    """List the next embeddings, in the order of the numbers of images or texts."""
    sql = (
        "SELECT item, part FROM vectors WHERE generation = ? AND side = ? AND (item, part) > (?, ?) "
        "ORDER BY item, part LIMIT ?"
    )
    return [
        (item, part) for item, part in (checked(row, int, str) for row in connection.execute(sql, (*space, *last, n)))
    ]


def keys_of(connection: Connection, space: Space, numbers: Iterable[int]) -> list[Key]:
    """List the embeddings of some images or texts."""
    found: list[Key] = []
    for some in batched(numbers, MOST_VALUES):
        items = one_of(len(some))
        sql = f"SELECT item, part FROM vectors WHERE generation = ? AND side = ? AND item {items} ORDER BY item, part"
        found += [
            (item, part) for item, part in (checked(row, int, str) for row in connection.execute(sql, (*space, *some)))
        ]
    return found


def bytes_of(text: str) -> bytes:
    """Return the bytes of a text, which need not be Unicode: lone surrogates are kept."""
    return text.encode("utf-8", "surrogatepass")


def text_of(data: bytes | str) -> str:
    """Return the text of some bytes; version 1 of an index has texts as such."""
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Damage(f"holds {data!r:.60}, which is no text") from error


def matches(
    connection: Connection, modality: Modality, found: Iterable[Found], where: Where = EVERYWHERE
) -> Iterator[Match]:
    """Look up what was found; images without a file that `where` selects are left out."""
    found = list(found)
    numbers = [number for number, *_ in found]
    if modality == "texts":
        texts = _texts_of(connection, numbers)
        for number, cosine, embedding, *_ in found:
            yield Match(number, cosine, embedding, text=texts[number])
        return
    files = files_of(connection, list(dict.fromkeys(numbers)), where)
    for number, cosine, embedding, part, others in found:
        if files[number]:
            (path, _, date, *exif), *copies = files[number]
            states = tuple(state for _, state, *_ in files[number])
            match = Match(number, cosine, embedding, path, tuple(copy for copy, *_ in copies), date, Exif(*exif))
            moments = () if seconds_of(part) is None else tuple(others)
            yield replace(match, states=states, part=part, moments=moments)


def by_themselves(embeddings: Mapping[Key, Array]) -> Iterator[Found]:
    """Return images or texts as found by their own embeddings, in the order of their numbers."""
    return (Found(item, 1.0, embedding, part) for (item, part), embedding in sorted(embeddings.items()))


def _texts_of(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for some in batched(numbers, MOST_VALUES):
        rows = connection.execute(f"SELECT id, text FROM texts WHERE id {one_of(len(some))}", some)
        texts.update((number, text_of(data)) for number, data in (checked(row, int, (bytes, str)) for row in rows))
    if lost := [number for number in numbers if number not in texts]:
        raise Damage(f"lacks text {lost[0]}")
    return texts


def pending(connection: Connection, space: Space, column: str, n: int) -> list[Any]:
    """Return the numbers of some images or texts without an embedding, and the bytes in a column."""
    sql = (
        f"SELECT id, {column} FROM {space.modality} WHERE NOT EXISTS "
        "(SELECT 1 FROM vectors WHERE generation = ? AND side = ? AND item = id) ORDER BY id LIMIT ?"
    )
    return [checked(row, int, bytes) for row in connection.execute(sql, (*space, n))]
