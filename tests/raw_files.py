"""RAW files: a writer of DNG (uncompressed samples of a color filter array, beside previews), as small as they get."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SIGNED = 1, 2, 3, 4, 5, 10
_FORMS = {_BYTE: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "II", _SIGNED: "ii"}
_WHITE, _FULL = 65535, 1 << 16

Tags = dict[int, tuple[int, Any]]  # the type and the values of each


def _directory(tags: Tags, start: int, following: int = 0) -> bytes:
    """Write a directory of TIFF 6.0 that stands at `start`, its longer values behind it."""
    place = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        if kind == _ASCII:
            data, count = value.encode() + b"\0", len(value.encode()) + 1
        else:
            numbers = value if isinstance(value, list | tuple | bytes) else [value]
            count = len(numbers) // len(_FORMS[kind])
            data = struct.pack("<" + _FORMS[kind] * count, *numbers)
        if len(data) > 4:
            reference, data = struct.pack("<I", place + len(values)), data + bytes(len(data) % 2)
            values += data
            data = reference
        entries += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + values


def preview(size: tuple[int, int] = (600, 400), color: Any = (200, 30, 60)) -> bytes:
    """Encode a JPEG: a colour, and white in the upper left corner."""
    image = Image.new("RGB", size, color)
    image.paste((255, 255, 255), (0, 0, size[0] // 4, size[1] // 4))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def dng(
    jpeg: bytes | None = None,
    *,
    size: tuple[int, int] = (64, 48),
    orientation: int = 1,
    exif: Tags | None = None,
    outer: Tags | None = None,
    jpeg_tags: Tags | None = None,
    raw_tags: Tags | None = None,
) -> bytes:
    """Write a DNG (version 1.4) of green, brighter in its upper left quarter, and perhaps with a preview.

    `exif` are tags of the EXIF directory, `outer` of the first one; the others are of the preview's and the samples'.
    """
    width, height = size
    samples = np.full((height, width), 1500, "<u2")
    samples[::2, 1::2] = samples[1::2, ::2] = 20_000  # the green ones of RGGB
    samples[: height // 4, : width // 4] = 60_000
    parts = io.BytesIO(bytes(8))
    parts.seek(8)

    def put(data: bytes) -> int:
        place = parts.seek(0, io.SEEK_END)
        parts.write(data + bytes(len(data) % 2))
        return place

    raw: Tags = {
        254: (_LONG, 0), 256: (_LONG, width), 257: (_LONG, height), 258: (_SHORT, 16), 259: (_SHORT, 1),
        262: (_SHORT, 32803), 273: (_LONG, put(samples.tobytes())), 277: (_SHORT, 1), 278: (_LONG, height),
        279: (_LONG, samples.nbytes), 33421: (_SHORT, (2, 2)), 33422: (_BYTE, bytes((0, 1, 1, 2))),
        50714: (_SHORT, 0), 50717: (_LONG, _WHITE), **(raw_tags or {}),
    }  # fmt: skip
    below = [put(_directory(raw, parts.seek(0, io.SEEK_END)))]
    if jpeg is not None:
        shown = Image.open(io.BytesIO(jpeg)).size
        tags: Tags = {
            254: (_LONG, 1), 256: (_LONG, shown[0]), 257: (_LONG, shown[1]), 258: (_SHORT, (8, 8, 8)), 259: (_SHORT, 7),
            262: (_SHORT, 6), 273: (_LONG, put(jpeg)), 277: (_SHORT, 3), 278: (_LONG, shown[1]),
            279: (_LONG, len(jpeg)), **(jpeg_tags or {}),
        }  # fmt: skip
        below.append(put(_directory(tags, parts.seek(0, io.SEEK_END))))
    thumbnail = np.full((6, 8, 3), 90, np.uint8).tobytes()
    matrix = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    first: Tags = {
        254: (_LONG, 1), 256: (_LONG, 8), 257: (_LONG, 6), 258: (_SHORT, (8, 8, 8)), 259: (_SHORT, 1), 262: (_SHORT, 2),
        271: (_ASCII, "NIKON CORPORATION"), 272: (_ASCII, "NIKON D750"), 273: (_LONG, put(thumbnail)),
        274: (_SHORT, orientation), 277: (_SHORT, 3), 278: (_LONG, 6), 279: (_LONG, len(thumbnail)),
        330: (_LONG, below), 50706: (_BYTE, bytes((1, 4, 0, 0))), 50708: (_ASCII, "NIKON D750"),
        50721: (_SIGNED, matrix), 50728: (_RATIONAL, (1, 1) * 3), 50778: (_SHORT, 21), **(outer or {}),
    }  # fmt: skip
    if exif is not None:
        first[34665] = (_LONG, put(_directory(exif, parts.seek(0, io.SEEK_END))))
    place = put(_directory(first, parts.seek(0, io.SEEK_END)))
    return struct.pack("<2sHI", b"II", 42, place) + parts.getvalue()[8:]
