"""The header of JPEG XL (ISO/IEC 18181-1, annexes D and E; 18181-2 for boxes): its plug-in decodes when it opens."""

from __future__ import annotations

from typing import IO, NamedTuple

from numpyclip.images.boxes import read_box

_CODESTREAM, _CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_MOST_BOXES = 1000
_MOST_HEADER = 64  # bytes of a codestream that are read
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}  # of width to height
_SIDE = ((9, 1), (13, 1), (18, 1), (30, 1))  # bits, and what is added to them
_PREVIEW_SIDE = ((6, 1), (8, 65), (10, 321), (12, 1345))


class Header(NamedTuple):
    """What decoding depends on."""

    size: tuple[int, int]  # before its orientation is applied
    extra_channels: int  # besides colors


def is_jpeg_xl(file: IO[bytes]) -> bool:
    """Tell whether a file begins as JPEG XL does."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    return start.startswith(_CODESTREAM) or start == _CONTAINER


def jpeg_xl_header(file: IO[bytes]) -> Header:
    """Read the header; OSError if there is none."""
    data = _codestream(file)
    file.seek(0)
    if not data.startswith(_CODESTREAM):
        raise OSError("its header is missing")
    bits = _Bits(int.from_bytes(data[2:], "little"))
    size = bits.size()
    if bits.take(1):  # all else is as usual
        return Header(size, 0)
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            bits.size()
        if bits.take(1):
            bits.preview()
        if bits.take(1):
            bits.animation()
    if bits.take(1):  # floats
        bits.number((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)
    else:
        bits.number((0, 8), (0, 10), (0, 12), (6, 1))
    bits.take(1)
    return Header(size, bits.number((0, 0), (0, 1), (4, 2), (12, 1)))


class _Bits:
    """Numbers of some bits, the lowest first."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> int:
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value

    def number(self, *forms: tuple[int, int]) -> int:
        count, offset = forms[self.take(2)]
        return self.take(count) + offset

    def size(self) -> tuple[int, int]:
        is_small = self.take(1)
        height = self._side(is_small)
        ratio = self.take(3)
        if ratio == 0:
            return self._side(is_small), height
        across, down = _RATIOS[ratio]
        return height * across // down, height

    def _side(self, is_small: int) -> int:
        return 8 * (self.take(5) + 1) if is_small else self.number(*_SIDE)

    def preview(self) -> None:
        forms = ((0, 16), (0, 32), (5, 1), (9, 33)) if self.take(1) else _PREVIEW_SIDE
        self.number(*forms)
        if self.take(3) == 0:
            self.number(*forms)

    def animation(self) -> None:
        self.number((0, 100), (0, 1000), (10, 1), (30, 1))
        self.number((0, 1), (0, 1001), (8, 1), (10, 1))
        self.number((0, 0), (3, 0), (16, 0), (32, 0))
        self.take(1)


def _codestream(file: IO[bytes]) -> bytes:
    """Read the beginning of the codestream, which may be in several boxes."""
    file.seek(0)
    start = file.read(_MOST_HEADER)
    if start[:12] != _CONTAINER:
        return start
    data, place = b"", 12
    for _ in range(_MOST_BOXES):
        if (box := read_box(file, place)) is None:
            break
        kind, header, size = box
        if kind in (b"jxlc", b"jxlp"):
            header += 4 if kind == b"jxlp" else 0
            file.seek(place + header)
            data += file.read(max(0, min(_MOST_HEADER, size - header)) if size else _MOST_HEADER)
        if size == 0 or size < header or kind == b"jxlc" or len(data) >= _MOST_HEADER:
            break
        place += size
    return data
