"""Rows of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from numpyclip.images.metadata import ImageMetadata


VIEW = "view"  # the column that names views of images, or has seconds of a video, where there are several embeddings


@dataclass(frozen=True, eq=False)
class OutputRow:
    """An embedding, or the reason that there is none."""

    key: str
    embedding: NDArray[np.float32] | None  # (embed_dim,), unit length
    columns: Mapping[str, Any]
    error: str | None
    metadata: ImageMetadata | None = None  # of an image
