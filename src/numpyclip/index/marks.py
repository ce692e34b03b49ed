"""Marks of images: favorites, ratings, tags and albums; the part of `Store` for them.

Marks are kept by the SHA-256 of an image's content, so that they stay when its file is moved, or removed and brought
back. Originals are never changed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence

from numpyclip.errors import InputError
from numpyclip.image_marks import KINDS, Kind, Mark
from numpyclip.index.database import Connection, Database
from numpyclip.index.database.sql import MOST_VALUES, checked, one_of
from numpyclip.index.where import MOST_STARS, checked_name, checked_rating
from numpyclip.runtime.chunks import batched

_STARS = tuple(map(str, range(1, MOST_STARS + 1)))
_SHA256 = 32  # bytes


class Marking:
    """See `Store`. Changes need no `writing`: each is a transaction of its own, also while an update is under way."""

    _database: Database

    def marks(self) -> dict[Kind, dict[str, int]]:
        """Count images of the index by their marks: by kind and name, in the order of names."""
        sql = (
            "SELECT kind, name, count(*) FROM marks JOIN pictures ON pictures.digest = marks.digest "
            "WHERE EXISTS (SELECT 1 FROM files WHERE picture = id) GROUP BY kind, name ORDER BY kind, name"
        )
        counts: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        with self._database.reading() as connection:
            for kind, name, count in (checked(row, str, str, int) for row in connection.execute(sql)):
                counts.setdefault(kind, {})[name] = count
        return counts

    def marked_without_file(self) -> int:
        """Count the images that have marks and no file in the index now."""
        sql = (
            "SELECT count(DISTINCT digest) FROM marks WHERE NOT EXISTS (SELECT 1 FROM pictures "
            "JOIN files ON files.picture = pictures.id WHERE pictures.digest = marks.digest)"
        )
        with self._database.reading() as connection:
            count: int = checked(connection.execute(sql).fetchone(), int)[0]
        return count

    def marks_of(self, digests: Sequence[bytes]) -> dict[bytes, list[Mark]]:
        """Look up the marks of images, by the SHA-256 of their files; an empty list where there are none."""
        found: dict[bytes, list[Mark]] = {digest: [] for digest in digests}
        with self._database.reading() as connection:
            for some in batched(found, MOST_VALUES):
                sql = f"SELECT digest, kind, name FROM marks WHERE digest {one_of(len(some))} ORDER BY kind, name"
                for digest, kind, name in (checked(row, bytes, str, str) for row in connection.execute(sql, some)):
                    found[digest].append(Mark(kind, name))
        return found

    def all_marks(self) -> Iterator[tuple[bytes, Mark]]:
        """Iterate over all marks, also of images that are not in the index now."""
        with self._database.reading() as connection:
            sql = "SELECT digest, kind, name FROM marks ORDER BY digest, kind, name"
            found = [checked(row, bytes, str, str) for row in connection.execute(sql)]
        return ((digest, Mark(kind, name)) for digest, kind, name in found)

    def mark(self, digests: Sequence[bytes], kind: Kind, name: str = "") -> None:
        """Mark images, by the SHA-256 of their files, whether the index has these or not.

        A rating takes the place of the one before.

        Raises
        ------
        InputError
            If there is no such kind, or the name is none of its names.
        """
        self.mark_all((digest, Mark(kind, name)) for digest in digests)

    def mark_all(self, said: Iterable[tuple[bytes, Mark]]) -> None:
        """Mark images, as `mark` does, in one transaction; of several ratings of an image the last counts.

        A transaction alone takes longer than a thousand marks.
        """
        checked_once = functools.cache(checked_mark)
        marks = [(_checked_digest(digest), checked_once(*mark)) for digest, mark in said]
        if not marks:
            return
        ratings = {digest: mark for digest, mark in marks if mark.kind == "rating"}
        others = {(digest, mark) for digest, mark in marks if mark.kind != "rating"}
        rows = [(digest, *mark) for digest, mark in sorted({*others, *ratings.items()})]
        with self._database.marking() as connection:
            self._remove(connection, list(ratings), "kind = ?", ("rating",))
            connection.insert("marks", ("digest", "kind", "name"), rows, "DO NOTHING")

    def unmark(self, digests: Sequence[bytes], kind: Kind, name: str | None = None) -> None:
        """Remove marks of images; without a name, all of that kind. InputError as of `mark`."""
        mark = (_checked_kind(kind),) if name is None or kind == "favourite" else checked_mark(kind, name)
        with self._database.marking() as connection:
            self._remove(connection, digests, " AND ".join(("kind = ?", "name = ?")[: len(mark)]), mark)

    def _remove(self, connection: Connection, digests: Sequence[bytes], condition: str, values: Sequence[str]) -> None:
        for some in batched(sorted(map(_checked_digest, digests)), MOST_VALUES):
            sql = f"DELETE FROM marks WHERE digest {one_of(len(some))} AND {condition}"
            connection.execute(sql, (*some, *values))


def checked_mark(kind: str, name: str = "") -> Mark:
    """Return a mark with its name as it is kept; InputError if there is no such one."""
    known = _checked_kind(kind)
    if known == "favourite":
        if name:
            raise InputError(f"a favourite has no name; found {name!r:.60}.")
        return Mark(known)
    if known == "rating":
        return Mark(known, str(checked_rating(known, int(name) if name in _STARS else name)))
    return Mark(known, checked_name(known, name))


def _checked_kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise InputError(f"{kind!r:.60}: is no kind of mark; expected one of {', '.join(KINDS)}.")
    return kind


def _checked_digest(digest: object) -> bytes:
    if not (isinstance(digest, bytes) and len(digest) == _SHA256):
        raise InputError(f"{digest!r:.80}: is no SHA-256; expected {_SHA256} bytes.")
    return digest
