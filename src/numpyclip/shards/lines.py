"""LISTS → ROWS: paths or URLs of images, or texts, one a line; empty lines are none."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from typing import IO

from numpyclip.escaping import column_text
from numpyclip.remote import open_stream, without_secrets
from numpyclip.shards.columns import CAPTION
from numpyclip.shards.fetch import fetched, located
from numpyclip.shards.part import Part, ReadOptions, Row

_MOST_LINE = 2**20  # bytes


def read_lines(part: Part, options: ReadOptions) -> Iterator[Row]:
    """Iterate over the lines of a part: of a text, the key is the byte at which its line begins."""
    found = lines(part.source, part.start, part.stop)
    rows = (_row(part.source, offset, line, options) for offset, line, _ in found)
    return fetched(rows, part.source) if options.kind == "images" else rows


def lines(source: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes | None, int]]:
    """Iterate over the lines of a list that are not empty, as the byte of their beginning, line, and byte of their end.

    A line that is too long is None.

    Raises
    ------
    InputError
        If the list cannot be read.
    """
    with open_stream(source, start) as stream:
        position = start
        while stop is None or position < stop:
            offset, line = position, stream.readline(_MOST_LINE + 1)
            if not line:
                return
            position += len(line)
            is_whole = len(line) <= _MOST_LINE or line.endswith(b"\n")
            if not is_whole:
                position += _skip_line(stream)
            if offset == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            if line.strip():
                yield offset, line.rstrip(b"\r\n") if is_whole else None, position


def _skip_line(stream: IO[bytes]) -> int:
    """Read to the end of a line, and return how many bytes that were."""
    skipped = 0
    while piece := stream.readline(_MOST_LINE):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def printed_path(text: str) -> str:
    """Return the path that other programs, or commands in their tables, have printed as this text."""
    return column_text(text) if text.startswith('"') and not os.path.lexists(text) else text


def _row(source: str, offset: int, line: bytes | None, options: ReadOptions) -> Row:
    where = f"{without_secrets(source)}/{offset}"
    if line is None:
        return Row(where, None, {}, f"{source}: the line at byte {offset} has more than {_MOST_LINE >> 20} MiB.")
    if options.kind == "images":
        place = located(printed_path(os.fsdecode(line)), source)
        return Row(place, place, {})
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Row(where, None, {}, f"{source}: the line at byte {offset} is not UTF-8 ({error.reason}).")
    return Row(where, text, {CAPTION: text})
