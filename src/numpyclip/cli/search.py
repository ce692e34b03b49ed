"""`numpyclip search`: search images by text or by image."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.atomic import atomic_file
from numpyclip.cli.options import add_file_options, add_views_option, decode_options, positive
from numpyclip.cli.outputs import check_output, counted, output_path, print_columns, print_json, print_path, say, write
from numpyclip.cli.stores import add_store_options, load_remembered, open_made
from numpyclip.cli.updates import update_in_time
from numpyclip.cli.where import add_where_options, at_place, nothing_there, where_of
from numpyclip.errors import InputError, MissingPackageError, PictureError
from numpyclip.images.views import CROP
from numpyclip.viz.terminal import PROTOCOLS, drawn, terminal_protocol

if TYPE_CHECKING:
    from numpyclip.images.decode_options import DecodeOptions
    from numpyclip.index import Match, SearchResult, Where
    from numpyclip.tasks.query import Query

EXAMPLES = """\
  numpyclip search a dog on a beach
  numpyclip search "horse + stripes" -n 5 --folder photos/zoo --after 2024-01-01
  numpyclip search a boat --around 47.38,8.54,20 --rating 4
  numpyclip search --near photo.jpg --not "at night"
  numpyclip search --near photo.jpg --in texts
  numpyclip search a boat --tag holidays --place Zurich
  numpyclip search -n 50                              # the newest images
  numpyclip search --favourite --after 2024
  numpyclip search --near clip.mp4@12.5
  numpyclip search --near panorama.jpg --views crop,tiles
  numpyclip search a receipt --paths -0 | xargs -0 -I{} cp -n {} receipts/
  numpyclip search a cat --sheet cats.png
  numpyclip search a cat --preview

