"""`numpyclip mark`: set favorites, ratings, tags and albums of images."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.atomic import atomic_file
from numpyclip.cli.inputs import Reporter, exit_status, opened, paths_in, say_left_out, with_stdin
from numpyclip.cli.outputs import check_output, counted, print_columns, print_json, say, write
from numpyclip.cli.sidecar_writer import SidecarWriter, add_sidecar_options
from numpyclip.cli.stores import open_made
from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.escaping import json_text
from numpyclip.image_marks import Mark, Marks
from numpyclip.images.find import FileState, digest_of
from numpyclip.images.sidecars import Sidecars, read_marks
from numpyclip.index.marks import checked_mark
from numpyclip.index.marks_file import exported_marks, import_marks
from numpyclip.index.picture_rows import storable
from numpyclip.index.where import absolute, is_path
from numpyclip.runtime.chunks import batched
from numpyclip.xmp.properties import with_marks

if TYPE_CHECKING:
    from numpyclip.index.store import Store

EXAMPLES = """\
  numpyclip mark photo.jpg --favourite --rating 4 --tag beach --album "Italy 2024"
  numpyclip search a beach --paths | numpyclip mark - --tag places/beach
  numpyclip mark photos/old --remove --tag beach
  numpyclip mark photo.jpg                            # its marks
  numpyclip mark --list                               # tags, albums and so on, and how many images have each
  numpyclip mark --write-xmp                          # for digiKam, Lightroom and Immich; a dry run, then with --yes
  numpyclip mark photos/ --read-xmp                   # what these have written, in sidecars and in images
  numpyclip mark --export-json marks.json
  numpyclip mark --import-json marks.json

Marks are kept in the index, by the content of images: moved, renamed and copied files keep theirs, and images are never
changed. Images have to be in the index. A slash divides a tag into levels. --rating 0 removes a rating.

Search by them: numpyclip search a boat --tag beach --rating 4. What other programs read: docs/guides/library.md."""

_AT_ONCE = 500  # images that are marked in one transaction


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "items",
        metavar="IMAGE",
        nargs="*",
        help="an image or video, a folder of the index, or - for paths on stdin",
    )
    command.add_argument("--favourite", "--favorite", action="store_true", help="a favorite")
    command.add_argument("--rating", type=int, choices=range(6), metavar="N", help="1 to 5 stars; 0: none")
    command.add_argument("--tag", action="append", default=[], metavar="NAME", help="a tag; may be repeated")
    command.add_argument("--album", action="append", default=[], metavar="NAME", help="an album; may be repeated")
    command.add_argument("--remove", action="store_true", help="remove these marks instead")
    action = command.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="print all marks, and how many images have each")
    action.add_argument("--read-xmp", action="store_true", help="add what is in the XMP of images and their sidecars")
    action.add_argument("--export-json", dest="export", metavar="FILE", help="write all marks as JSON; - is stdout")
    action.add_argument("--import-json", metavar="FILE", dest="source", help="add the marks of such a file")
    command.add_argument("--json", action="store_true", help="print JSON, one object per line")
    command.add_argument(
        "--store",
        metavar="PLACE",
        help="folder of the index, or postgresql://... (default: $NUMPYCLIP_INDEX, else a folder in ~/.local/share)",
    )
    command.set_defaults(model=None, pretrained=None)
    add_sidecar_options(command, "marks")


def run(arguments: argparse.Namespace) -> int:
    """Mark images, or do what else was asked for."""
    marks = _marks(arguments)
    whole = {_list: arguments.list, _export: arguments.export is not None, _import: arguments.source is not None}
    action = next((each for each, is_wanted in whole.items() if is_wanted), None)
    sets = bool(marks) or arguments.rating == 0
    if arguments.yes and not arguments.write_xmp:
        raise InputError("--yes has nothing to do; expected --write-xmp.")
    if arguments.remove and not marks:
        raise InputError("--remove has nothing to do; expected --favourite, --rating, --tag or --album.")
    if action and (arguments.items or sets or arguments.write_xmp):
        raise InputError("--list, --export-json and --import-json are about all images; leave out everything else.")
    if not (arguments.items or action) and (sets or not (arguments.read_xmp or arguments.write_xmp)):
        arguments.command.error("nothing to mark: name an image or a folder, or - for paths on standard input.")
    with closing(open_made(arguments)) as store:
        return action(arguments, store) if action else _each(arguments, store, marks)


def _marks(arguments: argparse.Namespace) -> list[Mark]:
    """Return the marks that were given."""
    given = Marks(arguments.favourite, arguments.rating or None, tuple(arguments.tag), tuple(arguments.album))
    return [checked_mark(*pair) for pair in given.pairs()]


def _each(arguments: argparse.Namespace, store: Store, marks: list[Mark]) -> int:
    """Read, mark, print and write images, some at a time."""
    images = _Images(store, arguments.items)
    writer = SidecarWriter(arguments, images.report)
    sets, read, had = bool(marks) or arguments.rating == 0, 0, 0
    shows = not (sets or arguments.read_xmp or arguments.write_xmp)
    for some in batched(images, _AT_ONCE):
        digests = [digest for _, digest in some]
        if arguments.read_xmp:
            read += _read_xmp(store, some, images.report)
        if sets:
            had += _mark(arguments, store, digests, marks)
        known = store.marks_of(digests) if shows or arguments.write_xmp else {}
        for path, digest in some if known else ():
            if shows:
                _print(arguments, path, digest, known[digest])
            else:
                writer.write(path, with_marks, Marks.of(known[digest]))
    if sets:
        removed = f"marks removed from {counted(had, 'image')} of {images.count:,}."
        say(removed if arguments.remove else f"{counted(images.count, 'image')} marked.")
    if arguments.read_xmp:
        say(f"{counted(images.count, 'image')} read, {read:,} with new marks.")
    if arguments.write_xmp:
        writer.finish()
    say_left_out({}, images.report.count)
    return exit_status(images.report.count, images.count)


class _Images:
    """Images that the index has, with the SHA-256 of each; others are reported."""

    def __init__(self, store: Store, items: list[str]) -> None:
        self._store = store
        self._items = items
        self._directory, self._files = "", dict[str, FileState]()  # of the last file
        self.report = Reporter()
        self.count = 0

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Iterate over pairs of a path and a SHA-256."""
        for path in self._named() if self._items else self._indexed(None):
            try:
                digest = self._digest(path)
            except NumPyCLIPError as error:
                self.report(error)
                continue
            self.count += 1
            yield path, digest

    def _named(self) -> Iterator[str]:
        """Iterate over files that are named, and those of the index in folders that are."""
        for item in with_stdin(self._items, paths_in):
            if not (is_path(item) and os.path.isdir(item)):  # noqa: PTH112
                yield item
                continue
            before = self.count
            for folder in dict.fromkeys((absolute(item), os.path.realpath(item))):
                yield from (os.path.join(item, os.path.relpath(path, folder)) for path in self._indexed(folder))  # noqa: PTH118
            if self.count == before:
                self.report(f"{item}: the index has no images in this folder; add them first: numpyclip index FOLDER.")

    def _indexed(self, folder: str | None) -> Iterator[str]:
        """Iterate over the files of the index, perhaps those in a folder."""
        for directory in sorted(self._store.directories(folder)):
            for name, state in self._store.files(directory).items():
                if state.digest is not None:
                    yield str(Path(directory, name))

    def _digest(self, path: str) -> bytes:
        """Return the SHA-256 of a file; of one that has not changed since it was indexed, without reading it."""
        directory, name = os.path.split(absolute(path))
        if directory != self._directory:
            self._directory, self._files = directory, self._store.files(directory)
        known = self._files.get(name)
        if known is not None and known.digest is not None and known == storable(FileState.of(path)):
            return known.digest
        digest = digest_of(path)
        if not self._store.knows(digest):
            raise PictureError(f"{path}: is not in the index; add it first: numpyclip index FOLDER.")
        return digest


