"""What goes into an index and comes out of it: plain records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from numpyclip.errors import InputError
from numpyclip.images.find import FileState
from numpyclip.model.ops import Array

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?)?")

Side: TypeAlias = Literal["pictures", "texts"]


@dataclass(frozen=True)
class Details:
    """What a picture file says about itself.

    Attributes
    ----------
    width, height : int
        In pixels, turned as EXIF says.
    taken : str or None
        Local date and time, ``2024-05-01T12:30:00``.
    latitude, longitude : float or None
        In degrees, north and east positive.
    """

    width: int
    height: int
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class NewPicture:
    """A picture that is not in the index yet.

    Attributes
    ----------
    details : Details
    embedding : ndarray of shape (embed_dim,), dtype=float32
        Of unit length.
    """

    details: Details
    embedding: Array


@dataclass(frozen=True)
class Filed:
    """A file as it was found, and the picture in it.

    Attributes
    ----------
    path : str
        Absolute.
    state : FileState
    digest : bytes or None
        SHA-256 of its content, by which renamed files and copies are recognised; None if it cannot be read.
    problem : str or None
        Why it cannot be read as a picture.
    """

    path: str
    state: FileState
    digest: bytes | None
    problem: str | None = None


@dataclass
class Changes:
    """One step of an index, which is done as a whole or not at all.

    Attributes
    ----------
    filed : list of Filed
    pictures : dict of bytes to NewPicture
        Those of them that are new, by digest.
    forgotten : list of str
        Paths of files that are gone.
    """

    filed: list[Filed] = field(default_factory=list)
    pictures: dict[bytes, NewPicture] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Where:
    """Which pictures are searched.

    Attributes
    ----------
    folder : str or None
        Those below this folder.
    after, before : str or None
        Those with a date (EXIF's, else that of the file) not before the one and before the other: ``2024``, ``2024-05``
        or any longer beginning of ``2024-05-01T12:30:00``.
    """

    folder: str | None = None
    after: str | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        """Check the dates.

        Raises
        ------
        InputError
            If one is none.
        """
        for date in (self.after, self.before):
            if date is not None and not _DATE.fullmatch(date):
                raise InputError(f"{date!r:.60} is no date; expected one such as 2024, 2024-05 or 2024-05-01.")


EVERYWHERE = Where()


@dataclass(frozen=True)
class Match:
    """A picture or a text that a search has found.

    Attributes
    ----------
    id : int
        Its number in this index.
    cosine : float
        Of its embedding and the query's.
    embedding : ndarray of shape (embed_dim,), dtype=float32
    path : str or None
        Of a picture; the first in order, if there are copies.
    copies : tuple of str
        Other files with the same content.
    date : str or None
        EXIF's, else that of the file.
    details : Details or None
    text : str or None
        Of a text.
    probability : float or None
        Of a match; known if the query is a text and pictures are searched.
    """

    id: int
    cosine: float
    embedding: Array = field(repr=False, compare=False)
    path: str | None = None
    copies: tuple[str, ...] = ()
    date: str | None = None
    details: Details | None = None
    text: str | None = None
    probability: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Give what JSON can hold and a person may want to see: all but the embedding and what is not known."""
        of_picture = {} if self.details is None else vars(self.details)
        values: dict[str, object] = {
            "path": self.path,
            "text": self.text,
            "probability": None if self.probability is None else round(self.probability, 6),
            "cosine": round(self.cosine, 6),
            "id": self.id,
            "copies": list(self.copies) or None,
            "date": self.date,
            **of_picture,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Counts:
    """How much there is in an index.

    Attributes
    ----------
    files, pictures, texts : int
        Files that can be read, different pictures in them, and texts.
    unreadable : int
        Files that cannot be read as pictures.
    """

    files: int
    pictures: int
    texts: int
    unreadable: int