Prints a score and a path, and of a video the seconds of its best moment, the nearest first. For a single text the score
is the probability of a match, which may be higher further down, since images are scored independently; sums of terms
(see `numpyclip filter --help`) and images have a cosine, whose scale depends on the model. Among many images some fit
by chance: if the best probability is too low for their number, a note on stderr says so, and with --strict nothing is
printed. The exit status is grep's: 0 if anything is printed, with the note or without; 1 if nothing is, by --strict or
--threshold; 2 or more after an error. Of identical files the first by name is printed, and all by --paths and --json.
If another view of an image than the crop is the nearest (`index --views`), its name follows the path; `explain
--views` shows it."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("items", metavar="WORD", nargs="*", help="text to search for, in quotes or not")
    command.add_argument(
        "--near",
        action="append",
        default=[],
        metavar="IMAGE",
        help="like this image, or frame of a video (FILE@SECONDS); several are added",
    )
    add_views_option(command)
    command.add_argument("--not", action="append", default=[], dest="without", metavar="TEXT", help="unlike this text")
    command.add_argument("-n", "--top", type=positive, default=20, metavar="N", help="print the best N (default: 20)")
    command.add_argument(
        "--in", choices=["pictures", "texts"], default="pictures", dest="modality", help="what to search"
    )
    minimum = command.add_mutually_exclusive_group()
    minimum.add_argument("--threshold", type=float, metavar="P", help="minimum probability")
    minimum.add_argument("--strict", action="store_true", help="print nothing if the best is no better than chance")
    minimum.add_argument("--all", action="store_true", help=argparse.SUPPRESS)  # until version 0.1, now the default
    command.add_argument("--paths", action="store_true", help="print paths only, also of identical copies")
    command.add_argument("-0", action="store_true", dest="null", help="end paths in a null byte, for xargs -0")
    command.add_argument("--json", action="store_true", help="print one JSON object per result")
    command.add_argument(
        "--sheet", metavar="FILE", type=output_path(".png"), help="draw a contact sheet of the results"
    )
    command.add_argument(
        "--preview", nargs="?", const="auto", choices=["auto", *PROTOCOLS], help="show images in the terminal"
    )
    add_where_options(command)
    command.add_argument("--update", action="store_true", help="update the index first, for two seconds at most")
    add_file_options(command)
    add_store_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Search, and print what is found."""
    from numpyclip.index import Index, Where

    where = where_of(arguments)
    if not (arguments.items or arguments.near or arguments.without):
        return _browse(arguments, where)
    query = _query(arguments)
    if arguments.modality == "texts" and (arguments.sheet or arguments.preview):
        raise InputError("texts have no images to show; leave out --sheet and --preview.")
    if not 0 <= (arguments.threshold or 0) <= 1:
        raise InputError(f"--threshold is {arguments.threshold}; expected a probability, 0 to 1.")
    if arguments.threshold is not None and (arguments.modality == "texts" or not query.is_text):
        raise InputError("--threshold: probabilities exist only for a single text; leave it out.")
    protocol = _protocol(arguments)
    check_output(arguments.sheet)
    with closing(open_made(arguments)) as store:
        where = at_place(arguments.place, where, store)
        index = Index(store, load_remembered(arguments, store))
        if arguments.update:
            update_in_time(arguments, index)
        result = index.search(query, arguments.top, where=where, modality=arguments.modality)
        if not result:
            nothing = f"{store.place}: there are no {arguments.modality} to search."
            say(nothing if where == Where() else nothing_there(store, where))
            return 1
        matches = _chosen(arguments, result)
    for match in matches:
        _print(arguments, match)
        if protocol and match.file is not None:
            _show(match, protocol, decode_options(arguments, draft=True))
    if matches and arguments.sheet is not None:
        _draw(arguments.sheet, matches, decode_options(arguments, draft=True))
    return 0 if matches else 1


def _browse(arguments: argparse.Namespace, where: Where) -> int:
    """Print what meets the conditions where there is nothing to look for, the newest first.

    No model is needed but to update the index before.
    """
    from numpyclip.index import Index

    for name in ("threshold", "strict", "sheet", "preview", "views"):
        if getattr(arguments, name) not in (None, False):
            raise InputError(f"--{name}: needs something to look for; say it in words.")
    if arguments.modality == "texts":
        raise InputError("--in texts: needs something to look for; say it in words.")
    with closing(open_made(arguments)) as store:
        if arguments.update:
            update_in_time(arguments, Index(store, load_remembered(arguments, store)))
        where = at_place(arguments.place, where, store)
        found = store.browse(where, arguments.top)
        if not found.matches:
            say(nothing_there(store, where))
    end = "\0" if arguments.null else "\n"
    for match in found.matches:
        if arguments.json:
            print_json({name: value for name, value in match.to_dict().items() if name != "cosine"}, end)
        elif arguments.paths:
            _print(arguments, match)
        else:
            print_columns(match.date, match.path, end=end)
    return 0 if found.matches else 1


def _query(arguments: argparse.Namespace) -> Query:
    """Build the query from words, images and --not."""
    from numpyclip.tasks.query import Query, Term
    from numpyclip.videos.named_moment import moment_of

    terms = list(Query.parse(" ".join(arguments.items)).terms) if arguments.items else []
    for path in arguments.near:
        moment = moment_of(path)
        if not Path(moment.path if moment else path).exists():  # before the model is loaded
            raise InputError(f"{path}: is not there; expected an image after --near.")
        terms.append(Term(path, is_picture=True))
    if not terms:
        raise InputError("nothing to look for: say it in words, or name an image after --near.")
    terms += [Term(text, -1.0) for text in arguments.without]
    if arguments.views is not None and len(arguments.near) != 1:
        raise InputError(f"--views: is for one image after --near; {len(arguments.near)} are there.")
    return Query(tuple(terms), decode_options(arguments, draft=True), arguments.views or CROP)


def _protocol(arguments: argparse.Namespace) -> str | None:
    if arguments.preview != "auto":
        return str(arguments.preview) if arguments.preview else None
    if (protocol := terminal_protocol()) is None:
        names = ", ".join(PROTOCOLS)
        raise InputError(f"this terminal is not known to show images; if it can, say how: --preview {{{names}}}.")
    return protocol


def _chosen(arguments: argparse.Namespace, result: SearchResult) -> list[Match]:
    """Leave out what was not asked for, and say on stderr what results are worth."""
    if arguments.threshold is not None:
        matches = result.at_least(arguments.threshold)
        if not matches:
            say(f"no match: the best probability is {result.best:.2f}; --threshold asks for {arguments.threshold:g}.")
        return matches
    if not result.is_match:
        said = "no match" if arguments.strict else "perhaps none of these"
        say(
            f"{said}: the best probability is {result.best:.2f}, which is no better than chance among "
            f"{counted(result.searched or 0, 'image')} (cutoff {result.cutoff:.2f})."
        )
    return result.matches if arguments.strict else result


def _print(arguments: argparse.Namespace, match: Match) -> None:
    end = "\0" if arguments.null else "\n"
    if arguments.json:
        print_json(match.to_dict(), end)
    elif arguments.paths:
        for path in (match.path or match.text or "", *match.copies):
            print_path(path, end)
    else:
        parts = [match.part] if match.part else []  # seconds of a video, or the best view if that is not the crop
        print_columns(f"{match.score:.4f}", match.path or match.text, *parts, end=end)


def _show(match: Match, protocol: str, options: DecodeOptions) -> None:
    from numpyclip.viz.thumbnail import read_thumbnail

    try:
        write(drawn(read_thumbnail(match.file or "", 320, options, seconds=match.seconds), protocol) + "\n")
    except (PictureError, MissingPackageError) as error:
        say(error)


def _draw(output: Path, matches: list[Match], options: DecodeOptions) -> None:
    from numpyclip.videos.named_moment import Moment
    from numpyclip.viz.contact_sheet import contact_sheets

    named = [(match.file or match.path, match) for match in matches]  # a place that is no file is crossed out
    tiles = [
        (path if match.seconds is None else Moment(path, match.seconds), f"{Path(path).name}\n{match.score:.2f}")
        for path, match in named
        if path
    ]
    (page,) = contact_sheets(tiles, columns=5, rows=-(-len(tiles) // 5), options=options)
    with atomic_file(output) as file:
        page.save(file, "PNG")
