"""INDEX → CALIBRATION: probabilities fitted to a few queries whose right images are known."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from numpyclip.errors import InputError, quoted
from numpyclip.index.index import Index
from numpyclip.index.records import Match
from numpyclip.index.store import Store
from numpyclip.index.stored_calibration import store_calibration
from numpyclip.index.where import Where, is_path
from numpyclip.model.ops import Array
from numpyclip.tasks.background import Background, Calibration
from numpyclip.tasks.calibration import (
    LEAST_QUERIES,
    SHOWN,
    Quality,
    QueryOdds,
    cross_validate_calibration,
    default_quality,
    fit_calibration,
)
from numpyclip.tasks.query import Query

Place: TypeAlias = "str | os.PathLike[str] | Where"
_MOST_QUERIES = 1000
_SAMPLE = 2000  # images that are not right, of which the probability is fitted


@dataclass(frozen=True)
class CalibrationReport:
    """What a calibration was fitted to, and what came of it.

    Attributes
    ----------
    queries, right, pictures : int
        How many queries, images that are right for one of them, and images in the index.
    shown : int
        For how many queries a right image is among the first 20.
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

    @property
    def is_better(self) -> bool:
        """Whether the probabilities are no worse than by default, nor what the cutoff judges wrongly."""
        return self.after.error <= self.before.error and self.after.misjudged <= self.before.misjudged


def check_queries(queries: Mapping[str, object]) -> None:
    """Raise InputError unless there are enough queries, each a single text with a list of its images."""
    if len(queries) > _MOST_QUERIES:
        raise InputError(f"queries: {len(queries):,}; expected at most {_MOST_QUERIES:,}.")
    if len(queries) < LEAST_QUERIES:
        raise InputError(f"queries: {len(queries)}; expected {LEAST_QUERIES} at least, better ten or more.")
    for text, places in queries.items():
        if isinstance(places, str | os.PathLike):
            raise InputError(f"{quoted(text)}: its images are {os.fspath(places)!r:.60}; expected a list of paths.")
        if not Query.parse(text).is_text:
            raise InputError(f"{quoted(text)} is a sum; probabilities exist only for a single text.")


def calibrate(index: Index, queries: Mapping[str, Iterable[Place]], *, store: bool = True) -> CalibrationReport:
    """Fit the probabilities and the cutoff of searches to queries, and store that in the index.

    Parameters
    ----------
    index : Index
    queries : mapping of str to iterable of path or Where
        Three to a thousand single texts. Of each, the images that are right: paths of files and folders, or `Where`.
        Those that are not named count as wrong, so name all of them.
    store : bool, default=True
        Record the calibration in the index, whose searches then use it, if it `is_better` than the default.

    Raises
    ------
    InputError
        If there are too few or too many queries, one is no single text, or its images are not in the index or all
        of it.
    """
    check_queries(queries)
    right = [_right(index.store, text, places) for text, places in queries.items()]
    background = index.background.calibrated(Calibration())
    embeddings = index.model.embed_texts(list(queries))
    odds_right, sample = _odds(index, background, embeddings, right)
    pictures, compared = index.store.counts().pictures, index.store.count_compared()
    odds = []
    for column, (text, found) in enumerate(zip(queries, odds_right, strict=True)):
        query = embeddings[column : column + 1]
        wrong = np.array([row[column] for number, row in sample.items() if number not in found], np.float64)
        nearest = _search(index, query, SHOWN + len(found))
        others = [match for match in nearest if match.id not in found][:SHOWN]
        if not found:
            raise InputError(f"{quoted(text)}: has no right images; expected one or more paths.")
        if not (others and wrong.size):
            raise InputError(f"{quoted(text)}: all images of the index are right; expected some that are not.")
        is_shown = any(match.id in found for match in nearest[:SHOWN])
        odds.append(
            QueryOdds(
                np.array(list(found.values()), np.float64),
                wrong,
                _largest_odds(background, nearest[:SHOWN], query) if is_shown else None,
                _largest_odds(background, others, query),
            )
        )
    report = CalibrationReport(
        len(odds),
        len(set().union(*odds_right)),
        pictures,
        sum(each.best is not None for each in odds),
        default_quality(odds, compared),
        cross_validate_calibration(odds, compared),
    )
    if store and report.is_better:
        store_calibration(index.store, index.model, fit_calibration(odds, compared))
    return report


def _right(store: Store, text: str, places: Iterable[Place]) -> set[int]:
    """Find the right images of a query: their numbers."""
    found: set[int] = set()
    for place in dict.fromkeys(places):
        if isinstance(place, Where):
            where = place
        elif not (os.fspath(place) and is_path(place)):
            raise InputError(f"{quoted(text)}: {os.fspath(place)!r:.60} is no path of an image.")
        elif (number := store.number_at(os.fsdecode(place))) is not None:
            found.add(number)
            continue
        else:
            where = Where(folder=place)
        if here := [match.id for match in store.browse(where, max(store.counts(where).pictures, 1)).matches]:
            found.update(here)
        elif isinstance(place, Where):
            wanted = ", ".join(f"{name} {value}" for name, value in vars(place).items() if value not in (None, False))
            raise InputError(f"{quoted(text)}: the index has no image with {wanted}.")
        else:
            raise InputError(
                f"{quoted(text)}: {where.folder} is not in the index; expected an image or folder that is. "
                "Index it first: numpyclip index FOLDER."
            )
    return found


def _odds(
    index: Index, background: Background, embeddings: Array, right: Sequence[set[int]]
) -> tuple[list[dict[int, float]], dict[int, Array]]:
    """Compute log-odds by the numbers of images: of each query for its right ones, and of all (q,) for a sample.

    Of several embeddings of an image the largest.
    """
    step = max(1, index.store.counts().pictures // _SAMPLE)
    columns: dict[int, list[int]] = defaultdict(list)  # of the queries that an image is right for
    for column, numbers in enumerate(right):
        for number in numbers:
            columns[number].append(column)
    of_right: list[dict[int, float]] = [{} for _ in right]
    sample: dict[int, Array] = {}
    for match in index.store.everything("pictures"):
        if match.id % step != 0 and match.id not in columns:
            continue
        odds = background.log_odds(match.embedding[np.newaxis], embeddings)[0]
        for column in columns.get(match.id, ()):
            of_right[column][match.id] = max(of_right[column].get(match.id, -np.inf), float(odds[column]))
        if match.id % step == 0:
            sample[match.id] = np.maximum(sample[match.id], odds) if match.id in sample else odds
    return of_right, sample


def _search(index: Index, query: Array, n: int) -> list[Match]:
    (found,) = index.store.search("pictures", query, n)
    return found


def _largest_odds(background: Background, matches: Iterable[Match], query: Array) -> float:
    return float(background.log_odds(np.stack([match.embedding for match in matches]), query).max())
