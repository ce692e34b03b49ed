"""Moments of videos: which others than the nearest one are near to a query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from numpyclip.index.database import Connection
from numpyclip.index.records import Match, Moment
from numpyclip.index.rows import keys_of
from numpyclip.index.vectors import Space, Vectors
from numpyclip.model.ops import Array

_MOST = 5  # of a video


def with_moments(
    connection: Connection, vectors: Vectors, space: Space, query: Array, matches: Iterable[Match]
) -> list[Match]:
    """Add to each match that is a moment of a video the next nearest ones."""
    return [
        match if match.seconds is None else replace(match, moments=_others(connection, vectors, space, query, match))
        for match in matches
    ]


def _others(connection: Connection, vectors: Vectors, space: Space, query: Array, match: Match) -> tuple[Moment, ...]:
    keys = [key for key in keys_of(connection, space, [match.id]) if key != (match.id, match.part)]
    moments = (
        Moment(part, float(embedding @ query)) for (_, part), embedding in vectors.take(connection, space, keys).items()
    )
    return tuple(sorted(moments, key=lambda moment: (-moment.cosine, moment.seconds))[:_MOST])
