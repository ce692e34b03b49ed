"""PROPERTIES ↔ MARKS: favorites, ratings, tags and albums in XMP, as photo programs have them.

A tag may have levels, ``places/Italy/Rome``. It is in three lists: in `digiKam:TagsList` as it is, in
`lr:hierarchicalSubject` with ``|`` between levels, and in `dc:subject`, which has the last level only. Programs read
the first of them that they know, and only that. What this package has written is also in properties of its own: so it
can be removed again, and favorites and albums have no other place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace

from numpyclip.image_marks import Marks, is_tag
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.reading import Name

AUTOMATIC = "numpyclip"  # first level of tags that nobody has set
_INTERNAL = "darktable"  # first level of what darktable notes for itself

_SUBJECT = Name("http://purl.org/dc/elements/1.1/", "subject", "dc")
_HIERARCHY = Name("http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject", "lr")
_TAGS_LIST = Name("http://www.digikam.org/ns/1.0/", "TagsList", "digiKam")
_RATING = Name("http://ns.adobe.com/xap/1.0/", "Rating", "xmp")
_DATES = (
    Name("http://ns.adobe.com/exif/1.0/", "DateTimeOriginal", "exif"),
    Name("http://ns.adobe.com/photoshop/1.0/", "DateCreated", "photoshop"),
    Name("http://ns.adobe.com/exif/1.0/", "DateTimeDigitized", "exif"),
    Name("http://ns.adobe.com/xap/1.0/", "CreateDate", "xmp"),
)
_LATITUDE, _LONGITUDE = (
    Name("http://ns.adobe.com/exif/1.0/", name, "exif") for name in ("GPSLatitude", "GPSLongitude")
)
_OWN_TAGS, _OWN_RATING, _ALBUMS, _FAVOURITE = (
    Name("numpyclip:ns:1/", name, "numpyclip") for name in ("Tags", "Rating", "Albums", "Favourite")
)


def marks_in(packet: Packet) -> Marks:
    """Read the marks of an image, of any program; automatic tags are left out."""
    tags = tuple(tag for tag in _tags(packet) if _root(tag) not in (AUTOMATIC, _INTERNAL) and is_tag(tag))
    favourite = packet.values(_FAVOURITE)[:1] == ["True"]
    return Marks(favourite, _rating(packet.values(_RATING)), tags, tuple(packet.values(_ALBUMS)))


def has_rating(packet: Packet) -> bool:
    """Tell whether there is a rating, perhaps of 0 or -1: of an image that has none, or is rejected."""
    return bool(packet.values(_RATING))


def automatic_in(packet: Packet) -> tuple[str, ...]:
    """Read the automatic tags."""
    return tuple(tag.partition("/")[2] for tag in _tags(packet) if _root(tag) == AUTOMATIC)


def dates_in(packet: Packet) -> list[str]:
    """Read when an image was taken, the best known first, as it was written."""
    return [value for name in _DATES for value in packet.values(name)]


def coordinates_in(packet: Packet) -> tuple[str, str]:
    """Read latitude and longitude where an image was taken, as they were written."""
    latitude, longitude = (next(iter(packet.values(name)), "") for name in (_LATITUDE, _LONGITUDE))
    return latitude, longitude


def with_marks(packet: Packet, marks: Marks, others: Sequence[str] = ()) -> bytes:
    """Write marks into a packet; what was written before and is no mark any more is removed, and nothing else.

    `others` are tags in the image itself, which go into a sidecar without any, for programs read either.
    """
    gone = set(packet.values(_OWN_TAGS)).difference(marks.tags)
    rating, own = packet.values(_RATING)[:1], packet.values(_OWN_RATING)[:1]
    if marks.rating is not None and marks.rating != _rating(rating):
        rating = [str(marks.rating)]
    elif marks.rating is None and rating == own:
        rating = []
    if _sorted(marks) == _sorted(marks_in(packet)) and not gone:
        return packet.edited({})
    return packet.edited(
        {
            **_relisted(packet, gone, marks.tags, others),
            _RATING: next(iter(rating), None),
            _OWN_RATING: None if marks.rating is None else str(marks.rating),
            _OWN_TAGS: marks.tags,
            _ALBUMS: marks.albums,
            _FAVOURITE: "True" if marks.favourite else None,
        }
    )


def with_automatic(packet: Packet, tags: Iterable[str], others: Sequence[str] = ()) -> bytes:
    """Write automatic tags in place of those that a packet has, but not what a person has said already."""
    known = {_leaf(tag) for tag in (*_tags(packet), *others) if _root(tag) != AUTOMATIC}
    new = (unicodedata.normalize("NFC", tag) for tag in tags)
    wanted = [f"{AUTOMATIC}/{tag}" for tag in new if _leaf(tag) not in known]
    gone = {tag for tag in _tags(packet) if _root(tag) == AUTOMATIC}.difference(wanted)
    return packet.edited(_relisted(packet, gone, wanted, others))


def _relisted(packet: Packet, gone: Set[str], new: Sequence[str], others: Sequence[str]) -> dict[Name, list[str]]:
    """Return the three lists of tags without some and with new ones; a list that is not there gets those of all."""
    before = _tags(packet)
    if not gone and set(new) <= set(before):
        return {}
    added = dict.fromkeys(new if before else (*others, *new))
    tags = [tag for tag in dict.fromkeys([*before, *added]) if tag not in gone and (tag in added or is_tag(tag))]
    leaves = {_leaf(tag) for tag in tags}
    lost = {_leaf(tag) for tag in gone} - leaves
    removed = {_TAGS_LIST: gone, _HIERARCHY: {_swapped(tag) for tag in gone}, _SUBJECT: lost}
    written: tuple[tuple[Name, Callable[[str], str]], ...] = (
        *((_TAGS_LIST, str), (_HIERARCHY, _swapped), (_SUBJECT, _leaf)),
    )
    lists = {}
    for name, write in written:
        there = packet.values(name)
        kept = [value for value in there if value not in removed[name]]
        lists[name] = list(dict.fromkeys([*kept, *(write(tag) for tag in (added if there else tags))]))
    return lists


def _tags(packet: Packet) -> list[str]:
    """Read the tags of all lists, with their levels; of `dc:subject` what is no level of another one."""
    tags = dict.fromkeys([*packet.values(_TAGS_LIST), *map(_swapped, packet.values(_HIERARCHY))])
    levels = {level for tag in tags for level in tag.split("/")}
    return [tag for tag in (*tags, *(tag for tag in packet.values(_SUBJECT) if tag not in levels)) if tag]


def _sorted(marks: Marks) -> Marks:
    return replace(marks, tags=tuple(sorted(marks.tags)), albums=tuple(sorted(marks.albums)))


def _root(tag: str) -> str:
    return tag.partition("/")[0]


def _leaf(tag: str) -> str:
    return tag.rpartition("/")[2]


def _swapped(tag: str) -> str:
    """Exchange slashes, between the levels of a tag here, and bars, as in ``lr:hierarchicalSubject``."""
    return tag.translate(_SWAPPED)


_SWAPPED = str.maketrans("/|", "|/")


def _rating(values: Sequence[str]) -> int | None:
    """Read a rating, which may be written ``4.0``; 0 is none, and -1 is that of a rejected image."""
    try:
        rating = int(float(values[0])) if values else 0
    except (ValueError, OverflowError):
        return None
    return rating if 1 <= rating <= 5 else None
