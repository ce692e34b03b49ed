"""Marks of an image: favorite, rating, tags and albums; one by one, or together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

Kind: TypeAlias = Literal["favourite", "rating", "tag", "album"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # controls, and what XML does not have


class Mark(NamedTuple):
    """A mark of an image."""

    kind: Kind
    name: str = ""  # of a tag or an album; of a rating "1" to "5"; of a favorite empty


@dataclass(frozen=True)
class Marks:
    """All marks of an image.

    Attributes
    ----------
    favourite : bool
    rating : int or None
        From 1 to 5.
    tags, albums : tuple of str
    """

    favourite: bool = False
    rating: int | None = None
    tags: tuple[str, ...] = ()
    albums: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Marks:
        """Join marks as an index has them, each of a kind and a name."""
        names: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for kind, name in pairs:
            names[kind].append(name)
        rating = int(names["rating"][0]) if names["rating"] else None
        return cls(bool(names["favourite"]), rating, tuple(names["tag"]), tuple(names["album"]))

    def pairs(self) -> list[tuple[str, str]]:
        """Return them one by one, each of a kind and a name."""
        rating = [] if self.rating is None else [("rating", str(self.rating))]
        favourite = [("favourite", "")] * self.favourite
        return [*favourite, *rating, *(("tag", tag) for tag in self.tags), *(("album", name) for name in self.albums)]

    def to_dict(self) -> dict[str, object]:
        """Return what there is for JSON."""
        values = {
            "favourite": self.favourite,
            "rating": self.rating,
            "tags": list(self.tags),
            "albums": list(self.albums),
        }
        return {key: value for key, value in values.items() if value}

    def __or__(self, other: Marks) -> Marks:
        """Return these marks and others, whose rating counts."""
        return Marks(
            self.favourite or other.favourite,
            other.rating or self.rating,
            tuple(dict.fromkeys(self.tags + other.tags)),
            tuple(dict.fromkeys(self.albums + other.albums)),
        )


def is_tag(text: str) -> bool:
    """Tell whether a text is a tag: on one line, and of no empty levels."""
    return not any(not level.strip() or NO_TEXT.search(level) for level in text.split("/"))
