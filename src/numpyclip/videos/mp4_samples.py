"""MP4 → NUMBER OF SAMPLES that its header claims: FFmpeg allocates memory for each, whether it is there or not."""

from __future__ import annotations

import os
from typing import IO

from numpyclip.images.boxes import read_box

_CONTAINERS = frozenset(
    b"moov trak mdia minf stbl moof traf mvex udta edts dinf free hoov".split()  # the last two FFmpeg looks into
)
_COUNTS = {b"stsz": 8, b"trun": 4}  # where the count is in boxes in which a sample may take no byte
_COMPRESSED = b"cmov"  # a header of the nineties
_MOST_BOXES = 1_000_000


def claims_too_much(file: IO[bytes]) -> bool:
    """Tell whether a file claims more samples than it has bytes; one that is no MP4 (ISO/IEC 14496-12) does not."""
    length = os.fstat(file.fileno()).st_size
    total, waiting = 0, [(0, length)]
    for _ in range(_MOST_BOXES):
        if not waiting or total > length:
            break
        place, end = waiting.pop()
        if place + 8 > end or (box := read_box(file, place)) is None:
            continue
        kind, header, size = box
        if size == 0 and header == 8:
            size = end - place
        if size < header:
            continue
        waiting.append((place + size, end))
        if kind in _CONTAINERS:
            waiting.append((place + header, min(place + size, end)))
        elif kind in _COUNTS:
            file.seek(place + header + _COUNTS[kind])
            total += int.from_bytes(file.read(4), "big")
        elif kind == _COMPRESSED:
            total = length + 1
    file.seek(0)
    return total > length or bool(waiting)
