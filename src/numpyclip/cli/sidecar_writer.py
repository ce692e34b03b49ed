"""XMP sidecars of images, as commands write them, or print in a dry run what would change."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TypeVar

from numpyclip.cli.inputs import Reporter
from numpyclip.cli.options import Options
from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.errors import NumPyCLIPError
from numpyclip.images.embedded_xmp import embedded_marks
from numpyclip.images.find import FileState
from numpyclip.images.sidecars import Sidecars, read_sidecar, replace_sidecar
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import automatic_in, marks_in

_T = TypeVar("_T")


def add_sidecar_options(command: argparse.ArgumentParser, what: str) -> Options:
    """Add whether and how sidecars are written, and return the group of these options."""
    group = command.add_argument_group("XMP sidecars")
    group.add_argument("--write-xmp", action="store_true", help=f"write {what} into sidecars; a dry run without --yes")
    group.add_argument("--yes", action="store_true", help="really write")
    group.add_argument(
        "--xmp-name",
        choices=["append", "replace"],
        default="append",
        help="of new sidecars: IMG.jpg.xmp, for digiKam, darktable and Immich (default), or IMG.xmp, for Adobe's "
        "programs, which read it for raw files only; those that are there keep their names",
    )
    return group


class SidecarWriter:
    """Writes sidecars, with --yes, and prints what changes in each."""

    def __init__(self, arguments: argparse.Namespace, report: Reporter) -> None:
        self._arguments = arguments
        self._report = report
        self._sidecars = Sidecars(arguments.xmp_name)
        self._count = 0

    def write(self, path: str, change: Callable[[Packet, _T, Sequence[str]], bytes], what: _T) -> bool:
        """Write something into the sidecars of an image, or into a new one if there is none.

        `change` is given a packet, what is to be written, and the tags in the image itself. An error is reported, and
        False is returned.
        """
        try:
            FileState.of(path)  # of an image that is not there nothing is written
            there, embedded = self._sidecars.of(path), embedded_marks(path).tags
            for sidecar in there or [self._sidecars.new(path)]:
                before = read_sidecar(sidecar) if there else None
                data = change(before or Packet(), what, embedded)
                if data != (before or Packet()).edited({}):
                    self._write(path, sidecar, before, data)
        except NumPyCLIPError as error:
            self._report(error)
            return False
        return True

    def finish(self) -> None:
        """Say on stderr what was done."""
        files = f"{self._count:,} sidecar" + "s" * (self._count != 1)
        say(f"{files} written." if self._arguments.yes else f"a dry run, {files} would be written; add --yes to do it.")

    def _write(self, path: str, sidecar: str, before: Packet | None, data: bytes) -> None:
        if self._arguments.yes:
            is_empty = data == Packet().edited({})  # it was made for what is removed again
            replace_sidecar(sidecar, before, None if is_empty else data)
        self._count += 1
        changes = _differences(before or Packet(), Packet(data))
        if self._arguments.json:
            print_json({"path": path, "sidecar": sidecar, "changes": changes, "written": self._arguments.yes})
        else:
            print_columns(path, sidecar, ", ".join(changes))


def _differences(before: Packet, after: Packet) -> list[str]:
    """List what differs between two packets: ``+beach``, ``-sea``, ``rating 4``."""
    old, new = marks_in(before), marks_in(after)
    changes = [f"rating {new.rating or 'none'}"] * (old.rating != new.rating)
    changes += [f"{'+' if new.favourite else '-'}favourite"] * (old.favourite != new.favourite)
    for prefix, here, there in (
        ("", old.tags, new.tags),
        ("automatic ", automatic_in(before), automatic_in(after)),
        ("album ", old.albums, new.albums),
    ):
        changes += [f"+{prefix}{name}" for name in there if name not in here]
        changes += [f"-{prefix}{name}" for name in here if name not in there]
    return changes or ["notes of numpyclip"]
