"""Names of moments of videos: ``clip.mp4@12.5``."""

from __future__ import annotations

import re
from typing import NamedTuple

from numpyclip.videos.container import is_video_name

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


class Moment(NamedTuple):
    """A video, and a time in it in seconds."""

    path: str
    seconds: float


def moment_of(name: str) -> Moment | None:
    """Return the moment that a name stands for; None if it is that of a file."""
    path, _, seconds = name.rpartition("@")
    return Moment(path, float(seconds)) if is_video_name(path) and _SECONDS.fullmatch(seconds) else None