def _mark(arguments: argparse.Namespace, store: Store, digests: list[bytes], marks: list[Mark]) -> int:
    """Mark images; or remove marks, and return how many images had one of these."""
    if arguments.rating == 0:
        store.unmark(digests, "rating")
    if not arguments.remove:
        store.mark_all((digest, mark) for digest in digests for mark in marks)
        return 0
    before = store.marks_of(digests)
    for mark in marks:
        store.unmark(digests, *mark)
    return sum(not set(marks).isdisjoint(before[digest]) for digest in digests)


def _read_xmp(store: Store, images: Sequence[tuple[str, bytes]], report: Reporter) -> int:
    """Add what the XMP of images and their sidecars says; return of how many it said something new."""
    known, sidecars = store.marks_of([digest for _, digest in images]), Sidecars()
    new: list[tuple[bytes, Mark]] = []
    for path, digest in images:
        try:
            said = read_marks(path, sidecars).pairs()
        except PictureError as error:
            report(error)
            continue
        for pair in said:
            try:
                mark = checked_mark(*pair)
            except InputError as error:
                report(PictureError(f"{path}: in its XMP, {error}"))
                continue
            if mark not in known[digest]:
                new.append((digest, mark))
    store.mark_all(new)
    return len({digest for digest, _ in new})


def _print(arguments: argparse.Namespace, path: str, digest: bytes, marks: list[Mark]) -> None:
    """Print the marks of an image."""
    if arguments.json:
        print_json({"path": path, "sha256": digest.hex(), **Marks.of(marks).to_dict()})
    else:
        print_columns(path, *(f"{kind} {name}".strip() for kind, name in marks))


def _list(arguments: argparse.Namespace, store: Store) -> int:
    for kind, names in store.marks().items():
        for name, count in names.items():
            if arguments.json:
                print_json({"kind": kind, "name": name, "count": count})
            else:
                print_columns(count, kind, name)
    if missing := store.marked_without_file():
        say(
            f"marks of {counted(missing, 'image')} not in the index (removed, or changed by another program) are kept, "
            "too; --export-json writes them."
        )
    return 0


def _export(arguments: argparse.Namespace, store: Store) -> int:
    target = None if arguments.export == "-" else Path(arguments.export).resolve()
    check_output(target)
    content = exported_marks(store)
    text = json_text(content, indent=1) + "\n"
    if target is None:
        write(text)
    else:
        with atomic_file(target) as file:
            file.write(text.encode())
        say(f"marks of {counted(len(content['images']), 'image')} written to {target}.")
    return 0


def _import(arguments: argparse.Namespace, store: Store) -> int:
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
