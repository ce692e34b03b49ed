"""Videos in an index: images whose embeddings are those of moments, by their seconds."""

from __future__ import annotations

from typing import Any

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.find import is_picture_name
from numpyclip.images.open import file_content
from numpyclip.images.preprocess import Preprocess
from numpyclip.index.decoders import package_version
from numpyclip.index.records import NewPicture
from numpyclip.model.ops import Array
from numpyclip.runtime.finite_embeddings import NotFinite
from numpyclip.videos.animation_moments import read_moments
from numpyclip.videos.container import is_video_name
from numpyclip.videos.video_embeddings import embed_video
from numpyclip.videos.video_exif import read_video_exif
from numpyclip.videos.video_options import VideoOptions


def is_indexed_name(name: str) -> bool:
    """Tell by its suffix whether a file is an image or a video."""
    return is_picture_name(name) or is_video_name(name)


def new_video(model: EmbeddingModel, path: str, options: VideoOptions, batch_size: int) -> NewPicture:
    """Embed the moments of a video; PictureError if that is impossible."""
    exif = read_video_exif(path, options)
    try:
        times, embeddings = embed_video(model, path, options, batch_size=batch_size)
    except InputError as error:
        raise NotFinite(str(error)) from error
    return NewPicture(exif, {_part(seconds): row for seconds, row in zip(times, embeddings, strict=True)})


def animation_parts(preprocess: Preprocess, data: bytes, options: DecodeOptions, name: str) -> dict[str, Any]:
    """Read the pixels of the moments of an animated image; none if it is none, or nothing changes in it."""
    return {_part(seconds): pixels for seconds, pixels in read_moments(preprocess, data, options, name).items()}


def moments_again(model: EmbeddingModel, path: str, options: DecodeOptions, batch_size: int) -> dict[str, Array]:
    """Embed the moments of a video or an animated image again; PictureError if that is impossible."""
    if is_video_name(path):
        return dict(new_video(model, path, VideoOptions.of(options), batch_size).embeddings)
    with file_content(path) as data:
        pixels = animation_parts(model.preprocess, data, options, path)
    if not pixels:
        raise PictureError(f"{path}: is no animation any more.")
    return dict(zip(pixels, model.embed_pixels([*pixels.values()]), strict=True))


def _part(seconds: float) -> str:
    """Write a time in milliseconds: 12.5, or 7."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def video_decoders(options: VideoOptions) -> str:
    """Name what videos are read with, and the limits that may refuse one."""
    return f"av {package_version('av')} {options.max_pixels} {options.max_seconds:g}"
