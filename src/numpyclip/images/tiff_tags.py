"""TAGS OF TIFF AND EXIF (TIFF 6.0, section 2), read one by one where Pillow does not open the file they are in."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import IO, Any

_FORMS = {1: "s", 2: "s", 3: "H", 4: "L", 5: "LL", 6: "b", 7: "s", 8: "h", 9: "l", 10: "ll", 11: "f", 12: "d", 13: "L"}
_BYTES, _RATIOS = ("s",), ("LL", "ll")
_MOST_ENTRIES = 1000  # of a directory
_MOST_BYTES = 1 << 20  # of a value; longer ones are left out

Tags = dict[int, Any]


class TiffTags:
    """Directories of tags in a file, or in a part of it that begins with the header of TIFF."""

    def __init__(self, file: IO[bytes], start: int = 0, order: str | None = None) -> None:
        self._file, self._start = file, start
        header = self._read(0, 8)
        self._order = order or (">" if header[:2] == b"MM" else "<")
        self.first: int = self._unpacked("L", header[4:])[0] if len(header) == 8 else 0

    def read(self, place: int, wanted: Collection[int]) -> Tags:
        """Read tags of a directory: bytes, or a number, or a tuple of them; damaged ones are left out."""
        tags: Tags = {}
        (count,) = self._unpacked("H", self._read(place, 2)) or (0,)
        table = self._read(place + 2, 12 * min(count, _MOST_ENTRIES))
        for at in range(0, len(table) - 11, 12):
            tag, kind, count = struct.unpack_from(f"{self._order}HHL", table, at)
            if tag in wanted and kind in _FORMS and (value := self._value(kind, count, table[at + 8 : at + 12])):
                tags[tag] = value[0] if len(value) == 1 and not isinstance(value, bytes) else value
        return tags

    def _value(self, kind: int, count: int, place: bytes) -> bytes | tuple[Any, ...]:
        form = _FORMS[kind]
        size = struct.calcsize(f"={form}") * count
        if size > _MOST_BYTES:
            return b""
        data = place[:size] if size <= 4 else self._read(self._unpacked("L", place)[0], size)
        if form in _BYTES or len(data) < size:
            return data if form in _BYTES else b""
        numbers = self._unpacked(form * count, data)
        if form not in _RATIOS:
            return numbers
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(above / below if below else float("nan") for above, below in pairs)

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(self._start + place)
        return self._file.read(size)

    def _unpacked(self, form: str, data: bytes) -> tuple[Any, ...]:
        form = f"{self._order}{form}"
        return struct.unpack(form, data) if len(data) == struct.calcsize(form) else ()
