"""LISTS → ROWS: paths or URLs of images, or texts, one a line; empty lines are ignored."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Iterator
from typing import IO

from numpyclip.errors import InputError
from numpyclip.escaping import column_text
from numpyclip.file_systems import without_passwords, without_secrets
from numpyclip.remote import open_stream
from numpyclip.sources.columns import CAPTION
from numpyclip.sources.fetch import fetched, located
from numpyclip.sources.part import Kind, Part, ReadOptions, Row

_MOST_LINE = 2**20  # bytes
_MOST_SKIPPED = 2**26  # of a line that is longer; a list has none of this length


def read_lines(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the lines of a part: of a text, the key is the byte at which its line begins."""
    with open_stream(part.source, part.start) as stream:
        yield from read_stream(stream, part, options)


def read_stream(stream: IO[bytes], part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the lines of a part whose list is open, at the first of them."""
    found = lines(stream, part.source, part.start, part.stop)
    rows = (_row(part.source, offset, line, options.kind) for offset, line, _ in found)
    return fetched(rows, part.source) if options.kind == "images" else rows


def lines(
    stream: IO[bytes], source: str, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, bytes | None, int]]:
    """Iterate over the lines of a list that are not empty, as the byte of their beginning, line, and byte of their end.

    A line that is too long is None.

    Raises
    ------
    InputError
        If a line is too long for a list.
    """
    position = start
    while stop is None or position < stop:
        offset, line = position, stream.readline(_MOST_LINE + 1)
        if not line:
            return
        position += len(line)
        is_whole = len(line) <= _MOST_LINE or line.endswith(b"\n")
        if not is_whole:
            position += _skip_line(stream, f"{without_secrets(source)}: the line at byte {offset}")
        if offset == 0:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield offset, line.rstrip(b"\r\n") if is_whole else None, position


def null_ended(stream: io.BufferedReader, source: str) -> Iterator[bytes]:
    """Iterate over paths with a null byte behind each, as ``find -print0`` writes them; InputError as of `lines`."""
    rest = b""
    while piece := stream.read1(_MOST_LINE):
        *whole, rest = (rest + piece).split(b"\0")
        yield from filter(None, whole)
        if len(rest) > _MOST_LINE:
            raise InputError(f"{source}: a path has over {_MOST_LINE >> 20} MiB; expected a null byte after each.")
    if rest:
        yield rest


def _skip_line(stream: IO[bytes], where: str) -> int:
    """Read to the end of a line, and return how many bytes that were."""
    skipped = 0
    while piece := stream.readline(_MOST_LINE):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
        if skipped > _MOST_SKIPPED:
            raise InputError(f"{where} has more than {_MOST_SKIPPED >> 20} MiB; expected one text or path a line.")
    return skipped


def decoded(source: str, offset: int, line: bytes | None, kind: Kind) -> str:
    """Return the text in a line, or the path in the bytes of the file system; InputError if it is none."""
    where = f"{without_secrets(source)}: the line at byte {offset}"
    if line is None:
        raise InputError(f"{where} has more than {_MOST_LINE >> 20} MiB; expected one text or path a line.")
    if kind == "images":
        return os.fsdecode(line)
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 ({error.reason}). Save the list as UTF-8.") from error


def printed_path(text: str) -> str:
    """Return the path that other programs, or commands in their tables, have printed as this text."""
    return column_text(text) if text.startswith('"') and not os.path.lexists(text) else text


def _row(source: str, offset: int, line: bytes | None, kind: Kind) -> Row:
    where = f"{without_secrets(source)}/{offset}"
    try:
        text = decoded(source, offset, line, kind)
    except InputError as error:
        return Row(where, None, {}, str(error))
    if kind == "images":
        place = located(printed_path(text), source)
        return Row(without_passwords(place), place, {})
    return Row(where, text, {CAPTION: text})
