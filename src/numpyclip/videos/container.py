"""FILE → PACKETS of the video in it, read through a file that is open: FFmpeg opens no other file, and no URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from numpyclip.errors import PictureError
from numpyclip.extras import missing
from numpyclip.regular_file import open_regular
from numpyclip.videos.mp4_samples import claims_too_much
from numpyclip.videos.video_options import VideoOptions

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".qt", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2ts", ".mts"),
    *(".wmv", ".flv", ".ogv"),
)
# Of FFmpeg's formats and codecs, those of cameras, phones and downloads: no playlists, which name other files.
_FORMATS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg"
_CODECS = (
    *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores"),
    *("theora", "vc1", "wmv1", "wmv2", "wmv3", "h263", "flv", "msmpeg4", "msmpeg4v2", "msmpeg4v3", "dvvideo"),
)
_MOST_SECONDS = 864_000  # ten days: what says that it is longer does not know
_MICROSECONDS = 1_000_000  # in which FFmpeg has times of containers


@cache
def can_read_videos() -> bool:
    """Tell whether PyAV is installed."""
    return find_spec("av") is not None


def is_video_name(name: str) -> bool:
    """Tell by its suffix whether a file is a video."""
    return name.lower().endswith(SUFFIXES)


@contextmanager
def opened(path: str | os.PathLike[str], options: VideoOptions) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video: the container, and the stream of images in it.

    Raises
    ------
    MissingPackageError
        If PyAV is not installed.
    PictureError
        If it cannot be read, or has no images, or too large ones.
    """
    try:
        import av
    except ImportError as error:
        raise missing("videos need PyAV", "video") from error
    name = os.fsdecode(path)
    with ExitStack() as held:
        try:
            file = held.enter_context(open_regular(path))
            if claims_too_much(file):
                raise ValueError("it claims more frames than it has bytes")
            container: Any = held.enter_context(
                av.open(
                    file,
                    "r",
                    container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
                    metadata_errors="replace",
                )
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise unreadable(name, error) from error
        stream = _pictures(container)
        if stream is None:
            raise PictureError(f"{name}: has no video stream, only sound or other data; expected a video.")
        codec = stream.codec_context
        if codec.name not in _CODECS:
            raise PictureError(f"{name}: is encoded as {codec.name:.60}; expected one of {', '.join(_CODECS)}.")
        check_size(name, codec.width, codec.height, options)
        codec.options = {**codec.options, "max_pixels": str(options.max_pixels)}
        codec.thread_type = "AUTO"
        codec.skip_frame = "NONREF"  # no other frame needs these, and neighbors look like them
        yield container, stream


def unreadable(name: str, error: Exception) -> PictureError:
    """Make the error of a video that cannot be read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return PictureError(f"{name}: cannot be read as a video ({reason}).")


def check_size(name: str, width: int, height: int, options: VideoOptions) -> None:
    """Raise PictureError if frames have too many pixels."""
    if width * height > options.max_pixels:
        raise PictureError(
            f"{name}: has frames of {width} x {height} pixels; expected at most {options.max_pixels} in all, a quarter "
            "of what images may have. A larger max_pixels (--max-pixels) allows more."
        )


def start_of(container: Any) -> float:
    """Return the time at which a player begins, in seconds."""
    return (container.start_time or 0) / _MICROSECONDS


def duration_of(container: Any) -> float | None:
    """Return how long a video is, in seconds, as its header says; None if it does not, or something absurd."""
    seconds = (container.duration or 0) / _MICROSECONDS
    return seconds if 0 < seconds <= _MOST_SECONDS else None


def _pictures(container: Any) -> Any:
    """Return the first stream of images that are no cover."""
    from av.stream import Discard, Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [each for each in container.streams.video if not each.disposition & covers and each.codec_context]
    for each in container.streams:
        if each not in streams[:1]:
            each.discard = Discard.all
    return streams[0] if streams else None
