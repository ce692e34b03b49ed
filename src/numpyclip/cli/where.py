"""Options that choose which images of an index are searched: those of `Where`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpyclip.index import Where


def add_where_options(command: argparse.ArgumentParser) -> None:
    """Add conditions, all of which must hold."""
    group = command.add_argument_group("which images")
    group.add_argument("--folder", metavar="FOLDER", help="images in this folder and those within it")
    group.add_argument("--after", metavar="DATE", help="taken on this date or later: 2024, 2024-05, 2024-05-01")
    group.add_argument("--before", metavar="DATE", help="taken before this date")
    group.add_argument("--camera", metavar="NAME", help="taken with this camera, as --json names it")
    group.add_argument("--lens", metavar="NAME", help="taken with this lens, as --json names it")
    group.add_argument(
        "--within",
        metavar="S,W,N,E",
        type=numbers,
        help="taken in this rectangle: south, west, north and east in degrees; over the date line if west is greater "
        "than east: --within=-20,170,-10,-170",
    )
    group.add_argument(
        "--near-place", metavar="LAT,LON,KM", type=numbers, help="taken at most so far from this place: 47.38,8.54,10"
    )
    group.add_argument("--favourite", "--favorite", action="store_true", help="favourites")
    group.add_argument("--rating", metavar="N", type=int, help="with at least N stars, 1 to 5")
    group.add_argument("--tag", metavar="NAME", help="with this tag")
    group.add_argument("--album", metavar="NAME", help="in this album")


def where_of(arguments: argparse.Namespace) -> Where:
    """Return the conditions that were given."""
    from numpyclip.index import Where

    return Where(
        arguments.folder,
        arguments.after,
        arguments.before,
        camera=arguments.camera,
        lens=arguments.lens,
        within=arguments.within,
        near=arguments.near_place,
        favourite=arguments.favourite,
        rating=arguments.rating,
        tag=arguments.tag,
        album=arguments.album,
    )


def numbers(text: str) -> tuple[float, ...]:
    """Parse numbers between commas."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.60} is no list of numbers, such as 47.38,8.54,10") from None
