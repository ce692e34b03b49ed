"""Parts of the output in clip-retrieval's format, which autofaiss reads, too.

``img_emb/img_emb_0000.npy`` has the embeddings of a part, ``metadata/metadata_0000.parquet`` what is known of each. The
latter is written last: where it is, the part is complete. Inputs without an embedding are in neither, but in
``errors/errors_0000.parquet``. Embeddings of texts are in ``text_emb``, the texts in the column ``caption``.

Source: github.com/rom1504/clip-retrieval, clip_inference/writer.py and clip_back.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from numpyclip.remote import exists, join
from numpyclip.shards.key_columns import name_columns, text_column
from numpyclip.shards.new_file import make_folder, new_file, numbered_files
from numpyclip.shards.part import Kind, OutputRow
from numpyclip.shards.spool import ROWS, Spool, batched

FOLDERS: dict[Kind, str] = {"images": "img_emb", "texts": "text_emb"}
KEYS: dict[Kind, str] = {"images": "image_path", "texts": "caption"}  # columns that identify what is embedded


def complete_parts(place: str) -> dict[int, str]:
    """List the metadata of complete parts, by number."""
    return numbered_files(join(place, "metadata"), lambda number: f"metadata_{number:04d}.parquet")


@dataclass(frozen=True)
class ClipRetrievalParts:
    """A destination in clip-retrieval's format."""

    place: str
    dtype: str
    embed_dim: int
    kind: Kind

    def done(self) -> set[int]:
        """Return the numbers of complete parts."""
        return set(complete_parts(self.place))

    def write(self, number: int, rows: Iterable[OutputRow]) -> tuple[int, int]:
        """Write a part, atomically; return the numbers of rows and of errors among them."""
        import pyarrow

        text, key = pyarrow.string(), KEYS[self.kind]
        place = self._place("metadata", number, ".parquet")
        with (
            Spool(place, {key: text}, [f"{key}_bytes"]) as metadata,
            Spool(place, {"key": text, "error": text}, ["key_bytes"]) as errors,
        ):
            with new_file(self._place(FOLDERS[self.kind], number, ".npy")) as file:
                self._fill(file, rows, metadata, errors)
            self._write_errors(errors, number)
            with new_file(place) as file:
                metadata.write(file)
            return metadata.rows + errors.rows, errors.rows

    def _place(self, folder: str, number: int, suffix: str) -> str:
        make_folder(self.place)
        make_folder(join(self.place, folder))
        return join(join(self.place, folder), f"{folder}_{number:04d}{suffix}")

    def _fill(self, file: IO[bytes], rows: Iterable[OutputRow], metadata: Spool, errors: Spool) -> None:
        """Write embeddings to an .npy file, and spool the rest of rows."""
        _write_header(file, self.dtype, (0, self.embed_dim))
        start = file.tell()
        for batch in batched(rows, ROWS):
            embeddings = [row.embedding for row in batch if row.embedding is not None]
            if embeddings:
                file.write(np.stack(embeddings).astype(self.dtype).tobytes())
                self._add(metadata, [row for row in batch if row.embedding is not None])
            self._add_errors(errors, [row for row in batch if row.embedding is None])
        file.seek(0)
        _write_header(file, self.dtype, (metadata.rows, self.embed_dim))
        if file.tell() != start:  # NumPy leaves room in headers for more rows
            raise AssertionError(f"{self.place}: a header of {file.tell()} bytes has replaced one of {start}.")

    def _add(self, metadata: Spool, rows: Sequence[OutputRow]) -> None:
        if self.kind == "images":
            metadata.add(name_columns(KEYS["images"], [row.key for row in rows]), [row.columns for row in rows])
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

    def _write_errors(self, errors: Spool, number: int) -> None:
        place = join(join(self.place, "errors"), f"errors_{number:04d}.parquet")
        if errors.rows or exists(place):  # of a run that was killed, perhaps, with other errors
            make_folder(join(self.place, "errors"))
            with new_file(place) as file:
                errors.write(file)


def _write_header(file: IO[bytes], dtype: str, shape: tuple[int, int]) -> None:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
