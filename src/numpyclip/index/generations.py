"""Generations of embeddings: the one that is searched, and the next one, which a migration collects beside it.

Each has the fingerprint of its model. Older versions recorded fewer facts of a fingerprint, so two that are equal may
be written differently.
"""

from __future__ import annotations

from contextlib import suppress

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.index.database import Connection, Damage
from numpyclip.index.database.sql import generation, meta, set_meta
from numpyclip.index.records import Modality
from numpyclip.index.vectors import Space


def searched(connection: Connection, modality: Modality) -> Space:
    """Return which embeddings are searched."""
    return Space(generation(connection), modality)


def following(connection: Connection, modality: Modality) -> Space:
    """Return which embeddings a migration collects."""
    return Space(generation(connection) + 1, modality)


def searched_fingerprint(connection: Connection) -> Fingerprint | None:
    """Return the fingerprint of the embeddings that are searched; None if there are none yet."""
    text = meta(connection, "fingerprint")
    try:
        return None if text is None else Fingerprint.from_json(text)
    except InputError as error:
        raise Damage(str(error)) from error


def is_migrating(connection: Connection) -> bool:
    """Tell whether a migration is under way."""
    return meta(connection, "next_fingerprint") is not None


def start_migration(connection: Connection, fingerprint: Fingerprint, embed_dim: int) -> None:
    """Start or resume a migration; what one to another model has collected is deleted."""
    if _recorded(connection, "next_fingerprint") != fingerprint:
        connection.execute("DELETE FROM vectors WHERE generation = ?", (generation(connection) + 1,))
        set_meta(connection, next_fingerprint=fingerprint.to_json(), next_embed_dim=str(embed_dim))


def finish_migration(connection: Connection) -> bool:
    """Replace the embeddings that are searched by those of the next model; False if no migration is in progress."""
    old = generation(connection)
    fingerprint, embed_dim = meta(connection, "next_fingerprint"), meta(connection, "next_embed_dim")
    if fingerprint is None or embed_dim is None:
        return False
    set_meta(connection, fingerprint=fingerprint, embed_dim=embed_dim, generation=str(old + 1))
    connection.execute("DELETE FROM meta WHERE key IN ('next_fingerprint', 'next_embed_dim')")
    connection.execute("DELETE FROM vectors WHERE generation <= ?", (old,))
    return True


def remember_model(connection: Connection, fingerprint: Fingerprint, name: str) -> None:
    """Remember how the model with a fingerprint is loaded."""
    is_searched = _recorded(connection, "fingerprint") == fingerprint
    key = meta(connection, "fingerprint") if is_searched else fingerprint.to_json()
    set_meta(connection, **{f"model {key}": name})


def replace_fingerprint(connection: Connection, fingerprint: Fingerprint) -> None:
    """Record another fingerprint for the embeddings that are searched, whose model is still loaded as before."""
    old, new = f"model {meta(connection, 'fingerprint')}", f"model {fingerprint.to_json()}"
    set_meta(connection, fingerprint=fingerprint.to_json())
    if name := meta(connection, old):
        connection.execute("DELETE FROM meta WHERE key = ?", (old,))
        set_meta(connection, **{new: name})


def _recorded(connection: Connection, key: str) -> Fingerprint | None:
    with suppress(InputError):  # damaged
        return Fingerprint.from_json(meta(connection, key) or "")
    return None
