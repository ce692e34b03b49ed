"""Generations of embeddings: the one that is searched, and the next one, which a migration collects beside it."""

from __future__ import annotations

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.index.database import Connection
from numpyclip.index.database.sql import generation, meta, set_meta
from numpyclip.index.records import Modality
from numpyclip.index.vectors import Space


def searched(connection: Connection, modality: Modality) -> Space:
    """Return which embeddings are searched."""
    return Space(generation(connection), modality)


def following(connection: Connection, modality: Modality) -> Space:
    """Return which embeddings a migration collects."""
    return Space(generation(connection) + 1, modality)


def is_migrating(connection: Connection) -> bool:
    """Tell whether a migration is under way."""
    return meta(connection, "next_fingerprint") is not None


def start_migration(connection: Connection, fingerprint: Fingerprint, embed_dim: int) -> None:
    """Start or resume a migration; what one to another model has collected is deleted."""
    if meta(connection, "next_fingerprint") != fingerprint.to_json():
        connection.execute("DELETE FROM vectors WHERE generation = ?", (generation(connection) + 1,))
        set_meta(connection, next_fingerprint=fingerprint.to_json(), next_embed_dim=str(embed_dim))


def finish_migration(connection: Connection) -> bool:
    """Replace the embeddings that are searched by those of the next model; False if no migration is under way."""
    old = generation(connection)
    fingerprint, embed_dim = meta(connection, "next_fingerprint"), meta(connection, "next_embed_dim")
    if fingerprint is None or embed_dim is None:
        return False
    set_meta(connection, fingerprint=fingerprint, embed_dim=embed_dim, generation=str(old + 1))
    connection.execute("DELETE FROM meta WHERE key IN ('next_fingerprint', 'next_embed_dim')")
    connection.execute("DELETE FROM vectors WHERE generation <= ?", (old,))
    return True
