"""VIDEO → METADATA of its header: size, duration, date, GPS coordinates and camera."""

from __future__ import annotations

import datetime
import math
import os
import re
from collections.abc import Mapping

from numpyclip.images.camera import camera_name
from numpyclip.images.dates import Dated, local_date, written_date
from numpyclip.images.exif import Exif
from numpyclip.videos.container import duration_of, opened
from numpyclip.videos.frames import first_frame
from numpyclip.videos.video_options import DEFAULTS, VideoOptions

_LOCAL, _UTC = "com.apple.quicktime.creationdate", "creation_time"
_PLACES = ("com.apple.quicktime.location.ISO6709", "location")
_FIRST = "1971"  # clocks that were never set say 1904 or 1970, in UTC
_CAMERAS = (
    ("com.apple.quicktime.make", "com.apple.quicktime.model"),
    ("com.android.manufacturer", "com.android.model"),
    ("make", "model"),
)
_PLACE = re.compile(r"([+-]\d{2}\.\d+)([+-]\d{3}\.\d+)", re.ASCII)


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
        dated, duration = _dated(metadata) or Dated(None), duration_of(container)
        return Exif(
            *(width, height, dated.taken, latitude, longitude, _camera(metadata)),
            offset=dated.offset,
            duration=duration and round(duration, 3),
        )


def _dated(metadata: Mapping[str, str]) -> Dated | None:
    """Return when it was taken, as the camera's clock had it, else as this machine's has it."""
    if (dated := written_date(metadata.get(_LOCAL))) is not None:
        return dated
    utc = written_date(metadata.get(_UTC))
    if utc is None or utc.taken is None or utc.taken < _FIRST:
        return None
    return local_date(datetime.datetime.fromisoformat(utc.taken))


def _camera(metadata: Mapping[str, str]) -> str | None:
    names = (camera_name(metadata.get(make), metadata.get(model)) for make, model in _CAMERAS)
    return next(filter(None, names), None)


def _place_of(metadata: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Return latitude and longitude; 0, 0 is no place."""
    for name in _PLACES:
        if match := _PLACE.match(metadata.get(name, "")):
            latitude, longitude = float(match[1]), float(match[2])
            if math.hypot(latitude, longitude) > 0 and abs(latitude) <= 90 and abs(longitude) <= 180:
                return latitude, longitude
    return None, None
