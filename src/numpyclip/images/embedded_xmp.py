"""IMAGE → XMP: the packet in an image file itself."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from numpyclip.errors import PictureError
from numpyclip.image_marks import Marks
from numpyclip.images.formats import identify
from numpyclip.images.pillow_limits import quietly
from numpyclip.images.raw_files import raw_tags
from numpyclip.regular_file import open_regular
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import marks_in

if TYPE_CHECKING:
    from PIL import Image

_TAG = 700  # of TIFF
_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"  # before it in a segment


def embedded_packet(path: str) -> Packet | None:
    """Return the XMP in an image file; None if there is none that can be read."""
    # Pillow's readers raise errors of every kind.
    with suppress(Exception), open_regular(path) as file, quietly(), identify(file) as image:
        return packet_of(image, file)
    return None


def embedded_marks(path: str) -> Marks:
    """Read the marks in an image file itself."""
    packet = embedded_packet(path)
    return Marks() if packet is None else marks_in(packet)


def packet_of(image: Image.Image, file: IO[bytes]) -> Packet | None:
    """Return the XMP of an image that was opened from this file; None if there is none that can be read."""
    found: Any
    if image.format == "RAW":
        found = raw_tags(file)[0].get(_TAG)
    else:
        found = image.info.get("xmp", image.info.get("XML:com.adobe.xmp"))
    if found is None:  # Pillow before 11 has that of JPEG and TIFF files elsewhere
        segments = (data for _, data in getattr(image, "applist", ()) if data.startswith(_IN_JPEG))
        found = next((data[len(_IN_JPEG) :] for data in segments), None)
    if found is None:
        found = getattr(image, "tag_v2", {}).get(_TAG)
    found = found.encode("utf-8", "replace") if isinstance(found, str) else found
    with suppress(PictureError):  # damage is no reason to refuse a sound image
        return Packet(found) if isinstance(found, bytes) else None
    return None
