"""NumPyCLIP's own API for search and classification, which the page uses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Choice, Flag, Images, Integer, Text, Texts
from numpyclip.dispatch.fields import RequestFields
from numpyclip.dispatch.json_values import contents, ranked
from numpyclip.dispatch.queries import MAX_RESULTS, Words, is_browsing, query_of, where_of
from numpyclip.dual_encoder.validation import captions
from numpyclip.errors import InputError
from numpyclip.image_marks import Mark
from numpyclip.index.index import Index
from numpyclip.index.model_options import remembered_options
from numpyclip.index.records import MODALITIES, Match, Modality
from numpyclip.index.rows import COUNTED
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.server.apis.cursors import MAX_DEPTH, Cursor
from numpyclip.server.apis.library_api import MARKS, marks_json
from numpyclip.server.http.image_ids import ImageId, ImageIds, key_of
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.request_parsing import ServerFilters
from numpyclip.server.http.responses import JSONResponse, compressed
from numpyclip.server.image_files.thumbnails import SIZES
from numpyclip.server.service import Service
from numpyclip.server.settings import Settings
from numpyclip.tasks.query import Query

_ALIKE = 0.95  # cosine from which images count as near duplicates: docs/guides/server.md says what was measured
_DATE = "date."  # begins the cursors of browsing
_MATCH = record(
    "Match",
    {
        "key": typed("string", "The ID and the first digits of the file's SHA-256: never another image's."),
        "name": typed("string", "Name of its file."),
        "path": typed("string", "Path of its file; bytes that are not UTF-8 are escaped as `\\x..`."),
        "path_bytes": typed("string", "Bytes of a path that is not UTF-8, in base64; likewise for other names."),
        "copies": listing(typed("string"), "Other files with the same content."),
        "text": typed("string", "The text, if texts are searched."),
        "cosine": typed("number", "Cosine of its embedding and the query's; not without a query."),
        "probability": typed("number", "Probability of a match, if the query is a single text.", minimum=0, maximum=1),
        "date": typed("string", "`taken`, else a date in the name, else the modification time."),
        "width": typed("integer", "Pixels."),
        "height": typed("integer", "Pixels."),
        "taken": typed("string", "Local time in EXIF data: 2024-05-01T12:00:00."),
        "offset": typed("string", "UTC offset of `taken`: +02:00."),
        "duration": typed("number", "Seconds of a video."),
        "camera": typed("string"),
        "lens": typed("string"),
        "latitude": typed("number", "Degrees."),
        "longitude": typed("number", "Degrees."),
        "part": typed("string", "The view that was found, or the moment of a video in seconds."),
        "seconds": typed("number", "The moment of a video that was found, in seconds."),
        "moments": listing(
            record(seconds=typed("number"), cosine=typed("number")), "Other moments, the nearest first."
        ),
        "marks": MARKS,
        "tag": typed("string", "With `tags`: its best tag."),
        "like": typed("integer", "With `group`: ID of the first image of which it is a near duplicate, often itself."),
        "thumbnail": typed("string", "URL of a small JPEG, relative to the server's."),
        "original": typed("string", "URL of the file, relative to the server's; not with `--no-originals`."),
    },
    id=typed("integer", "ID; another image may have it after the index was rebuilt or compacted: see `key`."),
)
_FOUND = record(
    "Found",
    {
        "searched": typed("integer", "Number of images that were compared; not with a `cursor`."),
        "is_estimate": typed("boolean", "Whether `searched` is an estimate."),
    },
    matches=listing(_MATCH, "The nearest first; without a query the newest first."),
    next=typed(["string", "null"], "The `cursor` of the next page, to be sent with the same filters; null at the end."),
    order={"enum": ["cosine", "date"]},
    is_match=typed("boolean", "Whether the best match is better than chance."),
    cutoff=typed(["number", "null"], "Probability that the best match must reach, if the query is a single text."),
    best=typed(["number", "null"], "The largest probability."),
)
_PREDICTIONS = record(
    "Predictions",
    predictions=listing(
        listing(record(label=typed("string"), probability=typed("number")), "The most probable first."),
        "Of each image.",
    ),
)
_INDEX = record(
    "Index",
    model=typed("string"),
    text_model=typed(["string", "null"], "Model that embedded the texts of the index, if not `model`."),
    query_text_model=typed(["string", "null"], "Model that embeds queries, if not `model`."),
    dimensions=typed("integer", "Dimensions of an embedding."),
    files=typed("integer", "Number of files that can be read."),
    pictures=typed("integer", "Number of different images in them."),
    texts=typed("integer"),
    unreadable=typed("integer", "Number of files that cannot be read as images."),
    folders=listing(typed("string")),
)


class _Search(Words, ServerFilters, example={"query": "a dog on a beach", "n": 5}):
    q = Text("The same as `query`.")
    image = Images("Images to search with; in JSON data URIs, base64 or URLs.")
    near = ImageIds("IDs of indexed images to search with; `12@21.5` is a moment of a video.")
    n = Integer("Number of matches.", 60, MAX_RESULTS)
    in_ = Choice("What is searched; texts have no folder and no date.", MODALITIES)
    strict = Flag("Return no matches if the best is no better than chance.")
    tags = Flag("Add the best tag of each image; the first such request starts to embed the tags, and has none yet.")
    cursor = Text("`next` of the previous page, in place of a query. A search has at most 20,000 results.")
    until = Text("Without a query: only images before this date, such as 2024-06.")
    group = Flag("Mark near duplicates, among the matches and `shown`, by `like`.")
    shown = ImageIds("With `group`: IDs of the images on earlier pages.")


class _Classify(RequestFields, example={"ids": ["1", "2"], "labels": ["dog", "cat"], "template": "a photo of a {}"}):
    image = Images("Images; in JSON data URIs, base64 or URLs.")
    ids = ImageIds("IDs of indexed images in place of `image`.", MAX_RESULTS)
    labels = Texts("What the images may show.", required=True)
    template = Text("A text with {} for the label.", "{}")


@operation(Answer("The matches.", _FOUND), _Search, methods=("GET", "POST"), errors=(404, 429, 502))
async def search(request: Request, fields: _Search) -> Response:
    """Search by texts, uploaded images and indexed images, or sums of them; without a query, browse images."""
    service: Service = request.app.state.service
    where, n, modality = where_of(fields), fields.n, fields.in_
    groups = fields.group and modality == "pictures"
    earlier = fields.shown if groups else []
    start, until = await _start(service, fields), fields.until or None
    if modality == "texts" and not isinstance(start, Cursor):
        raise InputError("the query is empty: texts are searched, by query, near or image, and not browsed.")

    def found() -> Response:
        store = service.index().store
        if isinstance(start, Cursor):
            matches, answer = _nearest(service.index(), start, n, where, modality)
            if fields.strict and not (start.skip or answer["is_match"]):
                matches, answer["next"] = [], None
        else:
            matches, cursor = store.browse(where, n, after=start if start is not None else until)
            answer = {"next": cursor and _DATE + cursor, "order": "date", "is_match": bool(matches)}
            answer |= {"cutoff": None, "best": None, "searched": None}
        count = answer.pop("searched")
        if not fields.cursor:
            answer |= _searched(store, modality, where, count)
        tags = service.tags.of(matches) if fields.tags and modality == "pictures" else {}
        marks = store.marks_of([match.digest for match in matches if match.digest])
        shown = [_to_json(match, tags.get(match.id), marks, service.settings) for match in matches]
        if groups:
            firsts = _first_alike(store, [image.number for image in earlier], [match.id for match in matches])
            for match, values in zip(matches, shown, strict=True):
                values["like"] = firsts[match.id]
        if answer["order"] == "date":
            for values in shown:
                del values["cosine"]  # to itself
        return compressed(request, JSONResponse({"matches": shown, **answer}))

    return await service.threads.run(found)


def _nearest(
    index: Index, start: Cursor, n: int, where: Where, modality: Modality
) -> tuple[list[Match], dict[str, Any]]:
    """Return what is nearest from a cursor on, and the next cursor."""
    result = index.search(
        start.embedding, n + 1, where=where, modality=modality, is_text=start.is_text, skip=start.skip
    )
    following = replace(start, skip=start.skip + n)
    cursor = str(following) if len(result) > n and following.skip <= MAX_DEPTH else None
    answer = {"next": cursor, "order": "cosine", "is_match": result.is_match}
    return result[:n], {**answer, "cutoff": result.cutoff, "best": result.best, "searched": result.searched}


def _first_alike(store: Store, earlier: Sequence[int], numbers: Sequence[int]) -> dict[int, int]:
    """Return for each image which first one, of earlier ones or of these, it is nearly the same as: often itself."""
    found, firsts = store.embeddings_by_number([*earlier, *numbers]), {number: number for number in numbers}
    if not found:
        return firsts
    order = [number for number in (*earlier, *numbers) if number in found]
    start = len(order) - sum(number in found for number in numbers)
    embeddings, is_first = np.stack([found[number] for number in order]), np.ones(len(order), dtype=bool)
    alike = embeddings[start:] @ embeddings.T >= _ALIKE
    for place, row in enumerate(alike, start):
        before = np.flatnonzero(row[:place] & is_first[:place])
        if before.size:
            is_first[place], firsts[order[place]] = False, order[before[0]]
    return firsts


def _searched(store: Store, modality: Modality, where: Where, count: int | None) -> dict[str, object]:
    """Tell of how many images, or texts, the results are the first; the search has counted them in some cases."""
    if count is None:
        count = store.counts().texts if modality == "texts" else store.count_searched(where)
    return {"searched": count, "is_estimate": modality == "pictures" and count >= COUNTED}


@operation(Answer("The predictions.", _PREDICTIONS), _Classify, methods=("POST",), errors=(404, 429, 502))
async def classify(request: Request, fields: _Classify) -> Response:
    """Classify uploaded or indexed images: the probability of each label, relative to the others."""
    service: Service = request.app.state.service
    images, ids, labels, template = fields.image, fields.ids, fields.labels, fields.template or "{}"
    async with service.using() as served:
        served.check_input_count(len(labels))
        served.check_length(len(labels) * len(template) + template.count("{}") * sum(map(len, labels)))
        texts = captions(labels, template)
        embed_images = service.threads.run(_indexed, service, ids) if ids else served.embed_images(images)
        of_images, of_labels = await asyncio.gather(embed_images, served.embed_texts(texts, truncate=False))

        def predictions() -> Response:
            return JSONResponse({"predictions": ranked(served.model.probabilities(of_images, of_labels), labels)})

        return await service.threads.run(predictions)


def _indexed(service: Service, ids: Sequence[ImageId]) -> Array:
    service.digests_of(ids)
    found = service.index().store.embeddings_by_number([image.number for image in ids])
    if lost := [image.number for image in ids if image.number not in found]:
        raise HTTPException(404, f"image {lost[0]} has no embedding in the index.")
    return np.stack([service.indexed_image(image).embedding if image.part else found[image.number] for image in ids])


@operation(Answer("The index.", _INDEX), RequestFields, errors=(404,))
async def describe(request: Request, _: RequestFields) -> Response:
    """Return the models, counts and folders of the index."""
    service: Service = request.app.state.service

    def described() -> Response:
        store, config = service.index().store, service.first.config
        models = {
            "model": service.first.name,
            "text_model": remembered_options(store).get("text_model"),
            "query_text_model": service.settings.text_model,
            "dimensions": config.embed_dim,
        }
        answer = {**models, **contents(store)}
        return compressed(request, JSONResponse(answer))

    return await service.threads.run(described)


async def _start(service: Service, fields: _Search) -> Cursor | str | None:
    """Return where a search begins; of browsing a cursor of its own, or None for its beginning."""
    if fields.cursor:
        if fields.cursor.startswith(_DATE):
            return fields.cursor.removeprefix(_DATE)
        return Cursor.read(fields.cursor, service.first.config.embed_dim)
    if (query := await _embed_query(service, fields)) is None:
        return None
    return Cursor(0, query[1], query[0].is_text)


async def _embed_query(service: Service, fields: _Search) -> tuple[Query, Array] | None:
    """Parse and embed the query: a text, IDs of indexed images, uploaded images, texts to subtract; None if empty."""
    text, near, uploads = fields.query or fields.q, fields.near, fields.image
    if is_browsing(text, near, uploads, fields.not_):
        return None
    images = [*(f"image {image.number}" for image in near), *["the image"] * len(uploads)]
    query = await service.threads.parse(query_of, text, images, fields.not_)
    indexed = [(await service.threads.run(service.indexed_image, image)).embedding for image in near]
    if not (query.texts or uploads):
        return query, query.combined((), indexed)
    async with service.using() as served:
        of_texts, of_uploads = await served.embed(query.texts, uploads)
    return query, query.combined(of_texts, [*indexed, *of_uploads])


def _to_json(match: Match, tag: str | None, marks: Mapping[bytes, list[Mark]], settings: Settings) -> dict[str, object]:
    fields = match.to_dict()
    if tag is not None:
        fields["tag"] = tag
    if said := match.digest and marks.get(match.digest):
        fields["marks"] = marks_json(said)
    if match.path is not None:
        fields["key"] = key_of(match)
        fields["name"] = os.path.basename(match.path)  # noqa: PTH119  the path may be of another operating system
    if match.file is not None:
        moment = f"&t={match.part}" if match.seconds is not None else ""
        fields["thumbnail"] = f"thumbnails/{key_of(match)}?side={SIZES[0]}{moment}"
        if settings.originals:
            fields["original"] = f"original/{key_of(match)}"
    return fields
