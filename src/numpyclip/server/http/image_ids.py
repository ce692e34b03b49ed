"""IDs of images in requests: ``12``, with the beginning of a digest ``12-0123456789ab``, of a moment ``12@21.5``."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from numpyclip.dispatch.field_kinds import ListField
from numpyclip.dispatch.fields import Field, FieldError, Place, Schema
from numpyclip.index.records import WHOLE, Match, is_part

MAX_IDS = 10_000  # of a request
_SCHEMA: Schema = {"type": "string", "pattern": r"^\d{1,18}(-[0-9a-f]{12})?(@.{1,40})?$"}
_ID = re.compile(r"(\d{1,18})(?:-([0-9a-f]{12}))?(?:@(.{1,40}))?", re.ASCII)


class ImageId(NamedTuple):
    """The number of an image, and a digest: another image may have the number after a rebuild or compaction."""

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
    """Return the ID of a match, which no other image can have."""
    return str(ImageId(match.id, "" if match.digest is None else _version_of(match.digest)))


def _version_of(digest: bytes) -> str:
    return digest.hex()[:12]


class PathImageId(Field[ImageId]):
    """The ID of an image in the path of a request; 404 for an invalid one."""

    def __init__(self) -> None:
        super().__init__("ID of an indexed image, or its `key`.", ImageId(0), required=True)

    def read(self, sent: Any) -> ImageId:
        """Return the ID."""
        if (found := _read(sent)) is None:
            raise HTTPException(404, f"{sent:.60} is not the ID of an image.")
        return found

    def schema(self, place: Place = "json") -> Schema:
        """Return the schema of an ID."""
        return _SCHEMA


class ImageIds(ListField[ImageId]):
    """IDs of images, a list or joined by commas; empty if missing.

    Parameters
    ----------
    meaning : str
    most : int, default=10000
    required : bool, default=False
    """

    expected = "IDs of images"

    def __init__(self, meaning: str, most: int = MAX_IDS, *, required: bool = False) -> None:
        super().__init__(meaning, required=required)
        self.most = most

    def read(self, sent: Any) -> list[ImageId]:
        """Return the IDs as a list."""
        texts = sent if isinstance(sent, list) else str(sent).split(",") if sent != "" else []
        if not self.required <= len(texts) <= self.most:
            expected = f"expected {int(self.required)} to {self.most}"
            raise FieldError(f"{self.name} has {len(texts)} IDs; {expected}.", self.name)
        found = [_read(str(text)) for text in texts]
        if None in found:
            raise self.refusal(sent)
        return [each for each in found if each is not None]

    def item(self, place: Place) -> Schema:
        """Return the schema of an ID."""
        return {**_SCHEMA, "type": ["integer", "string"]} if place == "json" else _SCHEMA


def _read(written: str) -> ImageId | None:
    match = _ID.fullmatch(written)
    if match is None or not is_part(match[3] or WHOLE):
        return None
    return ImageId(int(match[1]), match[2] or "", match[3] or WHOLE)
