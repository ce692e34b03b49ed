"""Embed one part: the one function that every executor calls in its workers."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import OnError, error_handler
from numpyclip.batch.job import FailedPart, Job, OnRows, Outcome, PartSummary, UnwrittenPart
from numpyclip.destinations.row import VIEW, OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import (
    CheckpointError,
    EngineError,
    InputError,
    MissingPackageError,
    NumPyCLIPError,
    PictureError,
    TextTooLongError,
)
from numpyclip.file_systems import CredentialsError
from numpyclip.images.views import CROP
from numpyclip.loader import load
from numpyclip.lock import exclusive
from numpyclip.model.ops import normalize
from numpyclip.pipeline import Embedded, PictureReader, Reading, iter_embeddings
from numpyclip.runtime.chunks import batched
from numpyclip.runtime.finite_embeddings import NOT_FINITE, NotFinite, any_finite, finite_rows
from numpyclip.runtime.prepared import is_prepared, prepared_folder
from numpyclip.runtime.threads import thread_variables
from numpyclip.sources.part import LARGE, Part, Row
from numpyclip.sources.read import read_part

ONE_THREAD = thread_variables(1)  # environment of workers, read with NumPy

EmbeddedImage: TypeAlias = tuple[Row, Embedded[Any, Any]]  # a row without its content, and what became of that


def filter_warnings() -> None:
    """Let a worker give all warnings to the driver, except of what is checked anyway."""
    warnings.simplefilter("default")
    warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning)  # NumPy's; results are checked


def attempt_part(job: Job, part: Part, on_rows: OnRows | None = None) -> Outcome:
    """Embed one part as `embed_part` does; if it cannot be read or written, return that as its outcome.

    Raises
    ------
    NumPyCLIPError
        If the model cannot be loaded or run, or a package or credentials are missing: errors of all parts.
    """
    load_model(job.model, job.load_options)
    try:
        return embed_part(job, part, on_rows)
    except (CheckpointError, EngineError, MissingPackageError, CredentialsError):
        raise
    except InputError as error:
        return FailedPart(part.number, part.source, str(error))
    except NumPyCLIPError as error:  # which only `Destination.write` raises, after some tries
        return UnwrittenPart(part.number, part.source, str(error))
    except Exception as error:  # of whatever kind: the other parts of a long run are worth more
        return FailedPart(part.number, part.source, f"{type(error).__name__}: {error}")


def embed_part(job: Job, part: Part, on_rows: OnRows | None = None) -> PartSummary:
    """Read, embed and write one part, atomically.

    Parameters
    ----------
    job : Job
    part : Part
    on_rows : callable, optional
        Called with the part's number and how many of its rows are embedded, after each batch.

    Returns
    -------
    PartSummary
    """
    model = load_model(job.model, job.load_options)
    kind, embed_dim = job.reading.kind, model.config.embed_dim
    destination = open_destination(job.destination, job.layout, job.dtype, embed_dim, kind, job.fingerprint)
    embedded = _embed(model, part, job)
    if on_rows is not None:
        embedded = _counted(embedded, job.batch_size, lambda rows: on_rows(part.number, rows))
    return PartSummary(part.number, *destination.write(part.number, embedded))


@lru_cache(maxsize=1)
def load_model(name: str, options: tuple[tuple[str, Any], ...]) -> CLIP:
    """Load a model once a process."""
    model, _ = load(name, **dict(options))
    return model


def share_weights(job: Job) -> None:
    """Cache prepared weights: one process of a machine makes them, others wait, and all memory-map one file."""
    model, folder = load_model(job.model, job.load_options), prepared_folder()
    tower = "visual" if job.reading.kind == "images" else "text"
    if folder is None or model.engine is not None or model.checkpoint is None:
        return
    is_there = partial(is_prepared, model.checkpoint.identity, tower)
    if is_there():
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "batch.lock"):
        if not is_there():
            getattr(model, tower)
            if is_there():  # which a small one is not
                load_model.cache_clear()  # so that this process maps the file, too


def _embed(model: CLIP, part: Part, job: Job) -> Iterator[OutputRow]:
    rows = read_part(part, job.reading)
    if job.reading.kind == "texts":
        return embed_texts(model, rows, job.batch_size, truncate=job.truncate)
    read = PictureReader(model.preprocess, job.decoding, with_metadata=True, views=job.views or CROP)
    embed = partial(_embed_files, source=part.source) if part.reader == "files" else embed_images
    embedded = embed(model, rows, read, job.batch_size)
    return chain.from_iterable(view_rows(row, record, named=job.views is not None) for row, record in embedded)


def _embed_files(
    model: CLIP, rows: Iterable[Row], read_picture: PictureReader, batch_size: int, *, source: str
) -> Iterator[EmbeddedImage]:
    """Embed image files; InputError if none can be opened: they were there when the run was planned."""
    count, unopened = 0, list[Exception]()

    def note(error: Exception) -> None:
        if _file_error(error) is not None:
            unopened.append(error)

    for count, embedded in enumerate(embed_images(model, rows, read_picture, batch_size, note), start=1):  # noqa: B007
        yield embedded
    if unopened and len(unopened) == count:
        raise InputError(f"{source}: none of {count} files can be opened, such as {unopened[0]} Is a disk not mounted?")


def _file_error(error: Exception) -> OSError | None:
    """Return the error of the file system that an error is of, unlike one of what is in a file."""
    cause = error.__cause__
    return cause if isinstance(cause, OSError) and cause.errno is not None else None


class _Image:
    """A row without its content, and the content until it is read."""

    def __init__(self, row: Row) -> None:
        self.row = replace(row, content=None)
        self.content = row.content

    def is_large(self) -> bool:
        """Tell whether it must not wait in memory with others."""
        return len(self.content or "") > LARGE


def embed_images(
    model: CLIP, rows: Iterable[Row], read_picture: PictureReader, batch_size: int, on_error: OnError = "skip"
) -> Iterator[EmbeddedImage]:
    """Embed rows of images; yield each with its record, in order. Contents are dropped as soon as they are decoded."""

    def read(image: _Image) -> Reading[Any]:
        try:
            if image.content is None:
                raise PictureError(image.row.error)
            return read_picture(image.content, image.row.key)
        except (PictureError, InputError) as error:
            error.__context__, cause = None, _file_error(error)
            # Frames of tracebacks would keep the content.
            raise error.with_traceback(None) from cause and cause.with_traceback(None)
        finally:
            image.content = None

    images = map(_Image, rows)
    for record in iter_embeddings(
        model.embed_pixels, images, read, batch_size=batch_size, on_error=on_error, in_turn=_Image.is_large
    ):
        yield record.picture.row, record


def view_rows(row: Row, record: Embedded[Any, Any], *, named: bool) -> Iterator[OutputRow]:
    """Make a row of each view of an image, with its name where views were asked for, or a row of what is wrong."""
    problem = None if record.error is None else str(record.error)
    views: list[tuple[str | None, Any]] = [*record.views.items()] or [(None, None)]
    for view, embedding in views:
        columns = _with_view(row.columns, view) if named else row.columns
        yield OutputRow(row.key, embedding, columns, problem, record.extra)


def _with_view(columns: Mapping[str, Any], view: str | None) -> dict[str, Any]:
    """Add the column of views; one of this name in the source gets a prefix, as where others are in its way."""
    return {VIEW: view} | {f"source_{name}" if name == VIEW else name: value for name, value in columns.items()}


def embed_texts(
    model: CLIP, rows: Iterable[Row], batch_size: int, *, truncate: bool, on_error: OnError = "skip"
) -> Iterator[OutputRow]:
    """Embed rows of texts; yield one row for each, in order."""
    handle = error_handler(on_error)
    is_sound = False  # whether an embedding was finite, so that the weights are not to blame for all
    for batch in batched(rows, batch_size):
        results = _embed_batch(model, batch, truncate)
        is_sound = is_sound or any_finite(results)
        for row, result in zip(batch, results, strict=True):
            if not isinstance(result, Exception):
                yield OutputRow(row.key, result, row.columns, None)
                continue
            handle(result)
            reason = f"{result.found}." if isinstance(result, TextTooLongError) else str(result)
            yield OutputRow(row.key, None, row.columns, reason)


def _embed_batch(model: CLIP, batch: Sequence[Row], truncate: bool) -> list[Any]:
    """Embed texts together; return for each its embedding, or its error."""
    results: list[Any] = [_tokenized(model, row, truncate) for row in batch]
    if whole := [number for number, each in enumerate(results) if not isinstance(each, Exception)]:
        embeddings = normalize(model.encode_text(np.concatenate([results[number] for number in whole])))
        for number, embedding, is_finite in zip(whole, embeddings, finite_rows(embeddings), strict=True):
            results[number] = embedding if is_finite else NotFinite(f"{batch[number].key}: {NOT_FINITE}")
    return results


def _tokenized(model: CLIP, row: Row, truncate: bool) -> NDArray[np.int32] | NumPyCLIPError:
    """Return the ids of a text, or why it cannot be embedded."""
    if not isinstance(row.content, str):
        return InputError(row.error)
    try:
        return model.tokenize(row.content, truncate)
    except (TextTooLongError, InputError) as error:
        return error


def _counted(rows: Iterable[OutputRow], every: int, on_rows: Callable[[int], object]) -> Iterator[OutputRow]:
    """Tell how many rows have passed, each time that a batch of them has."""
    for count, row in enumerate(rows, start=1):
        yield row
        if count % every == 0:
            on_rows(count)
