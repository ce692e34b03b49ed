"""Pictures and files that the tests of opening and preprocessing share."""

import io
from typing import Any

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
NOISE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)  # (y, x, 3)

FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {},
    "PNG": {},
    "GIF": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "MPO": {"save_all": True, "append_images": [Image.fromarray(NOISE[::-1])]},
    "BMP": {},
    "PPM": {},
    "TGA": {},
}


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **FORMATS.get(form, {}), **options)
    return file.getvalue()


def with_xmp(jpeg: bytes, xmp: bytes) -> bytes:
    """Put XMP into a JPEG file."""
    data = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    return jpeg[:2] + b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data + jpeg[2:]


def oriented(form: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(Image.fromarray(NOISE), form, exif=exif)


def with_orientation(orientation: int) -> Image.Image:
    return Image.open(io.BytesIO(oriented("PNG", orientation)))


def state(image: Image.Image) -> tuple[Any, ...]:
    return image.size, image.mode, dict(image.info), image.tobytes(), image.getpalette()
