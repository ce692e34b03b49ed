"""Calibrations fitted to queries, against made-up log-odds whose true calibration is known."""

from dataclasses import astuple

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.background import Calibration
from numpyclip.tasks.calibration import (
    Quality,
    QueryOdds,
    cross_validate_calibration,
    default_quality,
    fit_calibration,
)


def queries(count: int, slope: float, shift: float, seed: int = 0) -> list[QueryOdds]:
    """Log-odds that a slope and a shift turn into true ones: those of two normal distributions of variance 4."""
    numbers = np.random.default_rng(seed)

    def one() -> QueryOdds:
        right, wrong = ((numbers.normal(mean, 2, 40 if mean > 0 else 400) - shift) / slope for mean in (2, -2))
        return QueryOdds(right, wrong, float(max(right.max(), wrong.max())), float(wrong.max()))

    return [one() for _ in range(count)]


def test_many_queries_find_the_true_calibration() -> None:
    given = Calibration()
    found = fit_calibration(queries(200, 0.5, 1.0), 440)
    assert found.fit == pytest.approx(0.5 * given.fit, rel=0.05)
    assert found.plainness == pytest.approx(0.5 * given.plainness, rel=0.05)
    assert found.base == pytest.approx(0.5 * given.base + 1, abs=0.1)


def test_few_queries_change_little_but_improve() -> None:
    few = queries(3, 0.5, 1.0)
    found, default = fit_calibration(few, 440), Calibration()
    assert 0.5 * default.fit < found.fit < default.fit
    before, after = default_quality(few, 440), cross_validate_calibration(few, 440)
    assert after.error < before.error


def test_true_log_odds_are_left_alone() -> None:
    some = queries(50, 1.0, 0.0)
    found, default = fit_calibration(some, 440), Calibration()
    np.testing.assert_allclose(astuple(found)[:3], astuple(default)[:3], atol=0.1)
    assert default_quality(some, 440).error < 0.02


def test_the_cutoff_is_between_results_with_a_right_image_and_those_without() -> None:
    apart = [
        QueryOdds(np.full(2, 9.0 + place), np.full(50, -2.0), best=9.0 + place, best_wrong=3.0 + place)
        for place in np.linspace(-0.5, 0.5, 20)
    ]
    before = default_quality(apart, 100)
    assert before == Quality(before.error, 0.0, 1.0)
    after = cross_validate_calibration(apart, 100)
    assert (after.hidden, after.passed) == (0.0, 0.0)


def test_where_the_odds_say_nothing_all_is_half() -> None:
    numbers = np.random.default_rng(0)
    blind = [QueryOdds(numbers.normal(-3, 1, 20), numbers.normal(-3, 1, 80), None, 0.0) for _ in range(30)]
    before, after = default_quality(blind, 100), cross_validate_calibration(blind, 100)
    assert before.error == pytest.approx(0.43, abs=0.02)
    assert after.error < 0.1
    assert (before.hidden, after.hidden) == (None, None)


@pytest.mark.parametrize("size", [1e-300, 1e4])
def test_extremes_are_fitted_without_warnings(size: float) -> None:
    odd = [QueryOdds(np.array([-size, size]), np.array([size, -size]), size, size) for _ in range(3)]
    with np.errstate(all="raise", under="ignore"):
        found = fit_calibration(odd, 1)
        cross_validate_calibration(odd, 1)
    assert np.isfinite(astuple(found)).all()


def test_one_query_cannot_be_left_out() -> None:
    with pytest.raises(InputError, match="1 queries; expected 2 at least"):
        cross_validate_calibration(queries(1, 1, 0), 440)
