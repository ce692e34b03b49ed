"""INDEX → FILES, in the format of clip-retrieval."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from numpyclip.atomic import temporary_path
from numpyclip.errors import InputError, StoreError
from numpyclip.index.clip_retrieval.format import FINGERPRINT_FILE, FOLDERS, need_pyarrow
from numpyclip.index.records import Match, Modality
from numpyclip.index.store import Store

_ROWS = 1 << 15  # of a file: 64 MiB at 512 numbers a row


def export_embeddings(store: Store, folder: Path, progress: Callable[[Iterator[Match]], Iterable[Match]] = iter) -> int:
    """Write what an index holds, in float32; the folder appears when all is in it.

    Parameters
    ----------
    store : Store
    folder : Path
        That is not there yet.
    progress : callable, optional
        Given an iterator over what is written, gives one to be consumed.

    Returns
    -------
    int
        Pictures and texts.

    Raises
    ------
    InputError
        If the folder is there.
    MissingPackageError
        If pyarrow is not.
    StoreError
        If the index is migrated to another model meanwhile, or the folder cannot be written.
    """
    need_pyarrow()
    if folder.exists():
        raise InputError(f"{folder}: is there already; expected a folder that is not, to be made.")
    if (fingerprint := store.fingerprint) is None:
        raise InputError(f"{store.place}: holds nothing yet.")
    written = 0
    try:
        with temporary_path(folder) as part:
            for modality in FOLDERS:
                written += _export_modality(part, modality, iter(progress(store.everything(modality))))
            if store.fingerprint != fingerprint:
                raise StoreError(f"{store.place}: was migrated to another model meanwhile; export it again.")
            (part / FINGERPRINT_FILE).write_text(fingerprint.to_json(), "utf-8")
            part.rename(folder)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    return written


def _export_modality(folder: Path, modality: Modality, matches: Iterator[Match]) -> int:
    import pyarrow
    import pyarrow.parquet

    place, name = FOLDERS[modality]
    written = 0
    for number in range(1 << 30):
        batch = list(islice(matches, _ROWS))
        if not batch:
            break
        for sub in (name, "metadata"):
            (folder / place / sub).mkdir(parents=True, exist_ok=True)
        np.save(folder / place / name / f"{name}_{number:04d}.npy", np.stack([match.embedding for match in batch]))
        table = pyarrow.Table.from_pylist([_described(match) for match in batch])
        pyarrow.parquet.write_table(table, folder / place / "metadata" / f"metadata_{number:04d}.parquet")
        written += len(batch)
    if modality == "pictures" and not written:
        folder.mkdir(parents=True, exist_ok=True)
    return written


def _described(match: Match) -> dict[str, object]:
    """Tell of a picture or text what others may want to know; names that are no text are written as bytes."""
    if match.path is None:
        return {"caption": match.text}
    exif = match.exif
    assert exif is not None
    return {
        "image_path": _as_text(match.path),
        "image_path_bytes": os.fsencode(match.path),
        "copies": [os.fsencode(copy) for copy in match.copies],
        "date": match.date,
        "width": exif.width,
        "height": exif.height,
        "latitude": exif.latitude,
        "longitude": exif.longitude,
    }


def _as_text(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
