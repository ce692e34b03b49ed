"""Boxes (ISO/IEC 14496-12), of which MP4, QuickTime and JPEG XL files consist."""

from __future__ import annotations

from typing import IO, NamedTuple


class Box(NamedTuple):
    """What a box begins with."""

    kind: bytes
    header: int  # bytes before its content
    size: int  # bytes, with these; of a header of 8 bytes 0 is all that is left


def read_box(file: IO[bytes], place: int) -> Box | None:
    """Read how the box at a place begins; None if there is none."""
    file.seek(place)
    head = file.read(16)
    if len(head) < 8:
        return None
    size = int.from_bytes(head[:4], "big")
    return Box(head[4:8], 16, int.from_bytes(head[8:], "big")) if size == 1 else Box(head[4:8], 8, size)
