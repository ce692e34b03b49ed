"""BYTES → PROPERTIES → BYTES: an XMP packet, of which some properties are changed and all else stays, byte for byte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from html import escape  # xml.sax would import http.client

from numpyclip.errors import InputError, PictureError
from numpyclip.image_marks import NO_TEXT
from numpyclip.xmp.reading import RDF, Name, Node, Property, Reader, Span, tag_name

MOST_BYTES = 16 << 20  # of a packet: the longest editing histories have a few million

_BOMS = (  # that of UTF-32 begins with that of UTF-16; without one the first letter tells
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST_LETTERS = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_DECLARED = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)""")
_UNICODE = re.compile(r"utf-?(8|16|32)([lb]e)?|ucs-?[24]|(us-)?ascii", re.IGNORECASE)
_ORDERED = frozenset({"TagsList"})  # lists that are rdf:Seq; others are rdf:Bag

_EMPTY = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="NumPyCLIP">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


class Packet:
    """An XMP packet, as it was written; without data an empty one.

    Parameters
    ----------
    data : bytes
        In UTF-8, UTF-16 or UTF-32.
    name : str
        Of its file in messages.

    Raises
    ------
    PictureError
        If it is no XMP, or larger than 16 MiB.
    """

    def __init__(self, data: bytes = _EMPTY, name: str = "the XMP packet") -> None:
        if len(data) > MOST_BYTES:
            raise PictureError(f"{name}: has {len(data):,} bytes; expected XMP of at most {MOST_BYTES:,}.")
        self._bom, self._encoding, text = _decoded(data, name)
        self._data = text.encode()
        self._reader = Reader(self._data, name)

    def values(self, name: Name) -> list[str]:
        """Return the values of a property; one that is no list has one."""
        return [value for place in self._reader.properties.get(name[:2], ()) for value in place.values]

    def edited(self, changes: Mapping[Name, Sequence[str] | str | None]) -> bytes:
        """Return the packet with other values of some properties: a list, a single value, or None to remove one."""
        edits: list[tuple[Span, bytes]] = []
        added: list[tuple[Name, Sequence[str] | str]] = []
        for name, value in changes.items():
            wanted, there = [value] if isinstance(value, str) else list(value or ()), self.values(name)
            if wanted == there:
                continue
            for each in set(wanted).difference(there):
                check_text(each)
            places = self._reader.properties.get(name[:2], [])
            changed = self._changed(places[0], wanted, isinstance(value, str)) if places and wanted else None
            if changed is not None:
                edits += changed
                places = places[1:]
            elif wanted:
                added.append((name, value or ""))
            edits += [(self._with_space(place.whole), b"") for place in places]
        return self._written([*edits, *self._added(added)])

    def _changed(self, place: Property, wanted: list[str], is_single: bool) -> list[tuple[Span, bytes]] | None:
        """Return the edits of a property that is there; None if it has to be written anew."""
        if is_single:
            return None if place.content is None else [(place.content, escape(wanted[0]).encode())]
        if not place.items:
            return None
        pairs, kept, there = zip(place.items, place.values, strict=True), set(wanted), set(place.values)
        edits = [(self._with_space(item), b"") for item, value in pairs if value not in kept]
        first, end = place.items[0], place.items[-1].end
        before, li = self._data[self._with_space(first).start : first.start], tag_name(self._data, first)
        new = (value for value in wanted if value not in there)
        edits.append((Span(end, end), b"".join(before + _element(li, _escaped(value)) for value in new)))
        return edits

    def _added(self, properties: Sequence[tuple[Name, Sequence[str] | str]]) -> list[tuple[Span, bytes]]:
        """Return the edits that add properties to the last description, which may have to be opened, or made."""
        if not properties:
            return []
        node = self._reader.nodes[-1]
        before = self._data[self._with_space(node.tag).start : node.tag.start] or b"\n"
        space = before + b" "
        rdf = _prefixed(node, RDF, "rdf")
        is_root = len(self._reader.nodes) == 1
        new = b"".join(_property(name, value, node, space + b" " * is_root) for name, value in properties)
        if is_root:
            new = space + _element(b"%sDescription" % rdf, new + space, b' %sabout=""' % rdf)
        if node.is_empty:
            closed = b">%s%s</%s>" % (new, before, tag_name(self._data, node.tag))
            return [(Span(node.tag.end - len(b"/>"), node.tag.end), closed)]
        end = self._with_space(Span(node.end, node.end)).start
        return [(Span(end, end), new if end < node.end else new + before)]

    def _with_space(self, span: Span) -> Span:
        """Extend a span by the white space before it."""
        start = span.start
        while start and self._data[start - 1 : start].isspace():
            start -= 1
        return Span(start, span.end)

    def _written(self, edits: Sequence[tuple[Span, bytes]]) -> bytes:
        parts, done = [], 0
        for span, new in sorted(edits):
            parts += [self._data[done : span.start], new]
            done = span.end
        data = b"".join([*parts, self._data[done:]])
        return self._bom + data.decode().encode(self._encoding)


def check_text(text: str) -> None:
    """Raise InputError if a text is empty, or has characters that are no name, or that XML does not have."""
    if not text.strip() or NO_TEXT.search(text):
        raise InputError(f"{text!r:.60}: is empty or has control characters; expected a name on one line.")


def _escaped(text: str) -> bytes:
    return escape(text, quote=False).encode()


def _property(name: Name, value: Sequence[str] | str, node: Node, space: bytes) -> bytes:
    """Write a property as an element on a line of its own."""
    prefix = node.prefixes.get(name.uri)
    declared = b"" if prefix else f' xmlns:{name.prefix}="{escape(name.uri)}"'.encode()
    tag = f"{prefix or name.prefix}:{name.local}".encode()
    if isinstance(value, str):
        return space + _element(tag, _escaped(value), declared)
    rdf = _prefixed(node, RDF, "rdf")
    items = b"".join(space + b"  " + _element(b"%sli" % rdf, _escaped(each)) for each in value)
    kind = b"%sSeq" % rdf if name.local in _ORDERED else b"%sBag" % rdf
    return space + _element(tag, space + b" " + _element(kind, items + space + b" ") + space, declared)


def _prefixed(node: Node, uri: str, usual: str) -> bytes:
    """Return the prefix of a namespace, with its colon, as names have it there."""
    prefix = node.prefixes.get(uri, usual)
    return f"{prefix}:".encode() if prefix else b""


def _element(tag: bytes, content: bytes, attributes: bytes = b"") -> bytes:
    return b"<%s%s>%s</%s>" % (tag, attributes, content, tag)


def _decoded(data: bytes, name: str) -> tuple[bytes, str, str]:
    """Return the mark at the start, the encoding, and the text; PictureError if it is in another one."""
    bom, encoding = next((each for each in _BOMS if data.startswith(each[0])), (b"", "utf-8"))
    if not bom:
        encoding = next((other for first, other in _FIRST_LETTERS if data.startswith(first)), encoding)
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise PictureError(f"{name}: is no XMP ({error}); expected UTF-8 or UTF-16.") from error
    declared = _DECLARED.match(text)
    if declared and not _UNICODE.fullmatch(declared[1]):
        raise PictureError(f"{name}: is XMP in {declared[1]!r:.40}; expected UTF-8 or UTF-16.")
    return bom, encoding, text
