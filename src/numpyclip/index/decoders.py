"""By what means pictures are read: a file that could not be is tried again when these have changed."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO

from numpyclip.images.formats import identify

_FEATURES = ("jpg", "jpg_2000", "libtiff", "webp", "avif", "zlib")  # parts of Pillow with versions of their own
_PLUGINS = ("pillow_heif", "pillow_jxl")


@cache
def decoders() -> str:
    """Name the formats that are decoded, and the versions of all that decodes them, in 16 letters."""
    import PIL
    from PIL import Image, features

    with suppress(OSError):
        identify(BytesIO(b""))  # loads all plug-ins
    means = [PIL.__version__, *sorted(Image.OPEN), *(str(features.version(name)) for name in _FEATURES)]
    means += [str(getattr(sys.modules.get(name), "__version__", None)) for name in _PLUGINS]
    with suppress(PackageNotFoundError):
        means.append(version("numpyclip"))
    return hashlib.sha256(" ".join(means).encode()).hexdigest()[:16]
