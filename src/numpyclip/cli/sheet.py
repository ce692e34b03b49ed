"""`numpyclip sheet`: draw images with captions on contact sheets."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import PicturePaths, Reporter, exit_status, lines_in, progress, say_left_out
from numpyclip.cli.options import add_file_options, add_orientation_option, add_pictures, decode_options, positive
from numpyclip.cli.outputs import check_output, output_path, print_json, print_path
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.sources.lines import printed_path

EXAMPLES = """\
  numpyclip sheet photos/ -o sheet.png
  numpyclip sheet docs/pictures/album -o sheet.png --columns 8
  numpyclip classify docs/pictures/album dog cat horse -n 1 -m tiny | numpyclip sheet - -o sheet.png

Prints the name of each file that it writes: from the second page on, sheet-2.png and so forth. Captions are the names
of the files; lines on standard input may have others, after the path and a tab, as those of classify do. Images that
cannot be read are crossed out. Letters that no installed font has are written as escape sequences."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "draw")
    command.add_argument("-o", "--output", metavar="FILE", type=output_path(".png"), required=True, help="write .png")
    for name, count, what in (
        ("columns", 5, "images in a row"),
        ("rows", 6, "rows of a page"),
        ("side", 160, "pixels of an image"),
    ):
        command.add_argument(f"--{name}", type=positive, default=count, metavar="N", help=f"{what} (default: {count})")
    command.add_argument("--json", action="store_true", help="print one JSON object per page")
    add_orientation_option(command)
    add_file_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Write page after page."""
    from numpyclip.viz.contact_sheet import contact_sheets

    check_output(arguments.output, arguments.items)
    captions: dict[str, str] = {}
    paths, unreadable = PicturePaths(_sources(arguments.items, captions, arguments.output)), Reporter()
    tiles = ((path, captions.pop(path, Path(path).name)) for path in progress(paths, "image", printing=False))
    pages = contact_sheets(
        tiles, columns=arguments.columns, rows=arguments.rows, side=arguments.side,
        options=decode_options(arguments, draft=True), report=unreadable,
    )  # fmt: skip
    written = 0
    for written, page in enumerate(pages, start=1):
        output = arguments.output if written == 1 else arguments.output.with_stem(f"{arguments.output.stem}-{written}")
        check_output(output, arguments.items)
        with atomic_file(output) as file:
            page.save(file, "PNG")
        if arguments.json:
            print_json({"path": str(output)})
        else:
            print_path(str(output))
    if not written:
        raise NumPyCLIPError(f"{arguments.output}: not written, there is nothing to put into it.")
    problems = paths.failed + unreadable.count
    say_left_out(paths.left_out, problems)
    return exit_status(problems, paths.count - unreadable.count)


def _sources(items: list[str], captions: dict[str, str], output: Path) -> Iterator[str]:
    """Give paths one by one; what follows them on standard input becomes their captions."""
    page = re.compile(rf"{re.escape(output.stem)}(-[0-9]+)?{re.escape(output.suffix)}")
    for item in items:
        if item != "-":
            yield item
            continue
        for line in lines_in("-"):
            written, tab, caption = line.partition("\t")
            path = printed_path(written)
            if page.fullmatch(os.path.basename(path)) and Path(path).resolve().parent == output.parent:  # noqa: PTH119
                raise InputError(
                    f"{path}: is to be drawn, but a page has this name; choose another one for the output."
                )
            if tab:
                captions[path] = caption.replace("\t", "\n")
            yield path
