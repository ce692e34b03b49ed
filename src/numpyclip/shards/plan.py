"""SOURCES → PARTS: planned once, in a fixed order, so that a part of the output belongs to a part of the input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from numpyclip.arguments import OnError, as_paths
from numpyclip.errors import InputError
from numpyclip.images.find import find_pictures, is_ignored, is_picture_name
from numpyclip.remote import base_name, is_url, listing
from numpyclip.shards.fetch import in_order
from numpyclip.shards.lines import lines
from numpyclip.shards.parquet import NotParquetError, row_groups
from numpyclip.shards.part import Part, ReadOptions
from numpyclip.shards.places import ARCHIVES, LISTS, PARQUET, places
from numpyclip.shards.read import read_part

_WEB = ("http://", "https://")


class _Piece(NamedTuple):
    """A part that has no number yet."""

    part: Part
    rows: int | None  # None: as many as are found when it is read


def plan(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: ReadOptions,
    lists: Sequence[str] = (),
    *,
    on_error: OnError = "raise",
) -> list[Part]:
    """Divide sources into parts.

    Parameters
    ----------
    sources : str, path or iterable of them
        Paths or URLs, in which ``{000..999}``, ``*`` and ``**`` stand for many: webdataset archives (``.tar``,
        ``.tar.gz``, ``.tgz``), ``.parquet`` files, lists (``.txt``: paths or URLs of images, or texts, one a line),
        image files, and folders. Of a folder all images are taken, at any depth; of one without images, the archives in
        the folder itself, or else its parquet files, or else its lists of texts.
    options : ReadOptions
    lists : sequence of str, optional
        Lists that may have other names, after the sources.
    on_error : {"raise", "skip"} or callable, default="raise"
        What happens where a folder cannot be listed.

    Returns
    -------
    list of Part
        The same for the same sources.

    Raises
    ------
    InputError
        If there is nothing to read, or a file that decides on the parts (parquet, a list) cannot be read. An archive is
        not opened before its part is.
    """
    if options.rows < 1 or (options.limit is not None and options.limit < 1):
        raise InputError(f"rows is {options.rows} and limit {options.limit}; expected 1 or more.")
    named = chain.from_iterable(places(os.fspath(source)) for source in as_paths(sources, "sources"))
    found = in_order(partial(_pieces, options=options, on_error=on_error), named)
    pieces = chain(chain.from_iterable(found), chain.from_iterable(_of_list(place, options) for place in lists))
    parts = list(_numbered(_divided(pieces, options.rows), options))
    if not parts:
        raise InputError("there is nothing to embed: the sources are empty.")
    return parts


def _pieces(place: str, options: ReadOptions, on_error: OnError) -> list[_Piece]:
    """Look at a path or URL."""
    name = place.lower()
    if name.endswith(ARCHIVES):
        return [_Piece(Part(0, "webdataset", place), None)]
    if name.endswith(PARQUET):
        return list(_of_parquet(place, options))
    if name.endswith(LISTS):
        return list(_of_list(place, options))
    if os.path.isdir(place) or (is_url(place) and not is_picture_name(place) and not name.startswith(_WEB)):
        return _of_folder(place, options, on_error)
    if not is_url(place) and not os.path.lexists(place):
        raise InputError(f"{place}: there is no such file or folder.")
    if options.kind == "texts":
        raise InputError(f"{place}: holds no texts; expected {', '.join((LISTS, PARQUET, *ARCHIVES))}, or a folder.")
    return [_of_files(place, [place])]


def _of_files(source: str, paths: Sequence[str]) -> _Piece:
    return _Piece(Part(0, "files", source, paths=tuple(paths)), len(paths))


def _of_folder(folder: str, options: ReadOptions, on_error: OnError) -> list[_Piece]:
    """Take the images in a folder, or else its own archives, parquet files or lists.

    Of one kind only: img2dataset puts a parquet file, with the URLs of the images, beside each archive of them.
    """
    if options.kind == "images" and (images := _images_in(folder, on_error)):
        return [_of_files(folder, images)]
    files = {base_name(file): file for file in listing(folder)}
    names = [name for name in sorted(files, key=lambda name: (len(name), name)) if not is_ignored(name)]  # 2 before 10
    suffixes = (ARCHIVES, PARQUET, LISTS) if options.kind == "texts" else (ARCHIVES, PARQUET)
    found = ([name for name in names if name.lower().endswith(suffix)] for suffix in suffixes)
    shards = next(filter(None, found), None)
    if shards is None:
        what = "images, archives" if options.kind == "images" else "lists, archives"
        raise InputError(f"{folder}: found no {what} or parquet files in this folder.")
    return [piece for name in shards for piece in _pieces(files[name], options, on_error)]


def _images_in(folder: str, on_error: OnError) -> list[str]:
    if not is_url(folder):
        return list(find_pictures(folder, on_error=on_error))
    start = len(folder.rstrip("/")) + 1
    return [
        file
        for file in listing(folder, recursive=True)
        if is_picture_name(file) and not any(map(is_ignored, file[start:].split("/")))
    ]


def _of_parquet(source: str, options: ReadOptions) -> Iterator[_Piece]:
    try:
        for start, stop, rows in row_groups(source, options):
            yield _Piece(Part(0, "parquet", source, start, stop), rows)
    except NotParquetError:  # which fails when it is read: others are no worse for it
        yield _Piece(Part(0, "parquet", source), 0)


def _of_list(source: str, options: ReadOptions) -> Iterator[_Piece]:
    """Divide a list after every so many lines."""
    start, rows, end = 0, 0, 0
    for offset, _, after in lines(source):
        if rows == options.rows:
            yield _Piece(Part(0, "lines", source, start, offset), rows)
            start, rows = offset, 0
        rows, end = rows + 1, after
    if rows:
        yield _Piece(Part(0, "lines", source, start, end), rows)


def _divided(pieces: Iterable[_Piece], rows: int) -> Iterator[_Piece]:
    """Put image files that follow each other into parts of so many."""
    source, paths = "", list[str]()
    for piece in pieces:
        if piece.part.reader != "files":
            if paths:
                yield _of_files(source, paths)
                paths = []
            yield piece
            continue
        source = source if paths else piece.part.source
        paths += piece.part.paths
        start = 0
        while len(paths) - start >= rows:
            yield _of_files(source, paths[start : start + rows])
            source, start = piece.part.source, start + rows
        paths = paths[start:]
    if paths:
        yield _of_files(source, paths)


def _numbered(pieces: Iterable[_Piece], options: ReadOptions) -> Iterator[Part]:
    """Give parts their numbers, up to the limit of rows."""
    left = options.limit
    for number, piece in enumerate(pieces):
        part = replace(piece.part, number=number)
        if left is None:
            yield part
            continue
        rows = piece.rows
        if rows is None:
            rows = sum(1 for _ in islice(read_part(part, options), left))
        yield part if rows <= left else replace(part, limit=left)
        left -= rows
        if left <= 0:
            return
