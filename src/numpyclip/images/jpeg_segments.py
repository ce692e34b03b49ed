"""The segments of a JPEG file (ITU-T T.81, annex B), without decoding it."""

import re
from collections.abc import Iterator

START_OF_SCAN = b"\xff\xda"
END_OF_IMAGE = b"\xff\xd9"

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # in the data of a scan 0 or a restart follows on 255


def jpeg_segments(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Give the marker of each segment before the end of the image, and where its content begins and ends.

    The content may end beyond the data, of a file that is cut short.
    """
    place = 0
    while (marker := _MARKER.search(data, place)) is not None and marker[0] != END_OF_IMAGE:
        start = marker.end() + 2
        place = marker.end() + int.from_bytes(data[marker.end() : start], "big")
        yield marker[0], start, place
