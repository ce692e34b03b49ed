"""INDEX → FILES, in the format of clip-retrieval and autofaiss.

Texts, which have no image here, are in a folder ``texts`` of their own. ``numpyclip.json`` beside them has the
fingerprint of the model, which others do not read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from numpyclip.atomic import atomic_folder
from numpyclip.destinations.read import FINGERPRINT_FILE
from numpyclip.destinations.row import VIEW, OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.errors import InputError, StoreError
from numpyclip.images.metadata import ImageMetadata
from numpyclip.index.records import Match, Modality
from numpyclip.index.store import Store
from numpyclip.sources.parquet import need_pyarrow
from numpyclip.sources.part import Kind

_Progress: TypeAlias = Callable[[Iterator[Match]], Iterable[Match]]

_ROWS = 1 << 15  # of a file: 64 MiB of 512 dimensions
_FOLDERS: dict[Modality, tuple[str, Kind]] = {"pictures": ("", "images"), "texts": ("texts", "texts")}


def export_embeddings(store: Store, folder: Path, progress: _Progress = iter) -> int:
    """Write what an index holds to a new folder, in float32, atomically; return how many images and texts.

    Raises
    ------
    InputError
        If the folder is there.
    MissingPackageError
        If pyarrow is not installed.
    NumPyCLIPError
        If the index is migrated to another model meanwhile, or the folder cannot be written.
    """
    need_pyarrow(str(folder))
    if folder.exists():
        raise InputError(f"{folder}: is there already; expected a folder that is not, to be made.")
    if (fingerprint := store.fingerprint) is None:
        raise InputError(f"{store.place}: holds nothing yet.")
    with atomic_folder(folder) as part:
        written = sum(_export(part, modality, progress(store.everything(modality))) for modality in _FOLDERS)
        if store.fingerprint != fingerprint:
            raise StoreError(f"{store.place}: was migrated to another model meanwhile; export it again.")
        (part / FINGERPRINT_FILE).write_text(fingerprint.to_json(), "utf-8")
    return written


def _export(folder: Path, modality: Modality, matches: Iterable[Match]) -> int:
    name, kind = _FOLDERS[modality]
    remaining, written, number = iter(matches), 0, 0
    while (first := next(remaining, None)) is not None:
        some = chain([first], islice(remaining, _ROWS - 1))
        destination = open_destination(str(folder / name), "clip-retrieval", "float32", len(first.embedding), kind)
        written += destination.write(number, map(_row, some))[0]
        number += 1
    return written


def _row(match: Match) -> OutputRow:
    if match.path is None:
        return OutputRow(match.text or "", match.embedding, {"caption": match.text}, None)
    state, *others = match.states
    assert match.exif is not None and state.digest is not None
    columns: dict[str, Any] = {
        "copies": [os.fsencode(copy) for copy in match.copies],
        "copies_size": [other.size for other in others],
        "copies_mtime_ns": [other.mtime_ns for other in others],
        "date": match.date,
    }
    if match.part:
        columns[VIEW] = match.part
    metadata = ImageMetadata(state.digest, match.exif, state if state.is_here else None)
    return OutputRow(match.path, match.embedding, columns, None, metadata)
