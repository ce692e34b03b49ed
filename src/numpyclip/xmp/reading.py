"""BYTES → PROPERTIES, with their positions in the bytes, so that `packet` can edit them in place.

XMP is RDF in XML (ISO 16684-1). expat tells the place of each element, which `xml.etree` does not: a tree that is
written out again has other prefixes, spaces and quotes. A document type is refused before anything in it is read, so
that there are no entities, neither nested nor external; elements are counted, not recursed into, and there may be so
many only of them, of attributes and of namespaces that 16 MB of them take seconds and not gigabytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from numpyclip.errors import PictureError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
_CONTAINERS = {(RDF, "Bag"), (RDF, "Seq"), (RDF, "Alt")}
_SEPARATOR = "\x01"  # of the parts of a name, which XML does not have
_MOST_DEPTH = 100  # of elements: lists of structures in lists of structures have 20
_MOST_NAMES = 400_000  # elements and attributes: lists of all ancestors of a document have 100,000
_MOST_NAMESPACES = 2000  # declarations

_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


class Name(NamedTuple):
    """A property: its namespace, its name there, and the prefix that it usually has."""

    uri: str
    local: str
    prefix: str


class Span(NamedTuple):
    """A part of the bytes."""

    start: int
    end: int


@dataclass(frozen=True)
class Property:
    """One place where a property is: an attribute, or an element with a value or a list."""

    whole: Span
    values: list[str]
    content: Span | None = None  # what a single value is written in
    items: list[Span] = field(default_factory=list)  # the elements of a list, one for each value


@dataclass
class Node:
    """An element to which properties can be added: the root, ``rdf:RDF``, or a description in it."""

    tag: Span
    is_empty: bool  # ``<a/>``
    prefixes: dict[str, str]  # of namespaces that are declared here
    end: int = 0  # where its end tag begins


@dataclass
class _Element:
    """An element that is open."""

    name: tuple[str, str]
    tag: Span
    is_empty: bool
    text: list[str] = field(default_factory=list)
    has_children: bool = False


class Reader:
    """What is in a packet.

    Attributes
    ----------
    nodes : list of Node
        ``rdf:RDF``, and the last description in it if there is any.
    properties : dict of (str, str) to list of Property
        Those of all descriptions, by their namespaces and names.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.nodes: list[Node] = []
        self.properties: dict[tuple[str, str], list[Property]] = defaultdict(list)
        self._data = data
        self._name = name
        self._open: list[_Element] = []
        self._root = 0  # depth of ``rdf:RDF`` while it is open
        self._values: list[str] = []  # of the list that is open
        self._items: list[Span] = []
        self._prefixes: dict[str, list[str]] = defaultdict(list)  # namespaces of each, the innermost last
        self._declared: dict[str, str] | None = None  # prefixes of namespaces, until one is declared or ends
        self._names_left, self._namespaces_left = _MOST_NAMES, _MOST_NAMESPACES
        self._parse()

    def _parse(self) -> None:
        # The encoding is that of `data`, whatever is declared.
        parser = self._parser = expat.ParserCreate("utf-8", namespace_separator=_SEPARATOR)
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._start_namespace
        parser.EndNamespaceDeclHandler = self._end_namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(self._data.rstrip(b"\0"), True)  # a packet in an image may be filled up
        except expat.ExpatError as error:
            raise PictureError(f"{self._name}: is no XMP ({error}).") from error
        if not self.nodes:
            raise PictureError(f"{self._name}: is no XMP; expected an element rdf:RDF.")

    def _doctype(self, *_: object) -> None:
        raise PictureError(f"{self._name}: is refused: it has a document type, which XMP does not allow.")

    def _start_namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces_left -= 1
        if self._namespaces_left < 0:
            raise PictureError(f"{self._name}: is refused: it declares over {_MOST_NAMESPACES:,} namespaces.")
        self._prefixes[prefix or ""].append(uri or "")
        self._declared = None

    def _end_namespace(self, prefix: str | None) -> None:
        self._prefixes[prefix or ""].pop()
        self._declared = None

    def _start(self, written: str, attributes: dict[str, str]) -> None:
        self._names_left -= 1 + len(attributes)
        if self._names_left < 0:
            raise PictureError(f"{self._name}: is refused: it has over {_MOST_NAMES:,} elements and attributes.")
        if len(self._open) >= _MOST_DEPTH:
            raise PictureError(f"{self._name}: is refused: its elements are nested {_MOST_DEPTH} deep.")
        if self._open:
            self._open[-1].has_children = True
        start = self._parser.CurrentByteIndex
        found = _TAG.match(self._data, start)
        end = found.end() if found else start
        name = _name(written)
        element = _Element(name, Span(start, end), self._data[end - 2 : end] == b"/>")
        self._open.append(element)
        if not self.nodes and name == (RDF, "RDF"):
            self._root = len(self._open)
            self.nodes.append(self._node(element))
        elif self._root and len(self._open) == self._root + 1:
            self.nodes[1:] = [self._node(element)]
            self._read_attributes(element, attributes)

    def _node(self, element: _Element) -> Node:
        if self._declared is None:
            self._declared = {uris[-1]: prefix for prefix, uris in self._prefixes.items() if uris}
        return Node(element.tag, element.is_empty, self._declared)

    def _read_attributes(self, element: _Element, attributes: dict[str, str]) -> None:
        places = {each[1].decode(): each for each in _ATTRIBUTE.finditer(self._data, *self._after_name(element.tag))}
        for written, value in attributes.items():
            uri, local = _name(written)
            prefix = written.split(_SEPARATOR)[2:]
            if uri not in (RDF, _XML, "") and prefix and (place := places.get(f"{prefix[0]}:{local}")):
                content = Span(*place.span(2 if place[2] is not None else 3))
                whole = Span(place.start(1), place.end())
                self.properties[uri, local].append(Property(whole, [_value(value)], content))

    def _after_name(self, tag: Span) -> Span:
        return Span(tag.start + 1 + len(tag_name(self._data, tag)), tag.end)

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _end(self, written: str) -> None:
        element = self._open.pop()
        index = self._parser.CurrentByteIndex  # of the end tag, or behind an empty element
        end = index if element.is_empty else self._data.index(b">", index) + 1
        whole, depth = Span(element.tag.start, end), len(self._open) + 1 - self._root
        if not self._root:
            return
        text = _value("".join(element.text))
        if depth == 0:
            self._root, self.nodes[0].end = 0, index
        elif depth == 1:
            self.nodes[-1].end = index
        elif depth == 2:
            content = None if element.is_empty or element.has_children else Span(element.tag.end, index)
            values = self._values if element.has_children else [text]
            self.properties[element.name].append(Property(whole, values, content, self._items))
            self._values, self._items = [], []
        elif depth == 4 and element.name == (RDF, "li") and self._open[-1].name in _CONTAINERS:
            self._values.append(text)
            self._items.append(whole)
        elif depth in (5, 6) and element.name == (RDF, "value"):  # of an item with qualifiers
            self._open[self._root + 3].text = [text]


def _value(text: str) -> str:
    """Return a text without space around it, in normal form C: names that look the same are the same."""
    return unicodedata.normalize("NFC", text.strip())


def _name(written: str) -> tuple[str, str]:
    """Return the namespace of a name, if it has one, and the name in it."""
    parts = written.split(_SEPARATOR)
    return (parts[0], parts[1]) if len(parts) > 1 else ("", written)


def tag_name(data: bytes, tag: Span) -> bytes:
    """Return the name in a tag, as it was written."""
    found = _TAG_NAME.match(data, tag.start)
    return found[1] if found else b""
