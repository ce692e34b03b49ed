"""What goes into an index and comes out of it: plain records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.model.ops import Array

Modality: TypeAlias = Literal["pictures", "texts"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
Key: TypeAlias = tuple[int, str]  # an embedding: the number of an image or text, and the part of it
WHOLE = ""  # the part of what has only one
_PART = re.compile(r"|[a-z][a-z0-9_-]{,30}|[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, eq=False)
class NewPicture:
    """An image, and embeddings of it that are not in the index yet."""

    exif: Exif
    embeddings: Mapping[str, Array]  # (embed_dim,), of unit length, by the part that each is of; see `Match.part`


@dataclass(frozen=True)
class Filed:
    """A file as it was found, and the image in it."""

    path: str  # absolute, or a URL; also within an archive or a table
    state: FileState  # of no file on this machine: `NO_FILE`, or one with a modification time for its date
    digest: bytes | None  # SHA-256 of its content, which tells renamed files and copies; None with a problem
    problem: str | None = None  # why it cannot be read as an image
    tried_with: str | None = None  # versions and limits; with others it is retried, with None always


class PendingPicture(NamedTuple):
    """An image that a migration has not re-embedded yet."""

    number: int
    digest: bytes
    paths: list[str]
    parts: list[str]  # of which it has embeddings


@dataclass
class Changes:
    """Changes of an index that are made in one transaction."""

    filed: list[Filed] = field(default_factory=list)
    pictures: dict[bytes, NewPicture] = field(default_factory=dict)  # those of `filed` that are new, by digest
    forgotten: list[str] = field(default_factory=list)  # paths of files that are gone


@dataclass(frozen=True)
class Moment:
    """Another part of an image that a search has found, such as another moment of a video."""

    part: str
    cosine: float

    @property
    def seconds(self) -> float | None:
        """Time in a video, from its start; None for a view of an image."""
        return seconds_of(self.part)


@dataclass(frozen=True, eq=False)
class Match:
    """An image or a text that a search has found.

    Attributes
    ----------
    id : int
        Its number in this index.
    cosine : float
        Of its embedding and the query's.
    embedding : ndarray of shape (embed_dim,), dtype=float32
        Of its part that is nearest to the query.
    path : str or None
        Of an image; the first in order, if there are copies. What was imported may have a URL, or a place within an
        archive or a table.
    copies : tuple of str
        Other paths with the same content.
    date : str or None
        EXIF's, else that of the file.
    exif : Exif or None
    text : str or None
        Of a text.
    probability : float or None
        Of a match; known if the query is a text and images are searched.
    states : tuple of FileState
        Of `path` and `copies`.
    part : str
        What the embedding is of: empty for the image as models see it, the name of another view of it, or seconds of
        a video.
    moments : tuple of Moment
        Of a video: others that are near to the query, the nearest first.
    """

    id: int
    cosine: float
    embedding: Array = field(repr=False, compare=False)
    path: str | None = None
    copies: tuple[str, ...] = ()
    date: str | None = None
    exif: Exif | None = None
    text: str | None = None
    probability: float | None = None
    states: tuple[FileState, ...] = field(default=(), repr=False)
    part: str = WHOLE
    moments: tuple[Moment, ...] = ()

    @property
    def file(self) -> str | None:
        """The first of its paths that is a file on this machine."""
        here = (path for path, state in zip((self.path, *self.copies), self.states, strict=False) if state.is_here)
        return next(here, None)

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of the content of an image."""
        return self.states[0].digest if self.states else None

    @property
    def seconds(self) -> float | None:
        """Time of the best moment of a video, from its start; None for an image."""
        return seconds_of(self.part)

    @property
    def score(self) -> float:
        """The probability, or the cosine where that is not known."""
        return self.cosine if self.probability is None else self.probability

    def to_dict(self) -> dict[str, object]:
        """Return the known values for JSON, without the embedding."""
        values: dict[str, object] = {
            "path": self.path,
            "text": self.text,
            "probability": None if self.probability is None else round(self.probability, 6),
            "cosine": round(self.cosine, 6),
            "id": self.id,
            "copies": list(self.copies) or None,
            "date": self.date,
            "part": self.part or None,
            "seconds": self.seconds,
            "moments": [{"seconds": each.seconds, "cosine": round(each.cosine, 6)} for each in self.moments] or None,
            **({} if self.exif is None else vars(self.exif)),
        }
        return {key: value for key, value in values.items() if value is not None}


def is_part(part: str) -> bool:
    """Tell whether a part of an image can be called so."""
    return _PART.fullmatch(part) is not None


def seconds_of(part: str) -> float | None:
    """Return the time in a video that a part is, from its start; None if it is none."""
    return float(part) if part[:1].isdecimal() else None


@dataclass(frozen=True)
class Counts:
    """How much there is in an index."""

    files: int  # that can be read
    pictures: int  # different ones in them
    texts: int
    unreadable: int  # files that cannot be read as images
