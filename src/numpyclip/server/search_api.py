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

from numpyclip.dispatch.fields import Fields
from numpyclip.dispatch.json_values import contents, ranked
from numpyclip.dispatch.queries import is_browsing, query_of
from numpyclip.dual_encoder.validation import captions
from numpyclip.image_marks import Mark
from numpyclip.index.index import Index
from numpyclip.index.model_options import remembered_options
from numpyclip.index.records import MODALITIES, Match, Modality
from numpyclip.index.rows import COUNTED
from numpyclip.index.store import Store
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.server.cursors import MAX_DEPTH, Cursor
from numpyclip.server.image_ids import ImageId, ids_of, key_of
from numpyclip.server.library_api import marks_json
from numpyclip.server.request_parsing import any_fields, where_in
from numpyclip.server.responses import JSONResponse, bad_request, compressed
from numpyclip.server.service import Service
from numpyclip.server.settings import Settings
from numpyclip.server.thumbnails import SIZES
from numpyclip.tasks.query import Query

_MAX_RESULTS = 1000
_ALIKE = 0.95  # cosine from which images count as near duplicates: docs/server.md says what was measured
_DATE = "date."  # begins the cursors of browsing


async def search(request: Request) -> Response:
    """Search images or texts by a text, uploaded images, indexed images, or a sum of these; else browse images."""
    service: Service = request.app.state.service
    fields = await any_fields(request)
    modality: Any = fields.choice("in", *MODALITIES)
    where, n = where_in(fields), fields.integer("n", 60, _MAX_RESULTS)
    is_strict, has_tags = fields.flag("strict"), fields.flag("tags")
    groups = fields.flag("group") and modality == "pictures"
    earlier = ids_of(fields, "shown") if groups and fields.values.get("shown") else []
    start, until = await _start(service, fields), fields.text("until") or None
    if modality == "texts" and not isinstance(start, Cursor):
        raise bad_request("the query is empty: texts are searched, by query, near or image, and not browsed.")

    def found() -> Response:
        store = service.index().store
        if isinstance(start, Cursor):
            matches, answer = _nearest(service.index(), start, n, where, modality)
            if is_strict and not (start.skip or answer["is_match"]):
                matches, answer["next"] = [], None
        else:
            matches, cursor = store.browse(where, n, after=start if start is not None else until)
            answer = {"next": cursor and _DATE + cursor, "order": "date", "is_match": bool(matches)}
            answer |= {"cutoff": None, "best": None, "searched": None}
        count = answer.pop("searched")
        if fields.text("cursor") is None:
            answer |= _searched(store, modality, where, count)
        tags = service.tags.of(matches) if has_tags and modality == "pictures" else {}
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

    return await service.run_in_thread(found)


def _nearest(
    index: Index, place: Cursor, n: int, where: Where, modality: Modality
) -> tuple[list[Match], dict[str, Any]]:
    """Return what is nearest from a place on, and where to go on."""
    result = index.search(
        place.embedding, n + 1, where=where, modality=modality, is_text=place.is_text, skip=place.skip
    )
    following = replace(place, skip=place.skip + n)
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


async def classify(request: Request) -> Response:
    """Classify images, sent or by the IDs of indexed ones: the probabilities of labels, relative to each other."""
    service: Service = request.app.state.service
    fields = await any_fields(request)
    images, ids = fields.images("image"), ids_of(fields) if "ids" in fields.values else []
    if len(ids) > _MAX_RESULTS:
        raise bad_request(f"{len(ids)} IDs; expected at most {_MAX_RESULTS}.")
    labels, template = fields.texts("labels"), fields.text("template") or "{}"
    async with service.using() as served:
        served.check_input_count(len(labels))
        served.check_length(len(labels) * len(template) + template.count("{}") * sum(map(len, labels)))
        texts = captions(labels, template)
        embed_images = service.run_in_thread(_indexed, service, ids) if ids else served.embed_images(images)
        of_images, of_labels = await asyncio.gather(embed_images, served.embed_texts(texts, truncate=False))

        def predictions() -> Response:
            return JSONResponse({"predictions": ranked(served.model.probabilities(of_images, of_labels), labels)})

        return await service.run_in_thread(predictions)


def _indexed(service: Service, ids: Sequence[ImageId]) -> Array:
    service.digests_of(ids)
    found = service.index().store.embeddings_by_number([image.number for image in ids])
    if lost := [image.number for image in ids if image.number not in found]:
        raise HTTPException(404, f"image {lost[0]} has no embedding in the index.")
    return np.stack([service.indexed_image(image).embedding if image.part else found[image.number] for image in ids])


async def describe(request: Request) -> Response:
    """Return the model, counts and folders of the index, and the text model of queries if that is another."""
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

    return await service.run_in_thread(described)


async def _start(service: Service, fields: Fields) -> Cursor | str | None:
    """Return where a search begins; of browsing a cursor of its own, or None for its beginning."""
    cursor = fields.text("cursor") or None
    if cursor is not None:
        if cursor.startswith(_DATE):
            return cursor.removeprefix(_DATE)
        return Cursor.read(cursor, service.first.config.embed_dim)
    if (query := await _embed_query(service, fields)) is None:
        return None
    return Cursor(0, query[1], query[0].is_text)


async def _embed_query(service: Service, fields: Fields) -> tuple[Query, Array] | None:
    """Parse and embed the query: a text, IDs of indexed images, uploaded images, texts to subtract; None if empty."""
    near, uploads = ids_of(fields, "near") if fields.values.get("near") else [], fields.images("image")
    if is_browsing(fields):
        return None
    query = await service.parse(
        query_of, fields, [*(f"image {image.number}" for image in near), *["the image"] * len(uploads)]
    )
    indexed = [(await service.run_in_thread(service.indexed_image, image)).embedding for image in near]
    if not (query.texts or uploads):
        return query, query.combined((), indexed)
    async with service.using() as served:
        of_texts = await served.embed_texts(query.texts) if query.texts else ()
        of_uploads = await served.embed_images(uploads) if uploads else ()
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
