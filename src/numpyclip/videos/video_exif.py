"""VIDEO → what its header says: its size, how long it is, and when and where it was taken."""

from __future__ import annotations

import datetime
import math
import os
import re

from numpyclip.images.exif import Exif
from numpyclip.videos.container import duration_of, opened
from numpyclip.videos.frames import first_frame
from numpyclip.videos.video_options import DEFAULTS, VideoOptions

_LOCAL, _UTC = "com.apple.quicktime.creationdate", "creation_time"
_PLACES = ("com.apple.quicktime.location.ISO6709", "location")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})", re.ASCII)
_PLACE = re.compile(r"([+-]\d{2}\.\d+)([+-]\d{3}\.\d+)", re.ASCII)
_FIRST_YEAR = 1971  # dates before are those of clocks that were never set


def read_video_exif(path: str | os.PathLike[str], options: VideoOptions = DEFAULTS) -> Exif:
    """Read the header of a video; what is malformed in it is ignored.

    Raises
    ------
    MissingPackageError
        If PyAV is not installed.
    PictureError
        If it cannot be read as a video.
    """
    with opened(path, options) as (container, stream):
        metadata = {**stream.metadata, **container.metadata}
        width, height = stream.codec_context.width, stream.codec_context.height
        if (shape := stream.sample_aspect_ratio) and 0.1 < shape < 10:
            width = round(width * shape)
        frame = first_frame(os.fsdecode(path), container, stream, options)
        if frame is not None and round(frame.rotation / 90) % 2 == 1:  # it is shown on its side
            width, height = height, width
        latitude, longitude = _place_of(metadata)
        duration = duration_of(container)
        return Exif(width, height, _taken(metadata), latitude, longitude, duration=duration and round(duration, 3))


def _taken(metadata: dict[str, str]) -> str | None:
    """Return the local time at which it was taken, as the camera's clock had it, else as this machine's has it."""
    for name in (_LOCAL, _UTC):
        if not (match := _DATE.match(metadata.get(name, ""))):
            continue
        try:
            taken = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}")
            if name == _UTC:
                taken = taken.replace(tzinfo=datetime.timezone.utc).astimezone().replace(tzinfo=None)
        except (ValueError, OverflowError, OSError):
            continue
        if taken.year >= _FIRST_YEAR:
            return taken.isoformat()
    return None


def _place_of(metadata: dict[str, str]) -> tuple[float | None, float | None]:
    """Return latitude and longitude; 0, 0 is no place."""
    for name in _PLACES:
        if match := _PLACE.match(metadata.get(name, "")):
            latitude, longitude = float(match[1]), float(match[2])
            if math.hypot(latitude, longitude) > 0 and abs(latitude) <= 90 and abs(longitude) <= 180:
                return latitude, longitude
    return None, None
