"""`numpyclip filter`: keep or drop images by what they show."""

import argparse
import os
from pathlib import Path

from numpyclip.cli.filing import ACTIONS, free_name, place_in
from numpyclip.cli.inputs import EmbeddedPictures, PicturePaths, paths_in, progress, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures
from numpyclip.cli.outputs import print_columns, print_json, print_path, say
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import InputError

EXAMPLES = """\
  numpyclip filter photos/ --keep "a photo of a cat" --drop "a screenshot" --threshold 0.8
  numpyclip filter docs/pictures/album --keep "an animal face" -m tiny
  numpyclip filter photos/ --drop "a screenshot" --drop "a receipt" --copy album/ --yes
  numpyclip filter photos/ --keep "a screenshot" --move screenshots/          # a dry run; then with --yes
  numpyclip filter photos/ --keep "horse + stripes - grass" --cosine-threshold 0.25
  find . -name "*.jpg" | numpyclip filter - --keep "a dog" -0 | xargs -0 ...

Prints the paths of the images that are kept. The query that fits an image best decides, if it fits: if its
probability reaches --threshold. If none fits, the image is kept unless there is a --keep.

A probability is known for single texts. Queries of several terms (+, -, weights as in "2*cat - dog") and images
as queries are one vector each and have a cosine only, whose scale depends on the model: look at --json first.

--copy, --move and --link put what is kept into a folder, where images of a folder keep their place; without
--yes they only print what they would do. No file is overwritten: a name that is taken gets a number, and a file whose
bytes are there already is skipped, and not removed by --move."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "filter")
    command.add_argument(
        "--keep", action="append", default=[], metavar="QUERY", help="keep images that match; may be repeated"
    )
    command.add_argument(
        "--drop", action="append", default=[], metavar="QUERY", help="drop images that match; may be repeated"
    )
    minimum = command.add_mutually_exclusive_group()
    minimum.add_argument("--threshold", type=float, default=0.5, metavar="P", help="minimum probability (default: 0.5)")
    minimum.add_argument("--cosine-threshold", type=float, metavar="C", help="compare cosines, with this minimum")
    action = command.add_mutually_exclusive_group()
    for name in ACTIONS:
        action.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=f"{name} what is kept into a folder")
    command.add_argument("--yes", action="store_true", help="really copy, move or link")
    command.add_argument("-0", action="store_true", dest="null", help="end paths in a null byte, for xargs -0")
    command.add_argument("--json", action="store_true", help="print one JSON object per image, dropped ones too")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Judge every image, batch by batch."""
    from numpyclip.tasks.filter import Filter

    action, folder = _checked_action(arguments)
    model = load_for_embeddings(arguments)
    if arguments.cosine_threshold is None:
        judge = Filter(model, arguments.keep, arguments.drop, arguments.threshold)
    else:
        judge = Filter(model, arguments.keep, arguments.drop, arguments.cosine_threshold, "cosine")
    paths = PicturePaths(with_stdin(arguments.items, paths_in), without=folder)
    pictures, kept = EmbeddedPictures(model, arguments, paths), 0
    for path, embedding in progress(pictures, "image", printing=True):
        (verdict,) = judge([embedding])
        kept += verdict.kept
        place = _file(action, path, arguments, paths) if action and verdict.kept else None
        if arguments.json:
            score = "probability" if arguments.cosine_threshold is None else "cosine"
            record = {"path": path, "kept": verdict.kept, "query": verdict.query, score: round(verdict.score, 6)}
            if action:
                record["destination"] = None if place is None else os.fspath(place)
            print_json(record)
        elif verdict.kept and place is None:
            print_path(path, "\0" if arguments.null else "\n")
        elif verdict.kept:
            print_columns(path, place)
    if action and not arguments.yes:
        say(f"a dry run, nothing was done; add --yes to {action}.")
    return pictures.status or (0 if kept else 1)


def _checked_action(arguments: argparse.Namespace) -> tuple[str | None, Path | None]:
    """Return what is done with the kept images, and the folder for it; options are checked before a model is loaded."""
    action = next((name for name in ACTIONS if getattr(arguments, name) is not None), None)
    folder = getattr(arguments, action) if action else None
    if not arguments.keep and not arguments.drop:
        raise InputError('no query: give one with --keep or --drop, such as --keep "a dog".')
    if arguments.yes and folder is None:
        raise InputError("--yes has nothing to do; expected --copy, --move or --link.")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; expected a folder, or a new name.")
    return action, folder


def _file(action: str, path: str, arguments: argparse.Namespace, paths: PicturePaths) -> Path | None:
    """Copy, move or link one image, or only find the place where it would go; errors are reported."""
    folder = getattr(arguments, action)
    try:
        place = free_name(place_in(folder, path, arguments.items), path)
        if place is not None and arguments.yes:
            ACTIONS[action](path, place)
        return place
    except OSError as error:
        paths.report(f"{path}: {action} into {folder} failed ({error.strerror or error}).")
        return None
