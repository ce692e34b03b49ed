"""VIDEO → FRAMES: those where the image changes, and one every few seconds, with their times, in flat memory."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpyclip.errors import PictureError
from numpyclip.videos.changes import changes
from numpyclip.videos.container import check_size, duration_of, opened, start_of, unreadable
from numpyclip.videos.frame_image import image_of, luma_of
from numpyclip.videos.video_options import DEFAULTS, VideoOptions

if TYPE_CHECKING:
    from PIL import Image

_MAX_GROUP = 64 << 20  # bytes of compressed frames that wait for the next keyframe
_MAX_ERRORS = 1000  # packets in a row that cannot be decoded


@dataclass
class VideoDecoding:
    """A video that is being decoded."""

    name: str
    options: VideoOptions
    every: float  # seconds between frames, at most
    spent: float = 0.0  # seconds of decoding
    failed: int = 0  # packets in a row
    note: str | None = None  # why the rest is left out

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time of a block."""
        begun = time.perf_counter()
        yield
        self.spent += time.perf_counter() - begun


def frames(
    path: str | os.PathLike[str], side: int, options: VideoOptions = DEFAULTS
) -> Iterator[tuple[float, Image.Image]]:
    """Iterate over frames of a video with their times in seconds, as players count them.

    Groups of pictures that are no longer than half of `options.every` are represented by their keyframe, and the rest
    of them is not decoded.

    Parameters
    ----------
    path : str or path
        Of a regular file.
    side : int
        Frames are reduced so that their shorter side has so many pixels, with their rotation and shape of pixels
        applied, and high dynamic range made standard.
    options : VideoOptions, optional

    Raises
    ------
    MissingPackageError
        If PyAV is not installed.
    PictureError
        If no frame can be decoded, or frames are too large. If a part is damaged, or decoding it takes too long, a
        warning says so.
    """
    name = os.fsdecode(path)
    with opened(path, options) as (container, stream):
        start, duration = start_of(container), duration_of(container) or 0.0
        apart = duration / options.max_frames
        decoding = VideoDecoding(name, options, max(options.every, 2 * apart))
        count = 0
        shown = ((_time_of(frame, stream, start), frame) for frame in _decoded(container, stream, decoding))
        for seconds, frame in changes(shown, luma_of, decoding.every, apart):
            yield seconds, image_of(frame, side, stream.sample_aspect_ratio)
            count += 1
            if count == options.max_frames:
                break
    if not count:
        raise PictureError(f"{name}: has no frame that can be decoded{_because(decoding)}.")
    if decoding.note:
        warnings.warn(f"{name}: {decoding.note}", stacklevel=2)


def frame_at(path: str | os.PathLike[str], seconds: float, side: int, options: VideoOptions = DEFAULTS) -> Image.Image:
    """Return the frame that is shown at a time, or the last one.

    Raises
    ------
    MissingPackageError
        If PyAV is not installed.
    PictureError
        If there is none that can be decoded.
    """
    decoding = VideoDecoding(os.fsdecode(path), options, options.every)
    for is_near in (True, False):
        with opened(path, options) as (container, stream):
            stream.codec_context.skip_frame = "DEFAULT"
            if is_near and seconds > 0:
                _seek(container, stream, seconds)
            frame = _shown_at(container, stream, decoding, seconds)
            # FFmpeg may have come to a later place; then all is decoded from the start.
            if frame is not None and not (is_near and _time_of(frame, stream, start_of(container)) > seconds):
                return image_of(frame, side, stream.sample_aspect_ratio)
    raise PictureError(f"{decoding.name}: has no frame at {seconds:g} s that can be decoded{_because(decoding)}.")


def first_frame(name: str, container: Any, stream: Any, options: VideoOptions) -> Any:
    """Return the first frame of a video that is open; None if there is none that can be decoded."""
    return next(_decoded(container, stream, VideoDecoding(name, options, options.every)), None)


