"""What `numpyclip embed` embeds in this process, for an output of one file or stdout: rows, one after another."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.batch.work import embed_images, embed_texts
from numpyclip.cli.inputs import PicturePaths, paths_in, say_left_out, texts_in, with_stdin
from numpyclip.cli.options import decode_options
from numpyclip.cli.stores import known_embeddings
from numpyclip.errors import InputError, TextTooLongError
from numpyclip.images.find import find_pictures
from numpyclip.pipeline import PictureReader
from numpyclip.remote import is_url
from numpyclip.shards.columns import CAPTION
from numpyclip.shards.part import OutputRow, ReadOptions, Row
from numpyclip.shards.places import ARCHIVES, LISTS, PARQUET
from numpyclip.shards.plan import plan
from numpyclip.shards.read import read_part

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP

_WILDCARDS = "*?[{"


class EmbeddedRows:
    """Rows of the sources of a command, with embeddings; what cannot be read is reported on stderr.

    A text that is too long ends the command, unless `keeps_errors`.
    """

    def __init__(self, model: CLIP, arguments: argparse.Namespace, *, keeps_errors: bool) -> None:
        self.embedded = 0  # so far
        self._model = model
        self._arguments = arguments
        self._keeps_errors = keeps_errors
        self._options = ReadOptions(arguments.kind, arguments.column, arguments.columns)
        self._paths = PicturePaths(())

    def __iter__(self) -> Iterator[OutputRow]:
        """Iterate over rows."""
        embed = self._images if self._arguments.kind == "images" else self._texts
        for row in embed():
            self.embedded += row.embedding is not None
            yield row
        say_left_out(self._paths.left_out, self._paths.failed)

    @property
    def status(self) -> int:
        """Exit status of the command: 3 if something was not embedded, 1 if nothing was."""
        return 0 if not self._paths.failed else 3 if self.embedded else 1

    def _images(self) -> Iterator[OutputRow]:
        arguments, model = self._arguments, self._model
        rows = islice(self._image_rows(), arguments.limit)
        with known_embeddings(arguments, model) as known:
            read = PictureReader(model.preprocess, decode_options(arguments), known, self._keeps_errors)
            yield from embed_images(model, rows, read, arguments.batch_size, self._paths.report)

    def _image_rows(self) -> Iterator[Row]:
        listed = paths_in(self._arguments.list_file) if self._arguments.list_file else ()
        for source in chain(with_stdin(self._arguments.items, paths_in), listed):
            if _is_planned(source):
                yield from self._read(source)
            else:
                yield from (Row(path, path, {}) for path in self._paths.of(source))

    def _texts(self) -> Iterator[OutputRow]:
        arguments = self._arguments
        rows = islice(self._text_rows(), arguments.limit)
        return embed_texts(
            self._model, rows, arguments.batch_size, truncate=arguments.truncate, on_error=self._text_error
        )

    def _text_rows(self) -> Iterator[Row]:
        for item in self._arguments.items:
            if item == "-":
                yield from map(_text_row, texts_in("-"))
            elif _holds_rows(item) and _is_planned(item):
                yield from self._read(item)
            else:
                yield _text_row(item)
        if self._arguments.list_file:
            yield from map(_text_row, texts_in(self._arguments.list_file))

    def _text_error(self, error: Exception) -> None:
        if isinstance(error, TextTooLongError) and not self._keeps_errors:
            raise TextTooLongError(f"{error} To cut such texts, pass --truncate.") from error
        self._paths.report(error)

    def _read(self, source: str) -> Iterator[Row]:
        try:
            for part in plan(source, self._options, on_error=self._paths.report):
                yield from read_part(part, self._options)
        except InputError as error:
            self._paths.report(error)


def _is_planned(source: str) -> bool:
    """Tell whether a source is neither an image here nor a folder of them: a shard or list, a glob, or a URL."""
    if is_url(source) or not os.path.lexists(source):
        return is_url(source) or any(letter in source for letter in _WILDCARDS)
    if not Path(source).is_dir():
        return _holds_rows(source)
    with contextlib.suppress(OSError):  # which is reported when images are looked for
        if any(path.name.lower().endswith((*ARCHIVES, PARQUET)) for path in Path(source).iterdir()):
            return next(iter(find_pictures(source, on_error="skip")), None) is None
    return False


def _holds_rows(source: str) -> bool:
    return source.lower().endswith((*ARCHIVES, PARQUET, LISTS))


def _text_row(text: str) -> Row:
    return Row(text, text, {CAPTION: text})
