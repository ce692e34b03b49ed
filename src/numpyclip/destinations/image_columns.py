"""METADATA OF IMAGES → COLUMNS, and back: with these, an index identifies images without reading their files.

``sha256`` is in hexadecimal, as `sha256sum` prints it and img2dataset has it, so that tables can be joined. ``size``
and ``mtime_ns`` are of files on the machine that embedded them, and null for all others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpyclip.destinations.row import OutputRow
from numpyclip.images.exif import MOST_LATITUDE, MOST_LONGITUDE, Exif, is_date
from numpyclip.images.find import FileState
from numpyclip.images.metadata import ImageMetadata
from numpyclip.sources.part import Kind

if TYPE_CHECKING:
    from pyarrow import Array, DataType

_NEEDED = ("sha256", "width", "height", "taken", "latitude", "longitude", "size", "mtime_ns")
_MORE = ("camera", "lens", "utc_offset", "duration")  # which earlier versions did not write
NAMES = (*_NEEDED, *_MORE)

_OFFSET = re.compile(r"[+-]\d\d:\d\d", re.ASCII)
_LONGEST = 200  # characters of a name
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIDES, _SIZES, _TIMES = range(1 << 31), range(1 << 63), range(-(1 << 63), 1 << 63)


def image_types(kind: Kind) -> dict[str, DataType]:
    """Return the types of the columns; texts have none."""
    import pyarrow

    text, side, number, place = pyarrow.string(), pyarrow.int32(), pyarrow.int64(), pyarrow.float64()
    types = (text, side, side, text, place, place, number, number, text, text, text, place)
    return dict(zip(NAMES, types, strict=True)) if kind == "images" else {}


def image_columns(rows: Sequence[OutputRow], kind: Kind) -> dict[str, Array]:
    """Make the columns of some rows; nulls where nothing is known."""
    import pyarrow

    if kind != "images":
        return {}
    values = zip(*(_values(row.metadata) for row in rows), strict=True)
    types = image_types(kind).items()
    return {name: pyarrow.array(column, of) for (name, of), column in zip(types, values, strict=True)}


def image_metadata(columns: Mapping[str, Sequence[Any]], count: int) -> list[ImageMetadata | None]:
    """Read the metadata of some rows; None where there is none, or it is not as it is written here.

    Columns of img2dataset, whose ``sha256`` is that of the image before it was resized, are no such metadata.
    """
    if not columns.keys() >= set(_NEEDED):
        return [None] * count
    nothing = [None] * count
    return [_metadata(*values) for values in zip(*(columns.get(name, nothing) for name in NAMES), strict=True)]


def is_state(size: Any, mtime_ns: Any) -> bool:
    """Tell whether these are of a file, in numbers that every index holds."""
    return type(size) is type(mtime_ns) is int and size in _SIZES and mtime_ns in _TIMES


def _values(metadata: ImageMetadata | None) -> tuple[Any, ...]:
    if metadata is None:
        return (None,) * len(NAMES)
    exif, state = metadata.exif, metadata.state
    size, mtime_ns = (None, None) if state is None else (state.size, state.mtime_ns)
    return (
        *(metadata.digest.hex(), exif.width, exif.height, exif.taken, exif.latitude, exif.longitude, size, mtime_ns),
        *(exif.camera, exif.lens, exif.offset, exif.duration),
    )


def _metadata(*values: Any) -> ImageMetadata | None:
    sha256, width, height, taken, latitude, longitude, size, mtime_ns, *more = values
    sound = (
        (type(sha256) is str and _DIGEST.fullmatch(sha256))
        and (type(width) is type(height) is int and width in _SIDES and height in _SIDES)
        and (taken is None or is_date(taken))
        and (latitude is None or (type(latitude) is float and abs(latitude) <= MOST_LATITUDE))
        and (longitude is None or (type(longitude) is float and abs(longitude) <= MOST_LONGITUDE))
        and (size is None or is_state(size, mtime_ns))
    )
    if not sound:
        return None
    state = None if size is None else FileState(size, mtime_ns)
    exif = Exif(width, height, taken, latitude, longitude, *_more(*more))
    return ImageMetadata(bytes.fromhex(sha256), exif, state)


def _more(
    camera: Any, lens: Any, offset: Any, duration: Any
) -> tuple[str | None, str | None, str | None, float | None]:
    """Return what is as it is written here, for other programs have columns of these names."""
    camera, lens = (
        name if isinstance(name, str) and 0 < len(name) <= _LONGEST and name.isprintable() else None
        for name in (camera, lens)
    )
    offset = offset if isinstance(offset, str) and _OFFSET.fullmatch(offset) else None
    return camera, lens, offset, duration if isinstance(duration, float) and 0 <= duration < math.inf else None
