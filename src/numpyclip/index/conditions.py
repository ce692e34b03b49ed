"""Which files of an index are meant, in the words of SQL."""

from __future__ import annotations

import datetime
import os
from typing import Any

from numpyclip.index.records import Where


def below(folder: str) -> tuple[str, tuple[bytes, bytes, bytes]]:
    """Write the condition for a folder and those below it, which are a range of bytes."""
    path = os.fsencode(folder)
    separator = os.fsencode(os.sep)
    start = path if path.endswith(separator) else path + separator
    end = start[:-1] + bytes([start[-1] + 1])
    return "(directory = ? OR (directory >= ? AND directory < ?))", (path, start, end)


def conditions(where: Where) -> tuple[str, list[Any]]:
    """Write which files are searched."""
    written = ["picture IS NOT NULL"]
    values: list[Any] = []
    if where.folder is not None:
        condition, ends = below(where.folder)
        written.append(condition)
        values.extend(ends)
    for sign, date in ((">=", where.after), ("<", where.before)):
        if date is not None:
            written.append(f"date {sign} ?")
            values.append(date)
    return " AND ".join(written), values


def local_time(mtime_ns: int) -> str:
    """Write when a file was changed, as EXIF data writes when a picture was taken."""
    try:
        return datetime.datetime.fromtimestamp(mtime_ns // 10**9).isoformat()  # local time, as EXIF's
    except (OverflowError, OSError, ValueError):  # a file system with nonsense in it
        return ""
