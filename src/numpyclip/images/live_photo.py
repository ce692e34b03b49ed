"""LIVE PHOTOS: an image and the short video beside it, which are one item."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import IO

from numpyclip.images.boxes import read_box
from numpyclip.images.find import is_picture_name, stem
from numpyclip.images.tiff_tags import TiffTags
from numpyclip.regular_file import open_regular

_VIDEOS = (".mov", ".mp4")
_APPLE, _IDENTIFIER = b"Apple iOS\0", 0x11  # in its maker note, whose directory follows on a header of 14 bytes
_KEY = b"com.apple.quicktime.content.identifier"
_MOST_BOXES = 1000
_MOST_BYTES = 32 << 20  # of an image, or of the description of a video
_FIRST_BYTES = 1 << 17  # of an image, which mostly has its EXIF data there


def live_photo_videos(folder: str, videos: Iterable[str], pictures: Iterable[str]) -> set[str]:
    """Find the videos in a folder that belong to an image in it.

    Such a video has the stem of the image, and the same content identifier: in the maker note of Apple's EXIF data,
    and in the video under the QuickTime key ``com.apple.quicktime.content.identifier``. Where either is missing, as in
    copies that were sent or converted, the video is one of its own.

    Parameters
    ----------
    folder : str
    videos, pictures : iterable of str
        Names of files in it, of which others may be among them; only an image and a video of one stem are opened.
    """
    by_stem: dict[str, list[str]] = {}
    for name in filter(is_picture_name, pictures):
        by_stem.setdefault(stem(name), []).append(name)
    return {
        video
        for video in videos
        if video.lower().endswith(_VIDEOS) and (beside := by_stem.get(stem(video)))
        if (identifier := _of_video(os.path.join(folder, video)))
        if any(_of_picture(os.path.join(folder, name)) == identifier for name in beside)
    }


def _of_picture(path: str) -> bytes | None:
    """Read the content identifier of an image, of any format; None if it has none, or cannot be read."""
    try:
        with open_regular(path) as file:
            data = file.read(_FIRST_BYTES)
            if _APPLE not in data:
                data += file.read(_MOST_BYTES)
    except (OSError, ValueError):
        return None
    if (place := data.find(_APPLE)) < 0:
        return None
    found = TiffTags(BytesIO(data[place:]), order=">").read(14, {_IDENTIFIER}).get(_IDENTIFIER)
    return found.rstrip(b"\0 ") or None if isinstance(found, bytes) else None


def _of_video(path: str) -> bytes | None:
    """Read the content identifier of a video, from its boxes (ISO/IEC 14496-12, and QuickTime's metadata)."""
    try:
        with open_regular(path) as file:
            described = _described(file)
    except (OSError, ValueError):
        return None
    inner = dict(_boxes(described)).get(b"udta", b"")  # where FFmpeg writes it
    for kind, meta in (*_boxes(described), *_boxes(inner)):
        if kind != b"meta":
            continue
        parts = dict(_boxes(meta if meta[4:8] == b"hdlr" else meta[4:]))  # which in MP4 has a version before them
        keys = [key for _, key in _boxes(parts.get(b"keys", b"")[8:])]
        if _KEY not in keys:
            continue
        number = (keys.index(_KEY) + 1).to_bytes(4, "big")
        data = dict(_boxes(dict(_boxes(parts.get(b"ilst", b""))).get(number, b"")))
        return data.get(b"data", b"")[8:].rstrip(b"\0 ") or None
    return None


def _described(file: IO[bytes]) -> bytes:
    """Read the content of the box that describes a video."""
    place = 0
    for _ in range(_MOST_BOXES):
        if (box := read_box(file, place)) is None:
            break
        if box.kind == b"moov":
            file.seek(place + box.header)
            return file.read(min(max(0, box.size - box.header), _MOST_BYTES))
        if box.size < box.header:
            break
        place += box.size
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the kind and the content of each box."""
    place = 0
    for _ in range(_MOST_BOXES):
        size = int.from_bytes(data[place : place + 4], "big")
        if size < 8:
            return
        yield data[place + 4 : place + 8], data[place + 8 : place + size]
        place += size
