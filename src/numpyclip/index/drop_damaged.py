"""Removing damaged rows from an index, so that the next update computes them again."""

from __future__ import annotations

from numpyclip.index.database import Connection
from numpyclip.index.database.sql import generation
from numpyclip.index.records import MODALITIES
from numpyclip.index.vectors import Space, Vectors


def drop_damaged(connection: Connection, vectors: Vectors) -> list[str]:
    """Remove, in a transaction, embeddings that are not sound, and images without one; say how many there were."""
    current = generation(connection)
    if not current:
        return []
    problems = []
    if texts := connection.execute("DELETE FROM texts WHERE digest <> sha256(text)").rowcount:
        problems.append(f"damaged texts: {texts}; add them again")
    connection.execute("DELETE FROM files WHERE picture NOT IN (SELECT id FROM pictures)")
    for modality in MODALITIES:
        damaged = vectors.damaged(connection, Space(current, modality))
        following = vectors.damaged(connection, Space(current + 1, modality))
        for number, items in ((current, damaged), (current + 1, following)):
            sql = "DELETE FROM vectors WHERE generation = ? AND side = ? AND item = ?"
            connection.executemany(sql, ((number, modality, item) for item in items))
        unknown = f"item NOT IN (SELECT id FROM {modality})"
        orphans: int = connection.execute(f"DELETE FROM vectors WHERE side = ? AND {unknown}", (modality,)).rowcount
        if count := len(damaged) + len(following) + orphans:
            problems.append(f"damaged embeddings of {modality}: {count}")
    without = (
        "IN (SELECT id FROM pictures WHERE id NOT IN (SELECT item FROM vectors WHERE generation = ? AND side = ?))"
    )
    space = Space(current, "pictures")
    connection.execute(f"DELETE FROM files WHERE picture {without}", space)
    connection.execute(f"DELETE FROM vectors WHERE side = 'pictures' AND item {without}", space)
    if lost := connection.execute(f"DELETE FROM pictures WHERE id {without}", space).rowcount:
        again = "`numpyclip index` embeds them again, or --import adds them"
        problems.append(f"images without a sound embedding: {lost}; {again}")
    sql = (
        "SELECT count(*) FROM texts WHERE id NOT IN (SELECT item FROM vectors WHERE generation = ? AND side = 'texts')"
    )
    (bare,) = connection.execute(sql, (current,)).fetchone()
    if bare:
        problems.append(f"texts without a sound embedding: {bare}; `numpyclip index` embeds them again")
    return problems
