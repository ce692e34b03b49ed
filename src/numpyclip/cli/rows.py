"""`numpyclip embed` to one file or stdout: rows with embeddings, computed one after another in this process."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import TYPE_CHECKING

from numpyclip.batch.work import embed_texts, view_rows
from numpyclip.cli.inputs import Embedder, Reporter, opened, paths_in, say_left_out, with_stdin
from numpyclip.destinations.row import OutputRow
from numpyclip.errors import InputError, TextTooLongError
from numpyclip.file_systems import is_url
from numpyclip.sources.columns import CAPTION
from numpyclip.sources.lines import read_stream
from numpyclip.sources.part import Part, ReadOptions, Row
from numpyclip.sources.places import reader_of
from numpyclip.sources.plan import parts_of
from numpyclip.sources.read import read_files, read_part

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP


class EmbeddedRows(Embedder):
    """Rows of the sources of a command, with embeddings; what cannot be read is reported on stderr.

    To parquet go the metadata of images, and errors: to other outputs a text that is too long ends the command.
    """

    def __init__(self, model: CLIP, arguments: argparse.Namespace, *, is_parquet: bool) -> None:
        super().__init__(model, arguments, Reporter())
        self._is_parquet = is_parquet
        self._options = ReadOptions(arguments.kind, arguments.column, arguments.carry)
        self._left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[OutputRow]:
        """Iterate over rows."""
        embed = self._embed_images if self._options.kind == "images" else self._embed_texts
        for row in embed(islice(self._rows(), self._arguments.limit)):
            self.embedded += row.embedding is not None
            yield row
        say_left_out(self._left_out, self.report.count)

    def _embed_images(self, rows: Iterable[Row]) -> Iterator[OutputRow]:
        named = self._arguments.views is not None
        for row, record in self.embed_images(rows, with_metadata=self._is_parquet):
            yield from view_rows(row, record, named=named)

    def _embed_texts(self, rows: Iterable[Row]) -> Iterator[OutputRow]:
        model, size, truncate = self._model, self._arguments.batch_size, self._arguments.truncate
        return embed_texts(model, rows, size, truncate=truncate, on_error=self._text_error)

    def _text_error(self, error: Exception) -> None:
        if isinstance(error, TextTooLongError) and not self._is_parquet:
            raise TextTooLongError(f"{error} To cut such texts, pass --truncate.") from error
        self.report(error)

    def _rows(self) -> Iterator[Row]:
        items, file = self._arguments.items, self._arguments.list_file
        if self._options.kind == "images":
            yield from self._of_sources(with_stdin(items, paths_in))
        else:
            for item in items:
                yield from self._of_text(item)
        if file is not None:
            yield from self._of_list(file)

    def _of_text(self, item: str) -> Iterable[Row]:
        if item == "-":
            return self._of_list(item)
        return self._of_sources([item]) if _holds_texts(item) else [Row(item, item, {CAPTION: item})]

    def _of_list(self, file: str) -> Iterator[Row]:
        with opened(file) as stream:
            yield from read_stream(stream, Part(0, "lines", file), self._options)

    def _of_sources(self, sources: Iterable[str]) -> Iterator[Row]:
        parts = parts_of(sources, self._options, report=self.report, left_out=self._left_out)
        for are_files, some in groupby(parts, lambda part: part.reader == "files"):
            if are_files:  # which are fetched together, if they are elsewhere
                yield from read_files((path for part in some for path in part.paths), raises_outages=False)
                continue
            for part in some:
                try:
                    yield from read_part(part, self._options)
                except InputError as error:
                    self.report(error)


def _holds_texts(item: str) -> bool:
    """Tell whether an argument is a source of texts, not a text: a URL, a file or pattern of them, or ``folder/``."""
    if reader_of(item) is not None:
        return is_url(item) or os.path.lexists(item) or any(letter in item for letter in "*?[{")
    return is_url(item) or (item.endswith(("/", os.sep)) and os.path.isdir(item))  # noqa: PTH112  False for long texts
