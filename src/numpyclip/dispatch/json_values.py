"""RESULTS → VALUES FOR JSON."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from numpyclip.index.search_result import SearchResult
from numpyclip.index.store import Store
from numpyclip.model.ops import Array

_MAX_NAMES = 1000  # of cameras, lenses, tags and albums each


def ranked(probabilities: Iterable[Array], labels: Sequence[str]) -> list[list[dict[str, object]]]:
    """Return the labels of each image with their probabilities (n_images, n_labels), the most probable first."""
    return [
        [{"label": labels[column], "probability": float(row[column])} for column in np.argsort(-row, kind="stable")]
        for row in probabilities
    ]


def listed(result: SearchResult, *, browsing: bool) -> list[dict[str, object]]:
    """Return the values of results, without the cosine where there was no query."""
    values = [match.to_dict() for match in result]
    if browsing:
        for each in values:
            del each["cosine"]
    return values


def contents(store: Store) -> dict[str, object]:
    """Return the counts and folders of an index."""
    return {**vars(store.counts()), "folders": list(store.folders())}


def names(store: Store) -> dict[str, dict[str, int]]:
    """Return the names that filters accept, with the number of images of each."""
    marks = store.marks()
    found = {"cameras": store.cameras(), "lenses": store.lenses(), "tags": marks["tag"], "albums": marks["album"]}
    return {kind: dict(itertools.islice(counts.items(), _MAX_NAMES)) for kind, counts in found.items()}
