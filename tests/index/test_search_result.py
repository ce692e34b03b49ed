import math
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.index import Index, Match, SearchResult, Where


def found(*probabilities: float | None) -> list[Match]:
    return [Match(n, 0.5, np.zeros(4, np.float32), f"{n}.png", probability=p) for n, p in enumerate(probabilities)]


def test_the_best_need_not_be_the_first() -> None:
    result = SearchResult(found(0.2, 0.9, 0.4), 0.8)
    assert (result.best, result.is_match, len(result)) == (0.9, True, 3)
    assert result.matches == list(result)
    assert [match.id for match in result.at_least(0.4)] == [1, 2]


def test_below_the_cutoff_nothing_matches_but_something_is_nearest() -> None:
    result = SearchResult(found(0.2, 0.7), 0.8)
    assert (result.is_match, result.matches, len(result)) == (False, [], 2)


def test_without_probabilities_whatever_was_found_matches() -> None:
    result = SearchResult(found(None, None))
    assert (result.best, result.cutoff, result.is_match, len(result.matches)) == (None, None, True, 2)
    with pytest.raises(InputError, match="exist only for a single text"):
        result.at_least(0.5)


@pytest.mark.parametrize("cutoff", [None, 0.8])
def test_nothing_is_no_match(cutoff: float | None) -> None:
    result = SearchResult([], cutoff)
    assert (result.best, result.is_match, result.matches) == (None, False, [])


@pytest.mark.parametrize("probability", [7, -0.1, math.nan, math.inf])
def test_a_minimum_is_a_probability(probability: float) -> None:
    with pytest.raises(InputError, match="expected a number from 0 to 1"):
        SearchResult(found(0.5), 0.5).at_least(probability)


def test_the_cutoff_is_for_as_many_pictures_as_are_searched(index: Index, photos: Path) -> None:
    index.update([photos])
    for where, pictures in ((Where(), 6), (Where(photos / "more"), 3)):
        assert index.search("a bird", 1, where=where).cutoff == index.background.cutoff(pictures)
    assert index.search("a bird + a house").cutoff is None
    assert index.search("a bird", modality="texts").cutoff is None


def test_a_search_goes_on_after_earlier_results(index: Index, photos: Path) -> None:
    index.update([photos])
    whole = [match.id for match in index.search("a bird", 6)]
    assert [match.id for skip in (0, 2, 4, 6) for match in index.search("a bird", 2, skip=skip)] == whole
    for skip in (-1, 1.5, "1", None):
        with pytest.raises(InputError, match=r"skip is .*; expected an integer, 0 or above"):
            index.search("a bird", skip=skip)  # type: ignore[arg-type]
