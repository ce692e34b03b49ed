"""Which images of an index a command is about: options, and the place that they name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from numpyclip.cli.outputs import counted, say

if TYPE_CHECKING:
    from numpyclip.index import Where
    from numpyclip.index.store import Store

_SHOWN = 5  # towns of one name


def add_conditions(command: argparse.ArgumentParser) -> None:
    """Add the conditions, which all have to be met."""
    group = command.add_argument_group("conditions")
    group.add_argument("--folder", metavar="FOLDER", help="images in this folder and those within it")
    group.add_argument("--after", metavar="DATE", help="taken on this date or later: 2024, 2024-05, 2024-05-01")
    group.add_argument("--before", metavar="DATE", help="taken before this date")
    group.add_argument("--camera", metavar="NAME", help="taken with this camera")
    group.add_argument("--lens", metavar="NAME", help="taken with this lens")
    group.add_argument("--favourite", action="store_true", help="favourites; see numpyclip mark")
    group.add_argument("--rating", type=int, metavar="N", help="with at least N stars, 1 to 5")
    group.add_argument("--tag", metavar="NAME", help="with this tag")
    group.add_argument("--album", metavar="NAME", help="in this album")
    place = group.add_mutually_exclusive_group()
    place.add_argument(
        "--place",
        metavar="TOWN",
        help='taken in or near this town: Zurich, "Springfield, IL"; needs pip install "numpyclip[places]"',
    )
    place.add_argument(
        "--around", metavar="LAT,LON,KM", type=_degrees(3), help="taken within so many km: --around=-33.9,18.4,10"
    )
    place.add_argument(
        "--within", metavar="S,W,N,E", type=_degrees(4), help="taken in this rectangle, in degrees: --within=45,5,48,11"
    )


def _degrees(count: int) -> Callable[[str], tuple[float, ...]]:
    def read(text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(map(float, text.split(",")))
        except ValueError:
            numbers = ()
        if len(numbers) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers with commas between them")
        return numbers

    return read


def where_of(arguments: argparse.Namespace) -> Where:
    """Return the conditions, but for --place; InputError if one cannot be met."""
    from numpyclip.index import Where

    return Where(
        arguments.folder,
        arguments.after,
        arguments.before,
        arguments.camera,
        arguments.lens,
        arguments.favourite,
        arguments.rating,
        arguments.tag,
        arguments.album,
        arguments.within,
        arguments.around,
    )


def at_place(name: str | None, where: Where, store: Store) -> Where:
    """Add a town to conditions; of several of one name that with images, else the largest, and say so on stderr."""
    if name is None:
        return where
    from numpyclip.towns import find_towns

    towns = find_towns(name)
    places = [replace(where, near=(town.latitude, town.longitude, town.radius)) for town in towns]
    if len(towns) == 1:
        return places[0]
    counts = [store.counts(place).pictures for place in places]
    chosen = max(range(len(towns)), key=lambda each: counts[each])  # the first, which is the largest, if none has any
    others = [f"{town} ({count:,})" for town, count in zip(towns, counts, strict=True) if town is not towns[chosen]]
    more = f" and {len(others) - _SHOWN} more" * (len(others) > _SHOWN)
    there = f"{towns[chosen]} ({counted(counts[chosen], 'image')})"
    say(f"{name}: {len(towns)} towns are called so; searched is {there}, and not {'; '.join(others[:_SHOWN])}{more}.")
    return places[chosen]
