"""FILES → INDEX: embeddings of `numpyclip embed`, `index --export` or clip-retrieval, with the images they are of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numpyclip.arguments import checked_shard
from numpyclip.destinations import image_columns
from numpyclip.destinations.read import EmbeddingFile, embedding_files, fingerprint_at, read_embeddings, read_file
from numpyclip.destinations.row import VIEW
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, PictureError
from numpyclip.file_systems import is_url, is_web
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.images.metadata import ImageMetadata
from numpyclip.images.open import file_content
from numpyclip.index.index import Index
from numpyclip.index.picture_rows import storable
from numpyclip.index.picture_views import is_view
from numpyclip.index.records import WHOLE, Changes, Filed, NewPicture, is_part, seconds_of
from numpyclip.index.store import Store
from numpyclip.index.where import absolute, is_path
from numpyclip.model.ops import Array
from numpyclip.runtime.prefetch import read_ahead
from numpyclip.sources.places import ARCHIVES, PARQUET

_Report: TypeAlias = Callable[[str], object]

_ASKED = 3  # images that are embedded again, where nothing says which model embeddings are of
_LOOKED_FOR = 1000  # images whose files may be there for that
_WRITTEN = 1000  # embeddings at least, in one transaction
_SAME = 0.99  # cosine of an image's embeddings: rounded to float16 and decoded at another size it is more
_URL = "url"  # column of img2dataset's metadata
_COPIES = ("copies", "copies_size", "copies_mtime_ns")  # columns of `index --export`


def import_embeddings(
    index: Index,
    place: str | os.PathLike[str],
    progress: Callable[[list[EmbeddingFile]], Iterable[EmbeddingFile]] = iter,
    report: _Report = lambda problem: None,
    shard: tuple[int, int] = (0, 1),
) -> int:
    """Add embeddings from files, as `numpyclip.destinations.read` reads them, without computing them again.

    Images are known by the SHA-256, size and modification time that are recorded with their embeddings: no image is
    read, whether it is here or elsewhere. The next update embeds those that have changed since. Where nothing is
    recorded, images are read, but not decoded, and left out if they are not there; those at URLs, in archives or
    tables are known by the SHA-256 of their place, samples of a WebDataset by that of key and embedding. What an index
    has already stays as it is, but for images that are no files here, of which the last import counts.

    Parameters
    ----------
    index : Index
    place : str or path
        A folder, a .parquet file, or a URL of either.
    progress : callable, optional
        Given the files of embeddings, iterates over them.
    report : callable, optional
        Called for each image whose file cannot be read, and each file of which rows are left out.
    shard : pair of int, default=(0, 1)
        ``(i, n)``: import only the files whose number modulo n is i. Where a database has many writers, as PostgreSQL
        has, several such imports can run at the same time.

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
    share, shares = checked_shard(shard)
    precision = _check_model(index, place)
    files = [file for file in embedding_files(place) if file.number % shares == share]
    with index.adding():
        index.begin(precision)
        return sum(_import(index, progress(files), report))


def _import(index: Index, files: Iterable[EmbeddingFile], report: _Report) -> Iterator[int]:
    """Add what is in files; yield how much of it is new, some thousand at a time: files may have few."""
    store, changes, collected = index.store, Changes(), 0
    for found, embeddings in read_ahead(_read_files(files, index.model.config.embed_dim, report)):
        if isinstance(found, _Texts):
            yield _add_texts(store, found.texts, embeddings)
            continue
        _add_pictures(store, changes, found, embeddings)
        if (collected := collected + len(found)) >= _WRITTEN:
            yield store.write(changes)
            changes, collected = Changes(), 0
    yield store.write(changes)


_Image: TypeAlias = "tuple[list[tuple[str, ImageMetadata]], str]"  # all its paths, and which part of it is embedded


class _Texts(NamedTuple):
    texts: list[str]


def _read_files(
    files: Iterable[EmbeddingFile], embed_dim: int, report: _Report
) -> Iterator[tuple[_Texts | list[_Image], Array]]:
    wanted = (*image_columns.NAMES, *_COPIES, VIEW, _URL)
    for file in files:
        if file.kind == "texts":
            for texts, embeddings, _ in read_file(file, embed_dim, (), report):
                yield _Texts(texts), embeddings
        else:
            for paths, embeddings, columns in read_file(file, embed_dim, wanted, report):
                places = _places_of_keys(paths, columns.get(_URL, ()), file.table)
                known = {
                    place: ImageMetadata(hashlib.sha256(os.fsencode(key) + row.tobytes()).digest(), Exif(0, 0))
                    for place, key, row in zip(places, paths, embeddings, strict=True)
                    if place == f"{file.table}/{key}"
                }
                yield list(_images(places, columns, report, known)), embeddings


def _places_of_keys(paths: Sequence[str], urls: Sequence[Any], table: str) -> list[str]:
    """Return paths, but for the samples of a WebDataset, of which there are names without an ending, other places.

    These are the URL that img2dataset has recorded, or within the table.
    """
    places = list(paths)
    for row, path in enumerate(paths):
        if not (is_url(path) or os.path.isabs(path) or os.path.splitext(path)[1]):
            has_url = urls and isinstance(urls[row], str) and is_web(urls[row])
            places[row] = urls[row] if has_url else f"{table}/{path}"
    return places


