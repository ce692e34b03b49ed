"""FILES → ROWS: metadata and embeddings side by side, checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numpyclip.errors import InputError
from numpyclip.index.clip_retrieval import FOLDERS
from numpyclip.index.records import Modality
from numpyclip.model.ops import Array, normalize
from numpyclip.regular_file import open_regular

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH = 256  # rows at once


def read_rows(folder: Path, modality: Modality, embed_dim: int) -> Iterator[tuple[list[dict[str, Any]], Array]]:
    """Iterate over rows and their embeddings, of unit length, some at a time."""
    wanted = "image_path" if modality == "pictures" else "caption"
    for vectors, table in files_in(folder, FOLDERS[modality][1]):
        embeddings = _mapped(vectors, embed_dim)
        parquet = _opened(table)
        if parquet.metadata.num_rows != len(embeddings):
            raise InputError(
                f"{table}: has {parquet.metadata.num_rows} rows, and {vectors} {len(embeddings)}; expected as many."
            )
        if wanted not in parquet.schema_arrow.names:
            raise InputError(f"{table}: has no column {wanted}; expected one.")
        start = 0
        for batch in parquet.iter_batches(_BATCH):
            rows = batch.to_pylist()
            part = np.asarray(embeddings[start : start + len(rows)], np.float32)
            lengths = np.linalg.norm(part, axis=1)
            if not (np.isfinite(lengths).all() and lengths.all()):
                raise InputError(f"{vectors}: a row near {start} is zero or not finite; expected embeddings.")
            yield rows, normalize(part)
            start += len(rows)


def files_in(folder: Path, name: str) -> list[tuple[Path, Path]]:
    """Pair files of embeddings and of metadata, which are sorted alike."""
    vectors = sorted((folder / name).glob("*.npy"), key=_by_number)
    tables = sorted((folder / "metadata").glob("*.parquet"), key=_by_number) if vectors else []
    if len(vectors) != len(tables):
        raise InputError(
            f"{folder}: has {len(vectors)} files in {name} and {len(tables)} in metadata; expected as many."
        )
    return list(zip(vectors, tables, strict=True))


def _by_number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, path.name)


def _mapped(path: Path, embed_dim: int) -> Array:
    try:
        with open_regular(path):  # NumPy maps files by their names
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error
    if array.ndim != 2 or array.shape[1] != embed_dim or array.dtype.kind != "f":
        raise InputError(
            f"{path}: is {array.dtype} of shape {array.shape}; expected embeddings (n, {embed_dim}) of this model."
        )
    return array


def _opened(path: Path) -> ParquetFile:
    import pyarrow
    import pyarrow.parquet

    try:
        with open_regular(path):  # pyarrow opens files by their names
            return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as parquet ({error}).") from error
