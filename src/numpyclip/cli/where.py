"""Options that choose which images of an index are searched: those of `Where`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from numpyclip.cli.outputs import counted, say
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.index import Where
    from numpyclip.index.store import Store

_SHOWN = 5  # towns of one name


def add_where_options(command: argparse.ArgumentParser) -> None:
    """Add conditions, all of which must hold."""
    group = command.add_argument_group("which images")
    group.add_argument("--folder", metavar="FOLDER", help="images in this folder and those within it")
    group.add_argument("--after", metavar="DATE", help="taken on this date or later: 2024, 2024-05, 2024-05-01")
    group.add_argument("--before", metavar="DATE", help="taken before this date")
    group.add_argument("--camera", metavar="NAME", help="taken with this camera: any part of its name")
    group.add_argument("--lens", metavar="NAME", help="taken with this lens: any part of its name")
    group.add_argument(
        "--within",
        metavar="S,W,N,E",
        type=numbers,
        help="taken in this rectangle: south, west, north and east in degrees; over the date line if west is greater "
        "than east: --within=-20,170,-10,-170",
    )
    near = group.add_mutually_exclusive_group()
    near.add_argument(
        "--place",
        metavar="NAME",
        help='taken in or near this town: Zurich, "Springfield, IL", or in the rectangle around this country: Italy, '
        'IT; needs pip install "numpyclip[places]"',
    )
    near.add_argument(
        "--around", metavar="LAT,LON,KM", type=numbers, help="taken at most KM km from this place: 47.38,8.54,10"
    )
    group.add_argument("--favourite", "--favorite", action="store_true", help="favorites only")
    group.add_argument("--rating", metavar="N", type=int, help="with at least N stars, 1 to 5")
    group.add_argument("--tag", metavar="NAME", help="with this tag, or one below it: animals/birds of animals")
    group.add_argument("--album", metavar="NAME", help="in this album")


def where_of(arguments: argparse.Namespace) -> Where:
    """Return the conditions that were given, but for --place, which `at_place` adds."""
    from numpyclip.index import Where

    return Where(
        arguments.folder,
        arguments.after,
        arguments.before,
        camera=arguments.camera,
        lens=arguments.lens,
        within=arguments.within,
        around=arguments.around,
        favourite=arguments.favourite,
        rating=arguments.rating,
        tag=arguments.tag,
        album=arguments.album,
    )


def at_place(name: str | None, where: Where, store: Store) -> Where:
    """Add a town to conditions; of several of one name that with images, else the largest.

    What is searched is said on stderr, where that may be another than was meant. Of a country it is the rectangle
    around its towns.
    """
    if name is None:
        return where
    from numpyclip.towns import country_rectangle, find_towns

    if (rectangle := country_rectangle(name)) is not None:
        if where.within is not None:
            raise InputError(f"--place {name} is a country, and cannot be combined with --within; leave out one.")
        given = ",".join(map(str, rectangle))
        say(f"{name}: searching the rectangle around its towns, --within={given}, with parts of its neighbors.")
        return replace(where, within=rectangle)
    towns = find_towns(name)
    places = [replace(where, around=(town.latitude, town.longitude, town.radius)) for town in towns]
    counts = [store.counts(place).pictures for place in places]
    if len(towns) == 1:
        if not counts[0]:
            say(f"{name}: searching {towns[0]}, {towns[0].radius:g} km around its center.")
        return places[0]
    chosen = max(range(len(towns)), key=lambda each: counts[each])  # the first, which is the largest, if none has any
    others = [f"{town} ({count:,})" for town, count in zip(towns, counts, strict=True) if town is not towns[chosen]]
    more = f" and {len(others) - _SHOWN} more" * (len(others) > _SHOWN)
    there = f"{towns[chosen]} ({counted(counts[chosen], 'image')})"
    reach = "" if counts[chosen] else f" {towns[chosen].radius:g} km around its center,"
    say(f"{name}: {len(towns)} towns have this name; searching {there},{reach} not {'; '.join(others[:_SHOWN])}{more}.")
    return places[chosen]


def nothing_there(store: Store, where: Where) -> str:
    """Say that no image meets the conditions, and of names that the index does not have which there are.

    These are the ones most alike, else the first.
    """
    from numpyclip.index.names import meant

    marks = store.marks()
    known = {"camera": store.cameras(), "lens": store.lenses(), "tag": marks["tag"], "album": marks["album"]}
    said = f"{store.place}: no image meets the conditions."
    for kind, names in known.items():
        if (name := getattr(where, kind)) is not None and not meant(kind, name, names):
            lower = {each.lower(): each for each in names}
            alike = [lower[each] for each in get_close_matches(name.lower(), lower, _SHOWN)]
            shown = alike or list(names)[:_SHOWN]
            more = f" and {len(names) - len(shown)} more" * (len(names) > len(shown))
            there = ", ".join(f"{each} ({names[each]:,})" for each in shown)
            said += f" There is no {kind} {name!r}; " + (f"there are: {there}{more}." if there else "there are none.")
    return said


def numbers(text: str) -> tuple[float, ...]:
    """Parse numbers between commas."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no list of numbers, such as 47.38,8.54,10") from None
