"""RAW FILES of cameras, known by their content, and what their EXIF data says; they are decoded in `raw`."""

from __future__ import annotations

from typing import IO

from numpyclip.images.tiff_tags import Tags, TiffTags

RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)

_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"FUJIFILMCCD-RAW")  # Olympus, Panasonic, Sigma, ...
_LIKE_TIFF = (b"II*\0", b"MM\0*", *_STARTS[:4])
_CR3, _CRW = b"ftypcrx ", b"HEAPCCDR"
_TAG_SUB_DIRECTORIES, _TAG_PHOTOMETRIC, _TAG_COMPRESSION, _TAG_DNG = 330, 262, 259, 50706
_SAMPLES = (32803, 34892)  # of a color filter array, or of the sensor after it
_COMPRESSIONS = (262, 32767, 32770, 34713, 65000, 65535)  # Kodak, Sony, Samsung, Nikon, Kodak, Pentax
_MOST_DIRECTORIES = 16
_MOST_HEADER = 1 << 20  # bytes of a CR3 in which its EXIF data is looked for

_EXIF, _GPS = 0x8769, 0x8825
_WANTED = {0x010F, 0x0110, 0x0132, 700, _EXIF, _GPS}, {*range(0x9003, 0x9013), *range(0xA432, 0xA435)}, set(range(32))


def is_raw(file: IO[bytes]) -> bool:
    """Tell whether the content is that of a camera's RAW file; the place in the file is its beginning afterwards."""
    file.seek(0)
    start = file.read(16)
    try:
        return (
            start.startswith(_STARTS)
            or start[6:14] == _CRW
            or start[4:12] == _CR3
            or (start.startswith(_LIKE_TIFF) and (start[8:10] == b"CR" or start[8:12] in (b"IIII", b"MMMM")))
            or (start.startswith(_LIKE_TIFF) and _has_samples(TiffTags(file)))
        )
    finally:
        file.seek(0)


def _has_samples(tags: TiffTags) -> bool:
    """Tell whether one of the images in a TIFF file is of samples of a sensor."""
    looked_for = {_TAG_SUB_DIRECTORIES, _TAG_PHOTOMETRIC, _TAG_COMPRESSION, _TAG_DNG}
    first = tags.read(tags.first, looked_for)
    below = first.get(_TAG_SUB_DIRECTORIES, ())
    places = below if isinstance(below, tuple) else (below,)
    directories = [
        first,
        *(tags.read(place, looked_for) for place in places[:_MOST_DIRECTORIES] if isinstance(place, int)),
    ]
    return _TAG_DNG in first or any(
        directory.get(_TAG_PHOTOMETRIC) in _SAMPLES or directory.get(_TAG_COMPRESSION) in _COMPRESSIONS
        for directory in directories
    )


def raw_tags(file: IO[bytes]) -> tuple[Tags, Tags, Tags]:
    """Read the three parts of EXIF data of a RAW file: of the image, of how it was taken, and of where."""
    file.seek(0)
    start = file.read(88)
    if start.startswith(_LIKE_TIFF):
        return _parts(TiffTags(file))
    if start.startswith(b"FUJIFILM"):  # in a JPEG, behind the start of the image and of its first segment
        return _parts(TiffTags(file, int.from_bytes(start[84:88], "big") + 12))
    file.seek(0)
    header = file.read(_MOST_HEADER)
    if start.startswith(b"\0MRM"):
        return _parts(TiffTags(file, header.find(b"\0TTW") + 8))
    boxes = [header.find(b"CMT%d" % number) for number in (1, 2, 4)]  # of CR3, each with a header of its own
    if start[4:12] != _CR3 or -1 in boxes:
        return {}, {}, {}
    outer, inner, place = (
        (tags := TiffTags(file, box + 4)).read(tags.first, wanted) for box, wanted in zip(boxes, _WANTED, strict=True)
    )
    return outer, inner, place


def _parts(tags: TiffTags) -> tuple[Tags, Tags, Tags]:
    outer = tags.read(tags.first, _WANTED[0])
    inner, place = (
        tags.read(outer[key], wanted) if isinstance(outer.get(key), int) else {}
        for key, wanted in zip((_EXIF, _GPS), _WANTED[1:], strict=True)
    )
    return outer, inner, place
