"""RAW FILE → IMAGE: the preview that the camera has put into it, or its samples developed (LibRaw, by rawpy)."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

import rawpy
from PIL import Image

from numpyclip.images.c_stderr import quiet_c_stderr
from numpyclip.images.formats import identify
from numpyclip.images.orientation import ORIENTATION

_ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}  # values of the EXIF tag, by what LibRaw calls a flip
_TURNED = (4, 5, 6, 7)  # flips that exchange width and height
_LEAST_PREVIEW = 224  # pixels of the shorter side, with which a preview is enough


def _opened(file: IO[bytes]) -> Any:
    try:
        with quiet_c_stderr():
            return rawpy.imread(file)
    except rawpy.LibRawError as error:
        raise OSError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Say what LibRaw says, in bytes."""
    said = error.args[0] if error.args else ""
    return f"LibRaw: {said.decode('ascii', 'replace') if isinstance(said, bytes) else said}"


class RawImage(Image.Image):
    """A RAW file that is developed when it is loaded, at half its size after `draft`, which is much faster."""

    format = "RAW"

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._raw: Any = _opened(file)
        sizes = self._raw.sizes
        self._size, self._mode = (sizes.width, sizes.height), "RGB"
        self._half = False
        self.getexif()[ORIENTATION] = _ORIENTATIONS[sizes.flip & 7]

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> None:
        """Develop at half the size, if that is enough."""
        width, height = self._size
        if size is not None and not self._half and size[0] <= width // 2 and size[1] <= height // 2:
            self._half, self._size = True, ((width + 1) // 2, (height + 1) // 2)

    def load(self) -> Any:
        """Develop it."""
        if self._raw is not None:
            raw, self._raw = self._raw, None
            try:
                with raw, quiet_c_stderr():
                    samples = raw.postprocess(use_camera_wb=True, half_size=self._half, user_flip=0)
            except rawpy.LibRawError as error:
                raise OSError(_reason(error)) from error
            self.im = Image.fromarray(samples).im
            self._size = self.im.size
        return super().load()


def raw_preview(file: IO[bytes]) -> tuple[BytesIO, int] | None:
    """Extract the largest preview of a RAW file, a JPEG, and the EXIF orientation that it needs.

    None if it is small, damaged, or has too many pixels.

    The orientation is that of the RAW file: previews mostly state none. One that stands upright already is known by its
    sides.
    """
    file.seek(0)
    with _opened(file) as raw:
        flip, turned = raw.sizes.flip & 7, raw.sizes.width < raw.sizes.height
        try:
            with quiet_c_stderr():
                preview = raw.extract_thumb()
        except rawpy.LibRawError:
            return None
    if preview.format != rawpy.ThumbFormat.JPEG:  # of others rawpy reads as much as the file claims, there or not
        return None
    data = bytes(preview.data)
    try:
        with identify(BytesIO(data)) as image:
            width, height = image.size
    except Exception:  # it is too large, or damaged, of which Pillow's readers raise errors of every kind
        return None
    if min(width, height) < _LEAST_PREVIEW:
        return None
    is_upright = flip in _TURNED and width != height and (width < height) != turned
    return BytesIO(data), 1 if is_upright else _ORIENTATIONS[flip]
