"""Videos in an index: pictures whose embeddings are those of moments, by their seconds."""

from __future__ import annotations

from importlib.metadata import version

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.find import is_picture_name
from numpyclip.index.records import NewPicture
from numpyclip.runtime.finite import NotFinite
from numpyclip.videos.container import is_video_name
from numpyclip.videos.video_embeddings import embed_video
from numpyclip.videos.video_exif import read_video_exif
from numpyclip.videos.video_options import VideoOptions


def is_indexed_name(name: str) -> bool:
    """Tell by its suffix whether a file is a picture or a video."""
    return is_picture_name(name) or is_video_name(name)


def new_video(model: CLIP, path: str, options: VideoOptions, batch_size: int) -> NewPicture:
    """Embed the moments of a video; PictureError if that is impossible."""
    exif = read_video_exif(path, options)
    try:
        times, embeddings = embed_video(model, path, options, batch_size=batch_size)
    except InputError as error:
        raise NotFinite(str(error)) from error
    return NewPicture(exif, {_part(seconds): row for seconds, row in zip(times, embeddings, strict=True)})


def _part(seconds: float) -> str:
    """Write a time in milliseconds: 12.5, or 7."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def video_decoders(options: VideoOptions) -> str:
    """Name what videos are read with, and the limits that may refuse one."""
    return f"av {version('av')} {options.max_pixels} {options.max_seconds:g}"
