"""`numpyclip mark`: say what images are to a person: favourites, ratings, tags and albums."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import PicturePaths, opened, paths_in, say_left_out, with_stdin
from numpyclip.cli.outputs import check_output, counted, print_columns, print_json, say, write
from numpyclip.cli.sidecar_writer import SidecarWriter, add_sidecar_options, said_of
from numpyclip.cli.stores import open_made
from numpyclip.errors import InputError, PictureError
from numpyclip.escaping import json_text
from numpyclip.images.find import FileState
from numpyclip.regular_file import open_regular
from numpyclip.runtime.chunks import batched

if TYPE_CHECKING:
    from numpyclip.index.marks import Mark
    from numpyclip.index.store import Store

EXAMPLES = """\
  numpyclip mark photo.jpg --favourite --rating 4 --tag beach --album "Italy 2024"
  numpyclip search a beach --paths | numpyclip mark - --tag places/beach
  numpyclip mark photos/old --remove --tag beach
  numpyclip mark photo.jpg                            # what is said of it
  numpyclip mark --list                               # tags, albums and so on, and how many images have each
  numpyclip mark --write-xmp                          # for digiKam, Lightroom and Immich; a dry run, then with --yes
  numpyclip mark photos/ --read-xmp                   # what these have written, in sidecars and in images
  numpyclip mark --export marks.json
  numpyclip mark --import marks.json

Marks are kept in the index, by the content of images: moved, renamed and copied files keep theirs, and images are never
changed. Images have to be in the index. A slash divides a tag into levels. --rating 0 removes a rating.

