"""FILES → INDEX: embeddings of `numpyclip embed`, `index --export` or clip-retrieval, with the images they are of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np

from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, PictureError
from numpyclip.images.exif import read_exif
from numpyclip.images.find import FileState
from numpyclip.images.open import file_content
from numpyclip.index.index import Index
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.store import Store
from numpyclip.index.where import absolute
from numpyclip.model.ops import Array
from numpyclip.shards.embeddings import fingerprint_at, missing_parts, read_embeddings

_ASKED = 3  # pictures that are embedded again, where nothing says which model embeddings are of
_WRITTEN = 1000  # files at least, in one transaction
_SAME = 0.99  # cosine of a picture's embeddings: rounded to float16 and decoded at another size it is more


def import_embeddings(
    index: Index,
    place: str | os.PathLike[str],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    report: Callable[[str], object] = lambda problem: None,
) -> int:
    """Add embeddings from files, as `numpyclip.shards.embeddings` reads them, without computing them again.

    Images are known by their files, which are read, but not decoded; where these are not there, they are left out.
    What an index has already stays as it is. `progress` is given the numbers of rows of all batches; `report` is called
    for each image whose file cannot be read, and if parts are missing.

    Parameters
    ----------
    index : Index
    place : str or path
        A folder, a .parquet file, or a URL of either.
    progress, report : callable, optional

    Returns
    -------
    int
        Images and texts that are new.

    Raises
    ------
    InputError
        If there are no embeddings, or they are of another model: where no fingerprint is recorded, some images are
        embedded again, and compared. Or if they are of another precision than the index, and not to be mixed; or than
        the model, where the index is new.
    MissingPackageError
        If pyarrow, or the package for a URL, is not installed.
    """
    place = os.fspath(place)
    precision = _check_model(index, place)
    if missing := missing_parts(place):
        report(f"{place}: {missing} of its parts are not there yet; what is there is imported.")
    dimensions = index.model.config.embed_dim
    new = 0

    def batches() -> Iterator[int]:
        nonlocal new
        changes = Changes()
        for paths, embeddings, columns in read_embeddings(place, "images", dimensions):
            _add_pictures(changes, _with_copies(paths, columns), embeddings, report)
            if len(changes.filed) >= _WRITTEN:
                new += index.store.write(changes)
                changes = Changes()
            yield len(paths)
        new += index.store.write(changes)
        for texts, embeddings, _ in read_embeddings(place, "texts", dimensions):
            new += _add_texts(index.store, texts, embeddings)
            yield len(texts)

    with index.adding():
        index.begin(precision)
        for done in progress(batches()):
            del done
    return new


def _add_pictures(
    changes: Changes, paths: Iterable[list[str]], embeddings: Array, report: Callable[[str], object]
) -> None:
    """Add images, each with the paths of all its files."""
    for files, embedding in zip(paths, embeddings, strict=True):
        for path in files:
            try:
                path = absolute(path)
                state = FileState.of(path)
                with file_content(path) as data:
                    digest = hashlib.sha256(data).digest()
                    if digest not in changes.pictures:
                        changes.pictures[digest] = NewPicture(read_exif(data, path), embedding)
                changes.filed.append(Filed(path, state, digest))
            except PictureError as error:
                report(str(error))


def _with_copies(paths: list[str], columns: dict[str, list[Any]]) -> Iterator[list[str]]:
    copies = columns.get("copies", [None] * len(paths))
    for path, others in zip(paths, copies, strict=True):
        found = others if isinstance(others, list) else []
        yield [path, *(os.fsdecode(each) for each in found if isinstance(each, str | bytes))]


def _add_texts(store: Store, texts: list[str], embeddings: Array) -> int:
    of_text = dict(zip(texts, embeddings, strict=True))
    if new := store.unknown_texts(of_text):
        store.write_texts(new, np.stack([of_text[text] for text in new]))
    return len(new)


def _check_model(index: Index, place: str) -> str | None:
    """Raise InputError for embeddings of another model, told by the fingerprint, else by embedding some again.

    Return the precision in which they were computed, if that is recorded.
    """
    recorded = fingerprint_at(place)
    if recorded is not None:
        try:
            made_with = Fingerprint.from_json(recorded)
        except InputError as error:
            raise InputError(f"{place}: the fingerprint of its model cannot be read ({error}).") from error
        if differences := made_with.differences(index.model.fingerprint):
            raise InputError(f"{place}: its embeddings are of another model ({differences}).")
        if index.store.fingerprint is None and made_with.mixed_with(index.model.fingerprint):
            note = made_with.precision_note(index.model.fingerprint)
            raise InputError(f"{place}: its embeddings are {note}. Load the model in that precision.")
        next(read_embeddings(place, embed_dim=index.model.config.embed_dim), None)  # raises if there are none
        return made_with.precision
    checked = list(islice(_checkable(index, place), _ASKED))
    if not checked:
        raise InputError(
            f"{place}: the embeddings' model is not recorded, and no image file is available to verify it."
        )
    if (worst := min(checked)) < _SAME:
        raise InputError(
            f"{place}: its embeddings are of another model: the cosine with this one's is {worst:.3f} for a picture; "
            f"expected at least {_SAME}."
        )
    return None


def _checkable(index: Index, place: str) -> Iterator[float]:
    for paths, embeddings, _ in read_embeddings(place, "images", index.model.config.embed_dim):
        for path, embedding in zip(paths, embeddings, strict=True):
            with suppress(PictureError):
                yield float(index.model.embed_images(path)[0] @ embedding)
    for texts, embeddings, _ in read_embeddings(place, "texts", index.model.config.embed_dim):
        for text, embedding in zip(texts, embeddings, strict=True):
            yield float(index.model.embed_texts(text, truncate=True)[0] @ embedding)
