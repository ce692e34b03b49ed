"""MARKS ↔ JSON: a file that other machines and later versions read.

``{"format": "numpyclip-marks", "version": 1, "images": [{"sha256": "ab...", "paths": ["/photos/a.jpg"],
"favourite": true, "rating": 4, "tags": ["beach"], "albums": ["Italy 2024"]}]}``
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpyclip.errors import InputError
from numpyclip.image_marks import Mark, Marks
from numpyclip.images.find import FileState
from numpyclip.index.marks import checked_mark
from numpyclip.index.store import Store
from numpyclip.index.where import absolute, checked_rating, is_path
from numpyclip.runtime.chunks import batched

FORMAT, VERSION = "numpyclip-marks", 1
_AT_ONCE = 1000  # images whose paths are looked up together


@dataclass(frozen=True)
class ImportedMarks:
    """How an import has gone.

    Attributes
    ----------
    images : int
        In the file.
    by_path : int
        Of these, how many have another content now, and were found by their paths.
    unknown : int
        Of these, how many the index does not have; their marks wait until it has.
    """

    images: int
    by_path: int
    unknown: int


def exported_marks(store: Store) -> dict[str, Any]:
    """Return all marks of an index as a JSON object, also of images that it does not have now."""
    images = []
    grouped = itertools.groupby(store.all_marks(), key=lambda each: each[0])
    for some in batched([(digest, [mark for _, mark in marks]) for digest, marks in grouped], _AT_ONCE):
        paths = store.paths_of([digest for digest, _ in some])
        for digest, marks in some:
            there = {"sha256": digest.hex(), "paths": sorted(paths.get(digest, ()))}
            images.append({**there, **Marks.of(marks).to_dict()})
    return {"format": FORMAT, "version": VERSION, "images": images}


def import_marks(store: Store, data: bytes, name: str) -> ImportedMarks:
    """Add the marks of a JSON file to an index; a rating takes the place of the one there.

    An image is known by its SHA-256. If the index does not have that, but has another image by one of its paths, its
    content has changed since, and both get the marks.

    Raises
    ------
    InputError
        If the file is no such JSON, of which nothing is added then.
    """
    images = list(_images(data, name))
    said: list[tuple[bytes, Mark]] = []
    by_path = unknown = 0
    files = functools.cache(store.files)
    for some in batched(images, _AT_ONCE):
        known = store.paths_of([digest for digest, *_ in some])
        for digest, paths, marks in some:
            found = [] if digest in known else _digests_by_path(files, paths)
            by_path += bool(found)
            unknown += digest not in known and not found
            said += ((each, mark) for each in (digest, *found) for mark in marks)
    store.mark_all(said)
    return ImportedMarks(len(images), by_path, unknown)


def _images(data: bytes, name: str) -> Iterator[tuple[bytes, list[str], list[Mark]]]:
    """Read the images of a file: SHA-256, paths and marks."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: is no JSON ({error}).") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f'{name}: is not of the format "{FORMAT}", which mark --export-json writes.')
    if content.get("version") != VERSION or not isinstance(content.get("images"), list):
        found = content.get("version")
        raise InputError(f"{name}: is of version {found!r:.20}; expected version {VERSION} and a list of images.")
    for number, image in enumerate(content["images"], 1):
        try:
            yield _image(image)
        except (InputError, TypeError, ValueError, KeyError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{name}: image {number}: {what}") from error


def _image(image: Any) -> tuple[bytes, list[str], list[Mark]]:
    if not isinstance(image, dict):
        raise InputError(f"is {image!r:.60}; expected an object.")
    try:
        digest = bytes.fromhex(image["sha256"])
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InputError(f"sha256 is {image['sha256']!r:.80}; expected 64 hexadecimal digits.")
    paths, encoded, tags, albums = (image.get(key, []) for key in ("paths", "paths_bytes", "tags", "albums"))
    for key, value in (("paths", paths), ("paths_bytes", encoded), ("tags", tags), ("albums", albums)):
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise InputError(f"{key} is {value!r:.60}; expected a list of strings.")
    if encoded:  # names that are not UTF-8
        paths = [os.fsdecode(base64.b64decode(path, validate=True)) for path in encoded]
    favourite, rating = image.get("favourite", False), image.get("rating")
    if not isinstance(favourite, bool):
        raise InputError(f"favourite is {favourite!r:.60}; expected true or false.")
    said = Marks(favourite, None, tuple(tags), tuple(albums)).pairs()
    if rating is not None:
        said.append(("rating", str(checked_rating("rating", rating))))
    return digest, [path for path in paths if is_path(path)], [checked_mark(kind, each) for kind, each in said]


def _digests_by_path(files: Callable[[str], dict[str, FileState]], paths: Sequence[str]) -> list[bytes]:
    found = []
    for directory, name in (os.path.split(absolute(path)) for path in paths if is_path(path)):
        state = files(directory).get(name)
        if state is not None and state.digest is not None:
            found.append(state.digest)
    return found
