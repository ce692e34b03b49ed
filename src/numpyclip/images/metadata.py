"""FILE → METADATA: what identifies an image and its file, and what EXIF data says of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from numpyclip.images.exif import Exif, read_exif
from numpyclip.images.find import FileState


@dataclass(frozen=True)
class ImageMetadata:
    """What is known of an image besides its embedding.

    Attributes
    ----------
    digest : bytes
        SHA-256 of the content of its file.
    exif : Exif
    state : FileState or None
        Of its file, if that is here.
    """

    digest: bytes
    exif: Exif
    state: FileState | None = None

    @classmethod
    def of(cls, data: bytes, name: str, state: FileState | None = None) -> ImageMetadata:
        """Read it from the content of an image file; PictureError, with the name, if it is none."""
        return cls(hashlib.sha256(data).digest(), read_exif(data, name), state)
