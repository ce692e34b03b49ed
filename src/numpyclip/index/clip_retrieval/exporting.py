"""INDEX → FILES, in the format of clip-retrieval."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from numpyclip.atomic import atomic_folder
from numpyclip.errors import InputError, StoreError
from numpyclip.index.clip_retrieval import FINGERPRINT_FILE, FOLDERS, need_pyarrow
from numpyclip.index.records import Match, Modality
from numpyclip.index.store import Store
from numpyclip.runtime.chunks import batched

_Progress: TypeAlias = Callable[[Iterator[Match]], Iterable[Match]]

_ROWS = 1 << 15  # of a file: 64 MiB at 512 numbers a row


def export_embeddings(store: Store, folder: Path, progress: _Progress = iter) -> int:
    """Write what an index holds to a new folder, in float32, atomically; return how many pictures and texts.

    Raises
    ------
    InputError
        If the folder is there.
    MissingPackageError
        If pyarrow is not installed.
    NumPyCLIPError
        If the index is migrated to another model meanwhile, or the folder cannot be written.
    """
    need_pyarrow()
    if folder.exists():
        raise InputError(f"{folder}: is there already; expected a folder that is not, to be made.")
    if (fingerprint := store.fingerprint) is None:
        raise InputError(f"{store.place}: holds nothing yet.")
    with atomic_folder(folder) as part:
        written = sum(_export_modality(part, modality, store, progress) for modality in FOLDERS)
        if store.fingerprint != fingerprint:
            raise StoreError(f"{store.place}: was migrated to another model meanwhile; export it again.")
        (part / FINGERPRINT_FILE).write_text(fingerprint.to_json(), "utf-8")
    return written


def _export_modality(folder: Path, modality: Modality, store: Store, progress: _Progress) -> int:
    import pyarrow
    import pyarrow.parquet

    place, name = FOLDERS[modality]
    written = 0
    for number, batch in enumerate(batched(progress(store.everything(modality)), _ROWS)):
        for sub in (name, "metadata"):
            (folder / place / sub).mkdir(parents=True, exist_ok=True)
        np.save(folder / place / name / f"{name}_{number:04d}.npy", np.stack([match.embedding for match in batch]))
        table = pyarrow.Table.from_pylist([_described(match) for match in batch])
        pyarrow.parquet.write_table(table, folder / place / "metadata" / f"metadata_{number:04d}.parquet")
        written += len(batch)
    return written


def _described(match: Match) -> dict[str, object]:
    """Return the metadata of a picture or text, with paths also as bytes, since they need not be UTF-8."""
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
