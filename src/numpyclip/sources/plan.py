"""SOURCES → PARTS: planned once, in a fixed order, so that a part of the output belongs to a part of the input."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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

ROWS = 256  # of a part, where a source does not fix it: few, so that little is done again


class _Piece(NamedTuple):
    """A part that has no number yet."""

    part: Part
    rows: int | None  # None: as many as are found when it is read


def plan(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: ReadOptions,
    lists: Sequence[str] = (),
    *,
    limit: int | None = None,
    on_error: OnError = "raise",
    left_out: Counter[str] | None = None,
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
    limit : int, optional
        Of rows, all parts together.
    on_error : {"raise", "skip"} or callable, default="raise"
        What to do if a folder cannot be listed.
    left_out : Counter of str, optional
        Counts files in folders that are no images, by suffix.

    Returns
    -------
    list of Part
        The same for the same sources.

    Raises
    ------
    InputError
        If there is nothing to read, or a file that determines the parts cannot be read: a parquet file, a list, or with
        a limit an archive. Without a limit, archives are opened only by workers.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; expected 1 or more.")
    handle = error_handler(on_error)

    def report(error: Exception) -> None:
        if not isinstance(error, PictureError):  # of a folder
            raise error
        handle(error)

    found = _inspect(sources, options, report, Counter() if left_out is None else left_out)
    pieces = _chunk_files(chain(found, chain.from_iterable(map(_of_list, lists))))
    parts = (piece.part for piece in pieces) if limit is None else _take(pieces, limit)
    if not (numbered := [replace(part, number=number) for number, part in enumerate(parts)]):
        raise InputError("there is nothing to embed: the sources are empty.")
    return numbered


def parts_of(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: ReadOptions,
    *,
    report: Callable[[Exception], object],
    left_out: Counter[str],
) -> Iterator[Part]:
    """Iterate over parts while they are found, without numbers: each image file is a part of its own.

    `report` is called with the error of a source or folder that cannot be read; if it returns, that is skipped.
    `left_out` counts files in folders that are no images, by suffix.
    """
    return (piece.part for piece in _inspect(sources, options, report, left_out))


def _inspect(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    options: ReadOptions,
    report: Callable[[Exception], object],
    left_out: Counter[str],
) -> Iterator[_Piece]:
    """Inspect sources in order; those that have to be opened, some at a time."""

    def look(place: str) -> Iterable[_Piece] | InputError:
        pieces = _pieces(place, options, report, left_out)
        try:
            return list(pieces) if _has_to_be_opened(place) else pieces
        except InputError as error:
            return error

    for found in in_order(look, _expand(as_paths(sources, "sources"), report), _has_to_be_opened):
        try:
            if isinstance(found, InputError):
                raise found
            yield from found
        except InputError as error:
            report(error)


def _expand(sources: Iterable[str | os.PathLike[str]], report: Callable[[Exception], object]) -> Iterator[str]:
    """Iterate over the paths and URLs that sources stand for."""
    for source in sources:
        try:
            yield from places(os.fspath(source))
        except InputError as error:
            report(error)


def _has_to_be_opened(place: str) -> bool:
    reader = reader_of(place)
    return reader in ("parquet", "lines") or (reader is None and is_url(place) and _is_folder(place))


def _is_folder(place: str) -> bool:
    if is_url(place):
        return not is_picture_name(place) and not is_web(place)
    return os.path.isdir(place)


def _pieces(
    place: str, options: ReadOptions, report: Callable[[Exception], object], left_out: Counter[str]
) -> Iterator[_Piece]:
    """Inspect a path or URL."""
    reader = reader_of(place)
    if reader == "webdataset":
        yield _Piece(Part(0, "webdataset", place), None)
    elif reader == "parquet":
        for start, stop, rows in row_groups(place, options, ROWS):
            yield _Piece(Part(0, "parquet", place, start, stop), rows)
    elif reader == "lines":
        yield from _of_list(place)
    elif _is_folder(place):
        yield from _of_folder(place, options, report, left_out)
    elif not is_url(place) and not is_picture_name(place) and not os.path.lexists(place):
        raise InputError(f"{place}: there is no such file or folder.")
    elif options.kind == "texts":
        raise InputError(f"{place}: holds no texts; expected {', '.join((LISTS, PARQUET, *ARCHIVES))}, or a folder.")
    else:
        yield _of_files(place, place)


def _of_files(source: str, *paths: str) -> _Piece:
    return _Piece(Part(0, "files", source, paths=paths), len(paths))


def _of_folder(
    folder: str, options: ReadOptions, report: Callable[[Exception], object], left_out: Counter[str]
) -> Iterator[_Piece]:
    """Take the images in a folder, or else its own archives, parquet files or lists.

    Of one kind only: img2dataset puts a parquet file, with the URLs of the images, beside each archive of them.
    """
    if options.kind == "images":
        has_images, found = False, find_pictures(folder, on_error=report)
        for path in _images_at(folder) if is_url(folder) else found:
            has_images = True
            yield _of_files(folder, path)
        if has_images:
            left_out.update(found.left_out)
            return
    files = {base_name(file): file for file in listing(folder)}
    names = [name for name in sorted(files, key=lambda name: (len(name), name)) if not is_ignored(name)]  # 2 before 10
    suffixes = (ARCHIVES, PARQUET, LISTS) if options.kind == "texts" else (ARCHIVES, PARQUET)
    shards = next(
        filter(None, ([name for name in names if name.lower().endswith(suffix)] for suffix in suffixes)), None
    )
    if shards is None:
        what = "images, archives" if options.kind == "images" else "lists, archives"
        raise InputError(f"{folder}: found no {what} or parquet files in this folder.")
    for name in shards:
        yield from _pieces(files[name], options, report, left_out)


def _images_at(url: str) -> Iterator[str]:
    """Iterate over the images in a folder of an object store."""
    start = len(url.rstrip("/")) + 1
    for file in listing(url, recursive=True):
        if is_picture_name(file) and not any(map(is_ignored, file[start:].split("/"))):
            yield file


def _of_list(source: str) -> Iterator[_Piece]:
    """Divide a list after every so many lines."""
    start, rows, end = 0, 0, 0
    with open_stream(source) as stream:
        for offset, _, after in lines(stream, source):
            if rows == ROWS:
                yield _Piece(Part(0, "lines", source, start, offset), rows)
                start, rows = offset, 0
            rows, end = rows + 1, after
    if rows:
        yield _Piece(Part(0, "lines", source, start, end), rows)


def _chunk_files(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Put image files that follow each other into parts of so many."""
    for are_files, some in groupby(pieces, lambda piece: piece.part.reader == "files"):
        if not are_files:
            yield from some
            continue
        while chunk := [piece.part for piece in islice(some, ROWS)]:
            yield _of_files(chunk[0].source, *(path for part in chunk for path in part.paths))


def _take(pieces: Iterable[_Piece], limit: int) -> Iterator[Part]:
    """Take parts up to a limit of rows; archives are counted, as many at a time as are likely to be needed."""
    waiting, seen, rows = iter(pieces), 0, 0
    while rows < limit and (some := list(islice(waiting, -(-seen * (limit - rows) // rows) if rows else 1))):
        for part, found in in_order(partial(_count_rows, most=limit - rows + 1), some):
            if (left := limit - rows) > 0:
                yield part if found <= left else replace(part, limit=left)
            seen, rows = seen + 1, rows + found


def _count_rows(piece: _Piece, most: int) -> tuple[Part, int]:
    rows = piece.rows
    if rows is None:
        rows = sum(1 for _ in islice(samples(piece.part.source, with_images=False), most))
    return piece.part, rows
