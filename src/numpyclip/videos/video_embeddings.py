"""VIDEO → EMBEDDINGS of its moments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.ops import Array
from numpyclip.runtime.chunks import batched
from numpyclip.runtime.finite_embeddings import checked_finite
from numpyclip.videos.frames import frame_at, frames
from numpyclip.videos.video_options import DEFAULTS, VideoOptions

if TYPE_CHECKING:
    from PIL import Image


class VideoEmbeddings(NamedTuple):
    """Moments of a video.

    Attributes
    ----------
    times : ndarray of shape (n_moments,), dtype=float64
        In seconds, ascending.
    embeddings : ndarray of shape (n_moments, embed_dim), dtype=float32
        Of unit length.
    """

    times: NDArray[np.float64]
    embeddings: Array


def embed_video(
    model: EmbeddingModel, path: str | os.PathLike[str], options: VideoOptions = DEFAULTS, *, batch_size: int = 32
) -> VideoEmbeddings:
    """Embed the frames of a video where the image changes, and one every few seconds.

    It is decoded as a stream: memory grows with a batch of frames, and the result.

    Parameters
    ----------
    model : CLIP
    path : str or path
    options : VideoOptions, optional
    batch_size : int, default=32

    Returns
    -------
    VideoEmbeddings
        Times and embeddings.

    Raises
    ------
    MissingPackageError
        If PyAV is not installed.
    PictureError
        If it is no video, has no frame that can be decoded, or too large ones.
    InputError
        If an embedding is not finite.
    """
    times: list[float] = []
    rows: list[Array] = []
    name = os.fsdecode(path)
    for batch in batched(frames(path, _side(model.preprocess), options), batch_size):
        times += [seconds for seconds, _ in batch]
        pixels = [model.preprocess.crop(image) for _, image in batch]
        rows.append(checked_finite(model.embed_pixels(pixels), lambda row: f"{name}, frame {row}"))
    return VideoEmbeddings(np.array(times), np.concatenate(rows))


def moment_image(
    preprocess: Preprocess, path: str | os.PathLike[str], seconds: float, options: VideoOptions = DEFAULTS
) -> Image.Image:
    """Return the frame that a video shows at a time, of the size that `embed_video` takes."""
    return frame_at(path, seconds, _side(preprocess), options)


def _side(preprocess: Preprocess) -> int:
    """Return pixels of the shorter side of frames: twice the model's, as large JPEG files are decoded."""
    return 2 * max(preprocess.sides)
