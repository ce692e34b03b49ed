"""THE EXIF ORIENTATION of an image, applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

ORIENTATION = 0x0112  # the EXIF tag
_TRANSPOSITIONS = {  # its values, and what undoes them
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_KEYS = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")  # where Pillow keeps the tag


def oriented(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; unlike Pillow's `exif_transpose`, also if the rest of EXIF is damaged."""
    from PIL import Image

    try:
        transposition = _TRANSPOSITIONS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data is no reason to refuse a sound image
        return image
    if transposition is None:
        return image
    turned = image.transpose(Image.Transpose[transposition])
    turned.info = {key: value for key, value in turned.info.items() if key not in _KEYS}
    return turned