def _images(
    paths: Sequence[str], columns: Mapping[str, Sequence[Any]], report: _Report, known: Mapping[str, ImageMetadata]
) -> Iterator[_Image]:
    """Iterate over images, each with all paths that are recorded, or can be read."""
    found = image_columns.image_metadata(columns, len(paths))
    copies = zip(*(columns.get(name, [None] * len(paths)) for name in _COPIES), strict=True)
    views = columns.get(VIEW, [None] * len(paths))
    for path, metadata, others, view in zip(paths, found, copies, views, strict=True):
        places = [(path, metadata), *_copies(metadata, *others)]
        read = ((place, each or known.get(path) or _read(place, report)) for place, each in _checked(places, report))
        yield [(place, each) for place, each in read if each is not None], _part(view)


def _part(view: Any) -> str:
    """Return which part of an image, or moment of a video, a row is of; tables of others may have the column."""
    is_known = isinstance(view, str) and is_part(view) and (is_view(view) or seconds_of(view) is not None)
    return view if is_known else WHOLE


def _checked(
    places: Iterable[tuple[str, ImageMetadata | None]], report: _Report
) -> Iterator[tuple[str, ImageMetadata | None]]:
    for path, metadata in places:
        if is_path(path) and _has_name(path):
            recorded = replace(metadata, state=None) if metadata is not None and is_url(path) else metadata
            yield absolute(path), recorded
        else:
            report(f"{path!r:.100}: is no path of a file.")


def _has_name(path: str) -> bool:
    """Tell whether a path or URL can be that of a file, other than of a folder."""
    if is_url(path):
        return bool(path.partition("://")[2].strip("/"))
    return os.path.basename(path) not in ("", os.curdir, os.pardir)


def _copies(
    metadata: ImageMetadata | None, paths: Any, sizes: Any, times: Any
) -> Iterator[tuple[str, ImageMetadata | None]]:
    """Iterate over the copies of an image that an index has exported."""
    if not paths:
        return
    names = [os.fsdecode(path) for path in paths if isinstance(path, str | bytes)] if isinstance(paths, list) else []
    if metadata is None or not all(isinstance(each, list) and len(each) == len(names) for each in (sizes, times)):
        yield from ((name, None) for name in names)
        return
    for name, size, mtime_ns in zip(names, sizes, times, strict=True):
        if image_columns.is_state(size, mtime_ns):
            yield name, replace(metadata, state=FileState(size, mtime_ns))
        else:
            yield name, replace(metadata, state=None) if size == NO_FILE.size else None


def _read(path: str, report: _Report) -> ImageMetadata | None:
    """Read an image of which nothing is recorded, or identify it by its place if that is no file here."""
    if not is_url(path):
        try:
            state = FileState.of(path)
            with file_content(path) as data:
                return ImageMetadata.of(data, path, state)
        except PictureError as error:
            folders = os.path.dirname(path).lower().split(os.sep)
            if not any(folder.endswith((*ARCHIVES, PARQUET)) for folder in folders):
                report(str(error))
                return None
    return ImageMetadata(hashlib.sha256(os.fsencode(path)).digest(), Exif(0, 0))


def _add_pictures(store: Store, changes: Changes, images: list[_Image], embeddings: Array) -> None:
    """Add what is not there: files of images, and embeddings of parts of these."""
    digests = [metadata.digest for places, _ in images for _, metadata in places]
    there, parts = store.paths_of(digests), store.parts_of(digests)
    for (places, part), embedding in zip(images, embeddings, strict=True):
        for path, metadata in places:
            digest = metadata.digest
            if path not in there.setdefault(digest, set()):
                there[digest].add(path)
                changes.filed.append(Filed(path, _state_here(path, metadata.state), digest))
            if part not in parts.setdefault(digest, set()):
                parts[digest].add(part)
                before = changes.pictures.get(digest, NewPicture(metadata.exif, {}))
                changes.pictures[digest] = replace(before, embeddings={part: embedding, **before.embeddings})


def _state_here(path: str, recorded: FileState | None) -> FileState:
    """Return the recorded state of a file here, else that of no file, which keeps the date."""
    if recorded is None:
        return NO_FILE
    try:
        is_here = storable(FileState.of(path)) == recorded
    except PictureError:
        is_here = os.path.isdir(os.path.dirname(path))  # it is gone, as the next update notices
    return recorded if is_here else replace(recorded, size=NO_FILE.size)


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
            f"{place}: the embeddings' model is not recorded, and no image file is available to verify it. If it is "
            "this one, put there a numpyclip.json, as numpyclip index --export FOLDER writes it."
        )
    if (worst := min(checked)) < _SAME:
        raise InputError(
            f"{place}: its embeddings are of another model: the cosine with this one's is {worst:.3f} for an image; "
            f"expected at least {_SAME}."
        )
    return None


def _checkable(index: Index, place: str) -> Iterator[float]:
    looked_for = 0
    for paths, embeddings, _ in read_embeddings(place, "images", index.model.config.embed_dim):
        for path, embedding in zip(paths, embeddings, strict=True):
            with suppress(PictureError):
                yield float(index.model.embed_pixels([index.model.preprocess.read(path)])[0] @ embedding)
        if (looked_for := looked_for + len(paths)) >= _LOOKED_FOR:
            break
    for texts, embeddings, _ in read_embeddings(place, "texts", index.model.config.embed_dim):
        for text, embedding in zip(texts, embeddings, strict=True):
            yield float(index.model.embed_texts(text, truncate=True)[0] @ embedding)
