"""Parts of the output in clip-retrieval's format, which autofaiss reads, too.

``img_emb/img_emb_0000.npy`` has the embeddings of a part, ``metadata/metadata_0000.parquet`` what is known of each. The
latter is written last: where it is, the part is complete. It names the CRC-32 of the embeddings, since two runs at once
may write a part in turns. Inputs without an embedding are in neither, but in ``errors/errors_0000.parquet``. Where a
part has no embeddings at all, readers would mix up the files of others, so that ``errors/only_errors_0000.parquet`` is
all there is of it. Embeddings of texts are in ``text_emb``, the texts in the column ``caption``.

Source: github.com/rom1504/clip-retrieval, clip_inference/writer.py and clip_back.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO
from zlib import crc32

import numpy as np

from numpyclip.destinations.image_columns import image_columns, image_types
from numpyclip.destinations.key_columns import folder_of, name_columns, text_column
from numpyclip.destinations.new_file import make_folder, new_file, numbered_files
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.spool import Spool, batches
from numpyclip.remote import join, listing, remove
from numpyclip.sources.part import Kind

FOLDERS: dict[Kind, str] = {"images": "img_emb", "texts": "text_emb"}
CHECKSUM = "numpyclip.embeddings"  # in metadata: CRC-32 of the embeddings they belong to
KEYS: dict[Kind, str] = {"images": "image_path", "texts": "caption"}  # columns that identify what is embedded


def complete_parts(place: str) -> dict[int, str]:
    """List the metadata of complete parts, by number."""
    return numbered_files(listing(join(place, "metadata")), _namer("metadata"))


class _NoEmbeddings(Exception):
    """All rows of a part have errors."""


@dataclass(frozen=True)
class ClipRetrievalParts:
    """A destination in clip-retrieval's format."""

    place: str
    dtype: str
    embed_dim: int
    kind: Kind

    def done(self) -> set[int]:
        """Return the numbers of complete parts."""
        only_errors = numbered_files(listing(join(self.place, "errors")), _namer("only_errors"))
        return {*complete_parts(self.place), *only_errors}

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        """Write a part, atomically; return the numbers of rows and of errors among them."""
        import pyarrow

        make_folder(self.place)
        text, key, vectors = pyarrow.string(), KEYS[self.kind], FOLDERS[self.kind]
        waiting = join(self.place, "metadata")
        with (
            Spool(waiting, {key: text, **image_types(self.kind)}, [f"{key}_bytes"]) as metadata,
            Spool(waiting, {"key": text, "error": text}, ["key_bytes"]) as errors,
        ):
            with suppress(_NoEmbeddings), self._new(vectors, vectors, number) as file:
                self._fill(file, rows, metadata, errors)
                # Another run may have completed this part, perhaps with other errors.
                remove(self._place("metadata", "metadata", number))
                remove(self._place("errors", "only_errors", number))
                if not metadata.rows:
                    raise _NoEmbeddings
            # A run that was killed may have left files of this part, which had other errors then.
            if not metadata.rows:
                remove(self._place(vectors, vectors, number))
            if not (metadata.rows and errors.rows):
                remove(self._place("errors", "errors", number))
            if errors.rows or not metadata.rows:
                with self._new("errors", "errors" if metadata.rows else "only_errors", number) as file:
                    errors.write(file)
            if metadata.rows:
                with self._new("metadata", "metadata", number) as file:
                    metadata.write(file)
            return metadata.rows + errors.rows, errors.rows

    @contextmanager
    def _new(self, folder: str, name: str, number: int) -> Iterator[IO[bytes]]:
        make_folder(join(self.place, folder))
        with new_file(self._place(folder, name, number)) as file:
            yield file

    def _place(self, folder: str, name: str, number: int) -> str:
        return join(join(self.place, folder), _namer(name)(number))

    def _fill(self, file: IO[bytes], rows: Iterable[OutputRow], metadata: Spool, errors: Spool) -> None:
        """Write embeddings to an .npy file, and spool the rest of rows."""
        _write_header(file, self.dtype, (0, self.embed_dim))
        start, checksum = file.tell(), 0
        for batch in batches(rows):
            embeddings = [row.embedding for row in batch if row.embedding is not None]
            if embeddings:
                content = np.stack(embeddings).astype(self.dtype).tobytes()
                file.write(content)
                checksum = crc32(content, checksum)
                self._add(metadata, [row for row in batch if row.embedding is not None])
            self._add_errors(errors, [row for row in batch if row.embedding is None])
        metadata.metadata[CHECKSUM] = str(checksum)
        file.seek(0)
        _write_header(file, self.dtype, (metadata.rows, self.embed_dim))
        if file.tell() != start:  # NumPy leaves room in headers for more rows
            raise AssertionError(f"{self.place}: a header of {file.tell()} bytes has replaced one of {start}.")

    def _add(self, metadata: Spool, rows: Sequence[OutputRow]) -> None:
        if self.kind == "images":
            paths = [row.key for row in rows]
            own = name_columns(KEYS["images"], paths) | image_columns(rows, self.kind)
            metadata.add(own, [row.columns for row in rows])
            metadata.metadata |= folder_of(paths)
        else:
            texts = text_column([row.columns.get(KEYS["texts"]) for row in rows])
            carried = [{name: row.columns[name] for name in row.columns if name != KEYS["texts"]} for row in rows]
            metadata.add({KEYS["texts"]: texts}, carried)

    def _add_errors(self, errors: Spool, rows: Sequence[OutputRow]) -> None:
        if rows:
            own = {
                **name_columns("key", [row.key for row in rows]),
                "error": text_column([str(row.error) for row in rows]),
            }
            errors.add(own, [row.columns for row in rows])


def _namer(name: str) -> Callable[[int], str]:
    """Return what names the files of parts, of one kind."""
    suffix = ".npy" if name in FOLDERS.values() else ".parquet"
    return lambda number: f"{name}_{number:04d}{suffix}"


def _write_header(file: IO[bytes], dtype: str, shape: tuple[int, int]) -> None:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
