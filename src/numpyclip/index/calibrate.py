"""INDEX → CALIBRATION: probabilities fitted to a few queries whose right pictures are known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from numpyclip.errors import InputError, quoted
from numpyclip.index.index import Index
from numpyclip.index.records import Match
from numpyclip.index.stored_calibration import store_calibration
from numpyclip.index.where import EVERYWHERE, Where, absolute, is_path
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background, Calibration
from numpyclip.tasks.calibration import (
    LEAST_QUERIES,
    SHOWN,
    Float64,
    Quality,
    QueryOdds,
    cross_validate_calibration,
    default_quality,
    fit_calibration,
)
from numpyclip.tasks.query import Query

_SAMPLE = 2000  # pictures that are not right, of which the probability is fitted


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration was fitted to, and what came of it.

    Attributes
    ----------
    queries, right, pictures : int
        How many queries, pictures that are right for one of them, and pictures in the index.
    shown : int
        For how many queries a right picture is among the first 20.
    before : Quality
        Of the default calibration.
    after : Quality
        Of calibrations fitted to other queries: see `cross_validate_calibration`.
    """

    queries: int
    right: int
    pictures: int
    shown: int
    before: Quality
    after: Quality


def check_queries(queries: Mapping[str, object]) -> None:
    """Raise InputError unless there are enough queries, each a single text with a list of its pictures."""
    if len(queries) < LEAST_QUERIES:
        raise InputError(f"queries: {len(queries)}; expected {LEAST_QUERIES} at least, better ten or more.")
    for text, places in queries.items():
        if isinstance(places, str | os.PathLike):
            raise InputError(f"{quoted(text)}: its pictures are {os.fspath(places)!r:.60}; expected a list of paths.")
        if not Query.parse(text).is_text:
            raise InputError(f"{quoted(text)} is a sum; probabilities are known for a single text only.")


def calibrate(
    index: Index, queries: Mapping[str, Iterable[str | os.PathLike[str] | Where]], *, store: bool = True
) -> CalibrationReport:
    """Fit the probabilities and the cutoff of searches to queries, and store that in the index.

    Parameters
    ----------
    index : Index
    queries : mapping of str to iterable of path or Where
        At least three single texts. Of each, the pictures that are right: paths of files and folders, or `Where`. Those
        that are not named count as wrong, so name all of them.
    store : bool, default=True
        Record the calibration in the index, whose searches then use it.

    Raises
    ------
    InputError
        If there are too few queries, one is no single text, or its pictures are not in the index, or are all of it.
    """
    check_queries(queries)
    background = index.background.calibrated(Calibration())
    embeddings = index.model.embed_texts(list(queries))
    right = [
        _right(index, text, places, row[np.newaxis])
        for (text, places), row in zip(queries.items(), embeddings, strict=True)
    ]
    sample = _sample(index, background, embeddings)
    pictures = index.store.counts().pictures
    odds = []
    for column, (text, found) in enumerate(zip(queries, right, strict=True)):
        query = embeddings[column : column + 1]
        wrong = np.array([row[column] for number, row in sample.items() if number not in found], np.float64)
        nearest = _search(index, query, SHOWN + len(found), EVERYWHERE)
        others = [match for match in nearest if match.id not in found][:SHOWN]
        if not (others and wrong.size):
            raise InputError(f"{quoted(text)}: all pictures of the index are right; expected some that are not.")
        is_shown = any(match.id in found for match in nearest[:SHOWN])
        odds.append(
            QueryOdds(
                _log_odds(background, found.values(), query),
                wrong,
                float(_log_odds(background, nearest[:SHOWN], query).max()) if is_shown else None,
                float(_log_odds(background, others, query).max()),
            )
        )
    if store:
        store_calibration(index.store, index.model, fit_calibration(odds, pictures))
    return CalibrationReport(
        len(odds),
        len({number for found in right for number in found}),
        pictures,
        sum(each.best is not None for each in odds),
        default_quality(odds, pictures),
        cross_validate_calibration(odds, pictures),
    )


def _right(index: Index, text: str, places: Iterable[str | os.PathLike[str] | Where], query: Array) -> dict[int, Match]:
    """Find the right pictures of a query, by their numbers."""
    found: dict[int, Match] = {}
    files: dict[str, set[str]] = {}  # by the folder that they are in
    for place in places:
        if not isinstance(place, Where) and not (os.fspath(place) and is_path(place)):
            raise InputError(f"{quoted(text)}: {os.fspath(place)!r:.60} is no path of a picture.")
        where = place if isinstance(place, Where) else Where(folder=place)
        if matches := _all_there(index, query, where):
            found.update((match.id, match) for match in matches)
        elif isinstance(place, Where):
            wanted = ", ".join(f"{name} {value}" for name, value in vars(place).items() if value not in (None, False))
            raise InputError(f"{quoted(text)}: the index has no picture with {wanted}.")
        else:
            path = absolute(os.fspath(place))
            files.setdefault(os.path.dirname(path), set()).add(path)
    for folder, paths in files.items():
        for match in _all_there(index, query, Where(folder=folder)):
            if here := paths.intersection((match.path, *match.copies)):
                found[match.id] = match
                paths -= here
        if paths:
            raise InputError(
                f"{quoted(text)}: {min(paths)} is not in the index; expected a picture or folder that is. "
                "Index it first: numpyclip index FOLDER."
            )
    if not found:
        raise InputError(f"{quoted(text)}: has no right pictures; expected one or more paths.")
    return found


def _all_there(index: Index, query: Array, where: Where) -> list[Match]:
    return _search(index, query, max(index.store.counts(where).pictures, 1), where)


def _search(index: Index, query: Array, n: int, where: Where) -> list[Match]:
    (found,) = index.store.search("pictures", query, n, where)
    return found


def _sample(index: Index, background: Background, embeddings: Array) -> dict[int, Array]:
    """Compute the log-odds (q,) of every so many pictures, by their numbers; of several embeddings the largest."""
    step = max(1, index.store.counts().pictures // _SAMPLE)
    sample: dict[int, Array] = {}
    for match in index.store.everything("pictures"):
        if match.id % step == 0:
            odds = background.log_odds(match.embedding[np.newaxis], embeddings)[0]
            sample[match.id] = np.maximum(sample[match.id], odds) if match.id in sample else odds
    return sample


def _log_odds(background: Background, matches: Iterable[Match], query: Array) -> Float64:
    return background.log_odds(np.stack([match.embedding for match in matches]), query)[:, 0].astype(np.float64)
