"""`numpyclip duplicates`: find duplicate and near-duplicate images."""

import argparse
from contextlib import nullcontext
from dataclasses import asdict

from numpyclip.cli.inputs import PicturePaths, Reporter, exit_status, paths_in, progress, say_left_out, with_stdin
from numpyclip.cli.options import (
    add_file_options,
    add_index_options,
    add_models_of_indexes,
    add_pictures,
    file_options,
)
from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.cli.stores import known_embeddings, load_for_embeddings

EXAMPLES = """\
  numpyclip duplicates photos/
  numpyclip duplicates docs/pictures -m tiny
  numpyclip duplicates photos/ backup/ --exact --json
  numpyclip duplicates photos/ | awk -F '\\t' '$2 == "file" {print $3}'       # could be deleted: the best stays

One line per image of a group: number of the group, kind, and path, the best copy first. Kinds: "best" (the most
pixels, then a lossless format, the larger file, the older one), "file" (the same bytes as the best), "pixels" (another
file of the same pixels), "near" (scaled, saved again, or of another brightness: look before you delete).

Nothing is ever deleted. Crops, rotated images and two photographs of one scene are no duplicates. All pixels are
compared: large JPEG files are decoded at full size. Animations are compared by their bytes alone. Near-duplicates need
5 kB of memory per image, and time that is quadratic in their number."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "compare")
    command.add_argument("--exact", action="store_true", help="only the same bytes or pixels; needs no model")
    command.add_argument("--json", action="store_true", help="print one JSON object per group")
    add_file_options(command)
    add_index_options(command)
    add_models_of_indexes(command)
    command.set_defaults(orient=True, draft=True)


def run(arguments: argparse.Namespace) -> int:
    """Print the groups when all images were seen."""
    from numpyclip.tasks.duplicates import find_duplicates

    model = None if arguments.exact else load_for_embeddings(arguments)
    paths, unreadable = PicturePaths(with_stdin(arguments.items, paths_in)), Reporter()
    read = progress(paths, "image", printing=False)
    with nullcontext() if model is None else known_embeddings(arguments, model) as known:
        groups = find_duplicates(
            model,
            read,
            batch_size=arguments.batch_size,
            on_error=unreadable,
            known=known,
            **file_options(arguments),
        )
    for number, group in enumerate(groups, start=1):
        if arguments.json:
            print_json({"group": number, "copies": [asdict(copy) for copy in group]})
        else:
            for copy in group:
                print_columns(number, copy.kind, copy.path)
    problems = paths.failed + unreadable.count
    say_left_out(paths.left_out, problems)
    return exit_status(problems, paths.count - unreadable.count) or (0 if groups else 1)
