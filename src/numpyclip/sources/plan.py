"""SOURCES → PARTS: planned once, in a fixed order, so that a part of the output belongs to a part of the input."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, groupby, islice
from typing import NamedTuple

from numpyclip.arguments import OnError, as_paths, error_handler
from numpyclip.errors import InputError, PictureError
from numpyclip.file_systems import is_url, is_web
from numpyclip.images.find import find_pictures, is_ignored, is_picture_name
from numpyclip.remote import base_name, listing, open_stream
from numpyclip.sources.fetch import in_order
from numpyclip.sources.lines import lines
from numpyclip.sources.parquet import row_groups
from numpyclip.sources.part import Part, ReadOptions
from numpyclip.sources.places import ARCHIVES, LISTS, PARQUET, places, reader_of
from numpyclip.sources.webdataset import samples


class _Piece(NamedTuple):
    """A part that has no number yet."""

    part: Part
    rows: int | None  # None: as many as are found when it is read
    left_out: Mapping[str, int] | tuple[()] = ()  # files of a folder that are no images, by suffix


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
        If there is nothing to read, or a file that decides on the parts cannot be read: of parquet, a list, or with a
        limit an archive. Without a limit, archives are opened by those who read them.
    """
    if options.rows < 1 or (options.limit is not None and options.limit < 1):
        raise InputError(f"rows is {options.rows} and limit {options.limit}; expected 1 or more.")
    handle = error_handler(on_error)

    def report(error: Exception) -> None:
        if not isinstance(error, PictureError):  # of a folder
            raise error
        handle(error)

    parts = list(parts_of(sources, options, lists, report=report, left_out=Counter()))
    if not parts:
        raise InputError("there is nothing to embed: the sources are empty.")
    return parts


def parts_of(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: ReadOptions,
    lists: Sequence[str] = (),
    *,
    report: Callable[[Exception], object],
    left_out: Counter[str],
) -> Iterator[Part]:
    """Divide sources into parts as `plan` does, while they are found.

    `report` is called with what keeps a source or folder from being read, which is left out if that does not raise it.
    `left_out` counts files in folders that are no images, by suffix.
    """
    named = _named(as_paths(sources, "sources"), report)
    of_lists = chain.from_iterable(_of_list(place, options) for place in lists)
    pieces = chain(_found(named, options, report, left_out), of_lists)
    return _numbered(_divided(pieces, options.rows), options)


def _named(sources: Iterable[str | os.PathLike[str]], report: Callable[[Exception], object]) -> Iterator[str]:
    """Iterate over the paths and URLs that sources stand for."""
    for source in sources:
        try:
            yield from places(os.fspath(source))
        except InputError as error:
            report(error)


def _found(
    named: Iterable[str], options: ReadOptions, report: Callable[[Exception], object], left_out: Counter[str]
) -> Iterator[_Piece]:
    """Look at paths and URLs, some at a time; an error is reported in its turn."""

    def look(place: str) -> list[_Piece] | InputError:
        try:
            return _pieces(place, options, report)
        except InputError as error:
            return error

    for pieces in in_order(look, named):
        if isinstance(pieces, InputError):
            report(pieces)
            continue
        for piece in pieces:
            left_out.update(piece.left_out)
            yield piece


def _pieces(place: str, options: ReadOptions, on_error: OnError) -> list[_Piece]:
    """Look at a path or URL."""
    reader = reader_of(place)
    if reader == "webdataset":
        return [_Piece(Part(0, "webdataset", place), None)]
    if reader == "parquet":
        groups = row_groups(place, options)
        return [_Piece(Part(0, "parquet", place, start, stop), rows) for start, stop, rows in groups]
    if reader == "lines":
        return list(_of_list(place, options))
    if os.path.isdir(place) or (is_url(place) and not is_picture_name(place) and not is_web(place)):
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
    if options.kind == "images":
        images, left_out = _images_in(folder, on_error)
        if images:
            return [_of_files(folder, images)._replace(left_out=left_out)]
    files = {base_name(file): file for file in listing(folder)}
    names = [name for name in sorted(files, key=lambda name: (len(name), name)) if not is_ignored(name)]  # 2 before 10
    suffixes = (ARCHIVES, PARQUET, LISTS) if options.kind == "texts" else (ARCHIVES, PARQUET)
    found = ([name for name in names if name.lower().endswith(suffix)] for suffix in suffixes)
    shards = next(filter(None, found), None)
    if shards is None:
        what = "images, archives" if options.kind == "images" else "lists, archives"
        raise InputError(f"{folder}: found no {what} or parquet files in this folder.")
    return [piece for name in shards for piece in _pieces(files[name], options, on_error)]


def _images_in(folder: str, on_error: OnError) -> tuple[list[str], Mapping[str, int]]:
    """List the images in a folder, and count its other files."""
    if not is_url(folder):
        found = find_pictures(folder, on_error=on_error)
        return list(found), found.left_out
    start = len(folder.rstrip("/")) + 1
    files = listing(folder, recursive=True)
    return [file for file in files if is_picture_name(file) and not any(map(is_ignored, file[start:].split("/")))], {}


def _of_list(source: str, options: ReadOptions) -> Iterator[_Piece]:
    """Divide a list after every so many lines."""
    start, rows, end = 0, 0, 0
    with open_stream(source) as stream:
        for offset, _, after in lines(stream, source):
            if rows == options.rows:
                yield _Piece(Part(0, "lines", source, start, offset), rows)
                start, rows = offset, 0
            rows, end = rows + 1, after
    if rows:
        yield _Piece(Part(0, "lines", source, start, end), rows)


def _divided(pieces: Iterable[_Piece], rows: int) -> Iterator[_Piece]:
    """Put image files that follow each other into parts of so many."""
    for are_files, some in groupby(pieces, lambda piece: piece.part.reader == "files"):
        if not are_files:
            yield from some
            continue
        named = ((piece.part.source, path) for piece in some for path in piece.part.paths)
        while of_part := list(islice(named, rows)):
            yield _of_files(of_part[0][0], [path for _, path in of_part])


def _numbered(pieces: Iterable[_Piece], options: ReadOptions) -> Iterator[Part]:
    """Give parts their numbers, up to the limit of rows."""
    parts = (piece.part for piece in pieces) if options.limit is None else _limited(pieces, options.limit)
    return (replace(part, number=number) for number, part in enumerate(parts))


def _limited(pieces: Iterable[_Piece], limit: int) -> Iterator[Part]:
    """Take parts up to a limit of rows; archives are counted, as many at a time as are likely to be needed."""
    waiting, seen, rows = iter(pieces), 0, 0
    while rows < limit and (some := list(islice(waiting, -(-seen * (limit - rows) // rows) if rows else 1))):
        for part, found in in_order(partial(_counted, most=limit - rows + 1), some):
            if (left := limit - rows) > 0:
                yield part if found <= left else replace(part, limit=left)
            seen, rows = seen + 1, rows + found


def _counted(piece: _Piece, most: int) -> tuple[Part, int]:
    rows = piece.rows
    if rows is None:
        rows = sum(1 for _ in islice(samples(piece.part.source, with_images=False), most))
    return piece.part, rows