Search by them: numpyclip search a boat --tag beach --rating 4. See docs/library.md for what other programs read."""

_AT_ONCE = 500  # images that are marked in one transaction


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("items", metavar="IMAGE", nargs="*", help="an image, a folder, or - for paths on stdin")
    command.add_argument("--favourite", action="store_true", help="a favourite")
    command.add_argument("--rating", type=int, choices=range(6), metavar="N", help="1 to 5 stars; 0: none")
    command.add_argument("--tag", action="append", default=[], metavar="NAME", help="a tag; may be given several times")
    command.add_argument("--album", action="append", default=[], metavar="NAME", help="an album; perhaps several")
    command.add_argument("--remove", action="store_true", help="remove these marks instead")
    action = command.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="print all marks, and how many images have each")
    action.add_argument("--read-xmp", action="store_true", help="add what is in the XMP of images and their sidecars")
    action.add_argument("--export", metavar="FILE", help="write all marks as JSON, or to stdout for -")
    action.add_argument("--import", metavar="FILE", dest="source", help="add the marks of such a file")
    command.add_argument("--json", action="store_true", help="print JSON, one object a line")
    command.add_argument(
        "--store",
        metavar="PLACE",
        help="folder of the index, or postgresql://... (default: $NUMPYCLIP_INDEX, else a folder in ~/.local/share)",
    )
    command.set_defaults(model=None, pretrained=None)
    add_sidecar_options(command, "marks")


def run(arguments: argparse.Namespace) -> int:
    """Mark images, or do what else was asked for."""
    from numpyclip.xmp.marks import Marks, is_tag

    if wrong := [tag for tag in arguments.tag if not is_tag(tag)]:
        raise InputError(f"--tag {wrong[0]!r:.60}: has an empty level; expected a name such as 'places/Italy'.")
    rating = arguments.rating or None
    marks = Marks(arguments.favourite, rating, tuple(arguments.tag), tuple(arguments.album)).pairs()
    whole = {_list: arguments.list, _export: arguments.export is not None, _import: arguments.source is not None}
    action: Callable[..., int] | None = next((each for each, is_wanted in whole.items() if is_wanted), None)
    sets = bool(marks) or arguments.rating == 0
    if arguments.yes and not arguments.write_xmp:
        raise InputError("--yes has nothing to do; expected --write-xmp.")
    if arguments.remove and not marks:
        raise InputError("--remove has nothing to do; expected --favourite, --rating, --tag or --album.")
    if action and (arguments.items or sets or arguments.write_xmp):
        raise InputError("--list, --export and --import are about all images; leave out everything else.")
    reads = arguments.read_xmp or arguments.write_xmp
    if not (arguments.items or action) and (sets or not reads):
        arguments.command.error("nothing to mark: name an image or a folder, or - for paths on standard input.")
    with closing(open_made(arguments)) as store:
        if action:
            return action(arguments, store)
        images = _Images(store, arguments.items)
        status = _mark(arguments, store, images, marks) if sets or reads else _print(arguments, store, images)
    say_left_out(images.left_out, images.report.count)
    return (3 if images.count else 1) if images.report.count else status


class _Images:
    """Images that the index has, with the SHA-256 of each; others are reported."""

    def __init__(self, store: Store, items: list[str]) -> None:
        self._store = store
        self._paths = PicturePaths(with_stdin(items, paths_in))
        self._all = not items
        self._directory, self._files = "", dict[str, FileState]()
        self.report = self._paths.report
        self.left_out = self._paths.left_out
        self.count = 0

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for path in self._indexed() if self._all else self._paths:
            try:
                digest = self._digest(path)
            except PictureError as error:
                self.report(error)
                continue
            self.count += 1
            yield path, digest

    def _indexed(self) -> Iterator[str]:
        for folder in self._store.folders():
            for directory in self._store.directories(folder):
                yield from (os.path.join(directory, name) for name in self._store.files(directory))  # noqa: PTH118

    def _digest(self, path: str) -> bytes:
        """Return the SHA-256 of a file: of one that has not changed, that in the index."""
        from numpyclip.index.picture_rows import storable
        from numpyclip.index.where import absolute

        directory, name = os.path.split(absolute(path))
        if directory != self._directory:
            self._directory, self._files = directory, self._store.files(directory)
        known = self._files.get(name)
        if known is not None and known.digest is not None and known == storable(FileState.of(path)):
            return known.digest
        try:
            with open_regular(path) as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PictureError(f"{path}: cannot be read ({reason}).") from error
        if not self._store.knows(digest):
            raise PictureError(f"{path}: is not in the index; add it first: numpyclip index FOLDER.")
        return digest


def _mark(arguments: argparse.Namespace, store: Store, images: _Images, marks: list[tuple[str, str]]) -> int:
    """Mark images, and read and write their sidecars."""
    from numpyclip.images.sidecars import Sidecars
    from numpyclip.xmp.marks import Marks, with_marks

    sidecars, writer = Sidecars(), SidecarWriter(arguments, images.report)
    for some in batched(images, _AT_ONCE):
        digests = [digest for _, digest in some]
        for kind, name in marks:
            (store.unmark if arguments.remove else store.mark)(digests, kind, name)  # type: ignore[operator]
        if arguments.rating == 0:
            store.unmark(digests, "rating")
        for path, digest in some if arguments.read_xmp else ():
            try:
                said = said_of(path, sidecars)
            except PictureError as error:
                images.report(error)
                continue
            for kind, name in said.pairs():
                store.mark([digest], kind, name)  # type: ignore[arg-type]
        known = store.marks_of(digests) if arguments.write_xmp else {}
        for path, digest in some if arguments.write_xmp else ():
            said = Marks.of(known[digest])
            writer.write(path, lambda packet, others, said=said: with_marks(packet, said, others))
    if arguments.write_xmp:
        writer.finish()
    else:
        say(f"{counted(images.count, 'image')} {'read' if arguments.read_xmp and not marks else 'marked'}.")
    return 0


def _print(arguments: argparse.Namespace, store: Store, images: _Images) -> int:
    """Print what is said of images."""
    from numpyclip.xmp.marks import Marks

    for some in batched(images, _AT_ONCE):
        known = store.marks_of([digest for _, digest in some])
        for path, digest in some:
            if arguments.json:
                print_json({"path": path, "sha256": digest.hex(), **Marks.of(known[digest]).to_dict()})
            else:
                print_columns(path, *(f"{kind} {name}".strip() for kind, name in known[digest]))
    return 0


def _list(arguments: argparse.Namespace, store: Store) -> int:
    for kind, names in store.marks().items():
        for name, count in names.items():
            if arguments.json:
                print_json({"kind": kind, "name": name, "count": count})
            else:
                print_columns(count, kind, name)
    return 0


def _export(arguments: argparse.Namespace, store: Store) -> int:
    from numpyclip.index.marks_file import exported_marks

    target = None if arguments.export == "-" else Path(arguments.export).resolve()
    check_output(target)
    content: Any = exported_marks(store)
    text = json_text(content, indent=1) + "\n"
    if target is None:
        write(text)
    else:
        with atomic_file(target) as file:
            file.write(text.encode())
        say(f"marks of {counted(len(content['images']), 'image')} written to {target}.")
    return 0


def _import(arguments: argparse.Namespace, store: Store) -> int:
    from dataclasses import asdict

    from numpyclip.index.marks_file import import_marks

    with opened(arguments.source) as file:
        found = import_marks(store, file.read(), arguments.source)
    if arguments.json:
        print_json(asdict(found))
    else:
        say(
            f"marks of {counted(found.images, 'image')} added: {found.by_path} found by their paths, "
            f"{found.unknown} not in the index yet."
        )
    return 0
