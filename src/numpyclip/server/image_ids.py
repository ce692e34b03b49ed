"""IDs of images in requests: ``12``, or ``12-0123456789ab`` with what tells it from another; of a part ``12@21.5``."""

from __future__ import annotations

import re
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from numpyclip.dispatch.fields import Fields, shown
from numpyclip.errors import InputError
from numpyclip.index.records import WHOLE, Match, is_part

MOST_IDS = 10_000  # of a request
_ID = re.compile(r"(\d{1,18})(?:-([0-9a-f]{12}))?(?:@(.{1,40}))?", re.ASCII)


class ImageId(NamedTuple):
    """The number of an image, which another has once the index was rebuilt or compacted, and what tells these apart."""

    number: int
    version: str = ""  # beginning of the SHA-256 of its file; empty for whatever image has the number
    part: str = WHOLE  # such as a moment of a video

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.number}{self.version and '-'}{self.version}{self.part and '@'}{self.part}"

    def is_of(self, digest: bytes | None) -> bool:
        """Tell whether an image with this number and this SHA-256 is meant."""
        return digest is not None and self.version in ("", _version_of(digest))


def key_of(match: Match) -> str:
    """Write the ID by which a match is asked for, and no other image."""
    return str(ImageId(match.id, "" if match.digest is None else _version_of(match.digest)))


def _version_of(digest: bytes) -> str:
    return digest.hex()[:12]


def path_id(request: Request) -> ImageId:
    """Return the ID in the path of a request.

    Raises
    ------
    HTTPException
        404 if it cannot be one.
    """
    written: str = request.path_params["id"]
    if (found := _read(written)) is None:
        raise HTTPException(404, f"{written:.60} is not the ID of an image.")
    return found


def ids_of(fields: Fields, name: str = "ids") -> list[ImageId]:
    """Return the IDs of one or more images, a list or joined by commas; InputError if there are none, or too many."""
    value = fields.values.get(name, [])
    texts = value if isinstance(value, list) else str(value).split(",")
    if not 0 < len(texts) <= MOST_IDS:
        raise InputError(f"{len(texts)} IDs; expected 1 to {MOST_IDS}.")
    found = [_read(str(text)) for text in texts]
    if None in found:
        raise InputError(f"{name} is {shown(value)}; expected IDs of images.")
    return [each for each in found if each is not None]


def _read(written: str) -> ImageId | None:
    match = _ID.fullmatch(written)
    if match is None or not is_part(match[3] or WHOLE):
        return None
    return ImageId(int(match[1]), match[2] or "", match[3] or WHOLE)
