"""FILES → INDEX: embeddings in clip-retrieval's format, with the pictures that they are of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, PictureError
from numpyclip.images.find import FileState
from numpyclip.images.open import file_content
from numpyclip.index.clip_retrieval import FINGERPRINT_FILE, need_pyarrow
from numpyclip.index.clip_retrieval.reading import files_in, read_rows
from numpyclip.index.exif import read_exif
from numpyclip.index.index import Index
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store
from numpyclip.index.where import absolute
from numpyclip.model.ops import Array
from numpyclip.regular_file import open_regular

_ASKED = 3  # pictures that are embedded again, where nothing says which model embeddings are of
_MOST = 1 << 20  # bytes of a fingerprint
_SAME = 0.99  # cosine of a picture's embeddings: rounded to float16 and decoded at another size it is more


def import_embeddings(
    index: Index,
    folder: Path,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    report: Callable[[str], object] = lambda problem: None,
) -> int:
    """Add embeddings that `export_embeddings`, clip-retrieval or autofaiss have written, without computing them again.

    Pictures are known by their files, which are read, but not decoded; where these are not there, they are left out.
    What an index has already stays as it is. `progress` is given the numbers of rows of all batches; `report` is called
    for each picture whose file cannot be read.

    Returns
    -------
    int
        Pictures and texts that are new.

    Raises
    ------
    InputError
        If the folder is no such folder, or its embeddings are of another model: where no fingerprint is recorded, some
        pictures are embedded again, and compared. Or if they are of another precision, and not to be mixed.
    MissingPackageError
        If pyarrow is not installed.
    """
    need_pyarrow()
    precision = _check_model(index, folder)
    new = 0

    def batches() -> Iterator[int]:
        nonlocal new
        for rows, embeddings in read_rows(folder, "pictures", index.model.config.embed_dim):
            new += _add_pictures(index.store, rows, embeddings, report)
            yield len(rows)
        for place in (folder, folder / "texts"):
            for rows, embeddings in read_rows(place, "texts", index.model.config.embed_dim):
                new += _add_texts(index.store, rows, embeddings)
                yield len(rows)

    with index.adding():
        index.begin(precision)
        for done in progress(batches()):
            del done
    return new


def _add_pictures(store: Store, rows: list[dict[str, Any]], embeddings: Array, report: Callable[[str], object]) -> int:
    changes = Changes()
    for row, embedding in zip(rows, embeddings, strict=True):
        for path in _paths(row):
            try:
                path = absolute(path)
                state = FileState.of(path)
                with file_content(path) as data:
                    digest = hashlib.sha256(data).digest()
                    if digest not in changes.pictures and not store.knows(digest):
                        changes.pictures[digest] = NewPicture(read_exif(data, path), embedding)
                changes.filed.append(Filed(path, state, digest))
            except PictureError as error:
                report(str(error))
    store.write(changes)
    return len(changes.pictures)


def _add_texts(store: Store, rows: list[dict[str, Any]], embeddings: Array) -> int:
    of_text = {_text(row): embedding for row, embedding in zip(rows, embeddings, strict=True) if _text(row)}
    if new := store.unknown_texts(of_text):
        store.write_texts(new, np.stack([of_text[text] for text in new]))
    return len(new)


def _text(row: dict[str, Any]) -> str:
    """Return the text of a row; an empty one if it has none."""
    return row["caption"] if isinstance(row["caption"], str) else ""


def _paths(row: dict[str, Any]) -> list[str]:
    """Return the files of a picture."""
    first, copies = row.get("image_path_bytes") or row["image_path"], row.get("copies")
    found = [first, *(copies if isinstance(copies, list) else ())]
    return [os.fsdecode(path) for path in found if isinstance(path, str | bytes)]


def _check_model(index: Index, folder: Path) -> str | None:
    """Raise InputError for embeddings of another model, told by the fingerprint, else by embedding some again.

    Return the precision in which they were computed, if that is recorded.
    """
    if not any(files_in(place, name) for place, name in ((folder, "img_emb"), (folder, "text_emb"))) and not any(
        files_in(folder / "texts", "text_emb")
    ):
        raise InputError(f"{folder}: has no img_emb/*.npy and metadata/*.parquet; expected clip-retrieval's format.")
    description = folder / FINGERPRINT_FILE
    if description.exists():
        try:
            with open_regular(description) as file:
                made_with = Fingerprint.from_json(file.read(_MOST).decode("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{description}: cannot be read ({error}).") from error
        if differences := made_with.differences(index.model.fingerprint):
            raise InputError(f"{folder}: its embeddings are of another model ({differences}).")
        if made_with.mixed_with(index.model.fingerprint):
            note = made_with.precision_note(index.model.fingerprint)
            raise InputError(f"{folder}: its embeddings are {note}. Load the model in that precision.")
        return made_with.precision
    checked = list(islice(_checkable(index, folder), _ASKED))
    if not checked:
        raise InputError(
            f"{folder}: the embeddings' model is not recorded, and no image file is available to verify it."
        )
    if (worst := min(checked)) < _SAME:
        raise InputError(
            f"{folder}: its embeddings are of another model: the cosine with this one's is {worst:.3f} for a picture; "
            f"expected at least {_SAME}."
        )
    return None


def _checkable(index: Index, folder: Path) -> Iterator[float]:
    for rows, embeddings in read_rows(folder, "pictures", index.model.config.embed_dim):
        for row, embedding in zip(rows, embeddings, strict=True):
            for path in _paths(row)[:1]:
                with suppress(PictureError):
                    yield float(index.model.embed_images(path)[0] @ embedding)
    for rows, embeddings in read_rows(folder, "texts", index.model.config.embed_dim):
        for row, embedding in zip(rows, embeddings, strict=True):
            if text := _text(row):
                yield float(index.model.embed_texts(text, truncate=True)[0] @ embedding)