def _seek(container: Any, stream: Any, seconds: float) -> None:
    """Go to the keyframe before a time, if that is possible."""
    import av

    end = duration_of(container)
    begin = start_of(container) + (seconds if end is None else min(seconds, end))
    with suppress(av.FFmpegError):
        container.seek(max(0, round(begin / float(stream.time_base))), stream=stream)


def _shown_at(container: Any, stream: Any, decoding: VideoDecoding, seconds: float) -> Any:
    """Decode until the frame that is shown at a time, or the first one after it; None if there is none."""
    start, found = start_of(container), None
    for packet in _packets(container, stream, decoding):
        for frame in _frames_of(packet, stream, decoding):
            if found is not None and _time_of(frame, stream, start) > seconds + 1e-6:
                return found
            found = frame
    return found


def _because(decoding: VideoDecoding) -> str:
    return f" ({decoding.note.removesuffix('.')})" if decoding.note else ""


def _time_of(frame: Any, stream: Any, start: float) -> float:
    pts = frame.pts if frame.pts is not None else frame.dts
    return 0.0 if pts is None else round(max(0.0, float(pts * stream.time_base) - start), 3)


def _decoded(container: Any, stream: Any, decoding: VideoDecoding) -> Iterator[Any]:
    """Decode the packets that are needed."""
    for packet, first in _needed(_packets(container, stream, decoding), decoding):
        for frame in _frames_of(packet, stream, decoding):
            # What is shown before the keyframe needs frames of the group before, which were not decoded.
            if frame.key_frame or first is None or frame.pts is None or frame.pts >= first:
                check_size(decoding.name, frame.width, frame.height, decoding.options)
                yield frame


def _needed(packets: Iterator[Any], decoding: VideoDecoding) -> Iterator[tuple[Any, int | None]]:
    """Choose the keyframe of each group of pictures, and all of groups that are long, with the time of the keyframe.

    The last one is None, for the frames that the decoder holds.
    """
    group: list[Any] = []  # as long as it is not known which it is
    is_whole, first = False, None
    for packet in packets:
        if not packet.size:  # FFmpeg's mark of the end
            break
        if packet.is_keyframe:
            if group:
                yield group[0], None
            group, is_whole = [packet], False
        elif is_whole:
            yield packet, first
        else:
            group.append(packet)
            if is_whole := _is_long(group, decoding):
                first = group[0].pts if group[0].is_keyframe else None
                yield from ((each, first) for each in group)
                group = []
    if group:
        yield group[0], None
    yield None, None


def _is_long(group: list[Any], decoding: VideoDecoding) -> bool:
    """Tell whether a group needs more than its first frame."""
    times = [packet.dts for packet in (group[0], group[-1]) if packet.dts is not None]
    span = float((times[1] - times[0]) * group[0].time_base) if len(times) == 2 else decoding.every
    too_much = len(group) > 1 and sum(packet.size for packet in group) > _MAX_GROUP
    return not group[0].is_keyframe or span > decoding.every / 2 or too_much


def _packets(container: Any, stream: Any, decoding: VideoDecoding) -> Iterator[Any]:
    """Read packets until one cannot be read, or decoding has taken too long."""
    import av

    packets = container.demux(stream)
    try:
        while True:
            with decoding.timed():
                packet = next(packets, None)
            if packet is None:
                return
            if decoding.spent > decoding.options.max_seconds:
                decoding.note = f"decoding takes more than {decoding.options.max_seconds:g} s; the rest is left out."
                return
            yield packet
    except (av.FFmpegError, OSError) as error:
        decoding.note = f"the rest cannot be read ({unreadable('', error)})."


def _frames_of(packet: Any, stream: Any, decoding: VideoDecoding) -> list[Any]:
    """Decode a packet; what is damaged is passed over, unless nothing else comes."""
    import av

    try:
        with decoding.timed():
            found: list[Any] = stream.codec_context.decode(packet)
    except (av.FFmpegError, ValueError) as error:
        decoding.failed += 1
        decoding.note = "a part of it is damaged, and left out."
        if decoding.failed > _MAX_ERRORS:
            raise unreadable(decoding.name, error) from error
        return []
    decoding.failed = 0
    return [frame for frame in found if not frame.is_corrupt]
