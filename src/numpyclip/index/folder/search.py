"""Which pictures and texts of an index in a folder are nearest to a query."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from numpyclip.index.conditions import conditions
from numpyclip.index.folder.graph import Graph
from numpyclip.index.folder.scan import nearest
from numpyclip.index.folder.shards import Rows, Shards
from numpyclip.index.records import EVERYWHERE, Details, Match, Side, Where
from numpyclip.model.ops import Array

_FEW = 1000  # pictures that are listed before a search, however few there are


def allowed_rows(database: sqlite3.Connection, generation: int, count: int, where: Where) -> Rows | None:
    """Return the rows of the pictures that are searched, in order; None if all are, or too many to be listed."""
    if where == EVERYWHERE:
        return None
    condition, values = conditions(where)
    sql = (
        "SELECT row FROM files CROSS JOIN vectors ON item = picture AND generation = ? AND side = 'pictures' "
        f"WHERE {condition} LIMIT ?"
    )
    most = max(_FEW, count // 20)
    rows = np.fromiter((row for (row,) in database.execute(sql, (generation, *values, most + 1))), np.intp)
    return None if len(rows) > most else np.unique(rows)  # copies have one row


@dataclass(frozen=True)
class Search:
    """What is searched, in one state of the index."""

    database: sqlite3.Connection
    shards: Shards
    generation: int
    side: Side
    count: int
    where: Where
    allowed: Rows | None
    graph: Graph | None

    def matches(self, queries: Array, n: int) -> list[list[Match]]:
        """Find for each query what is nearest, is still there, and fits: others are passed over."""
        found: dict[int, list[Match]] = {}
        wanted, open_queries = n, list(range(len(queries)))
        while open_queries:
            nearest_rows = self._nearest(queries[open_queries], wanted)
            for number, (rows, scores) in zip(open_queries, nearest_rows, strict=True):
                found[number] = list(islice(self._present(rows, scores), n))
            short = [
                number
                for number, (rows, _) in zip(open_queries, nearest_rows, strict=True)
                if len(found[number]) < n and len(rows) == wanted
            ]
            wanted, open_queries = 4 * wanted, short
        return [found[number] for number in range(len(queries))]

    def _nearest(self, queries: Array, n: int) -> list[tuple[Rows, Array]]:
        if self.graph is not None and self.where == EVERYWHERE:  # with conditions its candidates might all not fit
            return self.graph.nearest(self.shards, self.count, queries, n)
        return nearest(self.shards, self.count, queries, n, self.allowed)

    def _present(self, rows: Rows, scores: Array) -> Iterator[Match]:
        embeddings = self.shards.take(rows, self.count)
        for row, score, embedding in zip(rows.tolist(), scores.tolist(), embeddings, strict=True):
            sql = "SELECT item FROM vectors WHERE generation = ? AND side = ? AND row = ?"
            item = self.database.execute(sql, (self.generation, self.side, row)).fetchone()
            if item is not None:
                match = match_of(self.database, self.side, item[0], score, embedding, self.where)
                if match is not None:
                    yield match


def match_of(
    database: sqlite3.Connection, side: Side, item: int, cosine: float, embedding: Array, where: Where
) -> Match | None:
    """Tell what is known of a picture or a text; None of a picture of which no file fits."""
    if side == "texts":
        (text,) = database.execute("SELECT text FROM texts WHERE id = ?", (item,)).fetchone()
        return Match(item, cosine, embedding, text=text)
    files = files_of(database, item, where)
    if not files:
        return None
    sql = "SELECT width, height, taken, latitude, longitude FROM pictures WHERE id = ?"
    details = Details(*database.execute(sql, (item,)).fetchone())
    (path, date), *copies = files
    return Match(item, cosine, embedding, path, tuple(copy for copy, _ in copies), date, details)


def files_of(database: sqlite3.Connection, picture: int, where: Where = EVERYWHERE) -> list[tuple[str, str]]:
    """Return paths and dates of the files of a picture, in order."""
    condition, values = conditions(where)
    sql = f"SELECT directory, name, date FROM files WHERE picture = ? AND {condition} ORDER BY directory, name"
    rows = database.execute(sql, (picture, *values))
    return [(os.path.join(os.fsdecode(place), os.fsdecode(name)), date) for place, name, date in rows]  # noqa: PTH118
