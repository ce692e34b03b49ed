"""The versions of all image decoders: files that could not be read are tried again when these have changed."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

_FEATURES = ("jpg", "jpg_2000", "libtiff", "webp", "avif", "zlib")  # parts of Pillow with versions of their own
_READERS = {  # modules, and the packages they are in
    "pillow_heif": "pillow-heif",
    "pillow_jxl": "pillow-jxl-plugin",
    "pillow_avif": "pillow-avif-plugin",
    "rawpy": "rawpy",
}


@cache
def decoders() -> str:
    """Return a hash, of 16 hexadecimal digits, of the versions of all image decoders, without importing these."""
    import PIL
    from PIL import features

    means = [PIL.__version__, *(str(features.version(name)) for name in _FEATURES), package_version("numpyclip")]
    for module, package in _READERS.items():
        if (found := find_spec(module)) is not None:
            means += [module, str(found.origin), package_version(package)]
    return hashlib.sha256(" ".join(means).encode()).hexdigest()[:16]


def package_version(package: str) -> str:
    """Return the version of a package, empty if it does not say it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
