"""Embed any number of images or texts, on processes of this machine or on a cluster, into parts at a destination."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from numpyclip.arguments import OnError, checked_shard, whole_number
from numpyclip.batch import cluster, local_pool
from numpyclip.batch.job import BATCH_SIZE, Job, RunParts
from numpyclip.batch.summary import Meter, Progress, Summary
from numpyclip.batch.work import load_model
from numpyclip.destinations.manifest import Manifest, claim, digest_of
from numpyclip.destinations.write import Dtype, Layout, open_destination
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.encoder import present
from numpyclip.errors import InputError
from numpyclip.file_systems import is_url
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.images.views import View, checked_views
from numpyclip.runtime.chunks import checked_batch_size
from numpyclip.sources.part import Kind, Part, ReadOptions
from numpyclip.sources.places import PARQUET
from numpyclip.sources.plan import plan


@dataclass(frozen=True)
class Options:
    """How inputs are read and embedded, and embeddings written.

    Attributes
    ----------
    load : mapping
        Arguments of `numpyclip.load` besides the name: ``{"engine": "openvino", "precision": "bfloat16"}``.
    lists : tuple of str, default=()
        More lists of images, or of texts, one a line, whatever their own names are.
    on_error : {"raise", "skip"} or callable, default="raise"
        What to do if a folder cannot be listed.
    column : str, optional
        The column of images or texts in parquet files and in ``.json``; by default one of the usual names.
    columns : tuple of str, optional
        Columns of parquet files and ``.json`` that are copied to the output; by default all.
    limit : int, optional
        Read this many rows only.
    shard : pair of int, default=(0, 1)
        ``(i, n)``: embed only the parts whose number modulo n is i. Several such runs share a destination.
    layout : {"parquet", "clip-retrieval"}
    dtype : {"float32", "float16"}
        Of the embeddings that are written.
    batch_size : int, optional
        Inputs embedded together, of one part; by default 32 images or 1024 texts.
    decoding : DecodeOptions
        How images are decoded; large JPEG files at a reduced size by default.
    truncate : bool, default=False
        Truncate texts that are too long; otherwise they are rows with an error.
    views : tuple of {"crop", "pad", "squash", "tiles"}, optional
        Views of images, as in `CLIP.embed_images`: a row for each, with its name in the column ``view``.
    progress : callable, optional
        Called with a `Progress` whenever rows or parts are complete.
    """

    load: Mapping[str, Any] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    on_error: OnError = "raise"
    column: str | None = None
    columns: tuple[str, ...] | None = None
    limit: int | None = None
    shard: tuple[int, int] = (0, 1)
    layout: Layout = "parquet"
    dtype: Dtype = "float32"
    batch_size: int | None = None
    decoding: DecodeOptions = DRAFT
    truncate: bool = False
    views: tuple[View, ...] | None = None
    progress: Callable[[Progress], object] = lambda progress: None


DEFAULTS = Options()


def embed(  # noqa: PLR0913  what, where to, by what, on what, and all else
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = "ViT-B/32",
    kind: Kind = "images",
    workers: int | None = None,
    on: str | None = None,
    options: Options = DEFAULTS,
) -> Summary:
    """Embed images or texts into parts in a folder or bucket; parts that exist are skipped.

    The output is the same, bit for bit, for any number of workers, local or on a cluster, if their processors are of
    one kind: a part is read, embedded and atomically written by one worker with one thread. The same call continues a
    run that was interrupted.

    Parameters
    ----------
    sources : path, URL, or iterable of them
        Folders, images, webdataset shards (``.tar``), parquet files, lists of paths or texts; also by globs.
    destination : path or URL
        A folder, created if missing. A URL must not end in ``.parquet``, which would name a single file.
    model : str or path, default="ViT-B/32"
        As in `numpyclip.load`.
    kind : {"images", "texts"}
    workers : int, optional
        Number of parts in progress, each on one core; by default the number of cores. With one worker or one part, no
        process is started.
    on : str, optional
        ``"ray"`` for the Ray cluster that this process is part of, or ``"ray://host:10001"``; else local processes.
    options : Options

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        If an argument is invalid, a source does not exist, or the destination has embeddings of another model, other
        options or other sources.
    NumPyCLIPError
        If the model cannot be loaded or run, or no part can be written.
    """
    start = time.perf_counter()
    run_parts, (share, shares) = _executor(on, workers), checked_shard(options.shard)
    reading = ReadOptions(kind, options.column, options.columns)
    size = checked_batch_size(BATCH_SIZE[kind] if options.batch_size is None else options.batch_size)
    place = _checked_place(os.fspath(destination))
    left_out: Counter[str] = Counter()
    parts = plan(sources, reading, options.lists, limit=options.limit, on_error=options.on_error, left_out=left_out)
    job, done = _begun(os.fspath(model), place, reading, size, options, parts)
    mine = [part for part in parts if part.number % shares == share]
    missing = [part for part in mine if part.number not in done]
    meter = Meter(missing, options.progress)
    try:
        with closing(run_parts(job, missing, workers, meter.on_rows)) as outcomes:
            for outcome in outcomes:
                meter.end(outcome)
    finally:
        load_model.cache_clear()
    return Summary(
        job.destination,
        len(mine),
        len(mine) - len(missing),
        meter.rows,
        meter.errors,
        tuple(sorted(meter.failed, key=lambda part: part.number)),
        time.perf_counter() - start,
        dict(left_out),
    )


def _executor(on: str | None, workers: int | None) -> RunParts:
    if workers is not None and ((count := whole_number(workers)) is None or count < 1):
        raise InputError(f"workers is {workers!r:.60}; expected an integer of 1 or more.")
    if on is None:
        return local_pool.run_parts
    if on == "ray" or on.startswith("ray://"):
        return partial(cluster.run_parts, on=on)
    raise InputError(f"on is {on!r:.60}; expected 'ray' or 'ray://host:port'.")


def _checked_place(destination: str) -> str:
    if is_url(destination) and destination.endswith(PARQUET):  # `numpyclip.destinations.read` would open it as a file
        raise InputError(
            f"{destination}: is a URL of a file; expected one of a folder, that does not end in {PARQUET}."
        )
    return destination


def _begun(
    name: str, destination: str, reading: ReadOptions, batch_size: int, options: Options, parts: list[Part]
) -> tuple[Job, set[int]]:
    """Begin or continue a run: return its job, and the numbers of complete parts.

    InputError if the destination has other embeddings.
    """
    load_options, kind = tuple(options.load.items()), reading.kind
    model = load_model(name, load_options)
    present(model.config.vision if kind == "images" else model.config.text, kind)
    job = Job(
        model=name,
        load_options=load_options,
        reading=reading,
        destination=destination,
        batch_size=batch_size,
        fingerprint=model.fingerprint.to_json(),
        layout=options.layout,
        dtype=options.dtype,
        decoding=options.decoding,
        truncate=options.truncate,
        views=None if options.views is None else checked_views(options.views),
    )
    embed_dim, recorded = model.config.embed_dim, _recorded(job, model)
    made = open_destination(destination, job.layout, job.dtype, embed_dim, kind)
    expected = (job.layout, kind, job.dtype, embed_dim, job.fingerprint, recorded, len(parts), digest_of(parts))
    claim(destination, Manifest(*expected))
    return job, made.done()


def _recorded(job: Job, model: CLIP) -> dict[str, Any]:
    """Return the options that embeddings and rows depend on, to the last bit."""
    low_memory = bool(dict(job.load_options).get("low_memory"))  # which cuts batches into larger chunks
    ours: dict[str, Any] = {"batch_size": job.batch_size, "truncate": job.truncate, "low_memory": low_memory}
    if job.views is not None:
        ours["views"] = job.views
    engine = {"engine": model.engine.name if model.engine else "numpy", "device": model.device}
    reading = {name: value for name, value in asdict(job.reading).items() if name != "kind"}
    return {**ours, **engine, **reading, **asdict(job.decoding)}
