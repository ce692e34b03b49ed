"""NumPyCLIP's own API for search and classification, which the page uses."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.fields import Fields, is_row_id
from numpyclip.dispatch.json_values import contents, ranked
from numpyclip.dispatch.queries import query_of, where_of
from numpyclip.dual_encoder.validation import captions
from numpyclip.index.model_options import remembered_options
from numpyclip.index.records import MODALITIES, Match
from numpyclip.model.ops import Array
from numpyclip.server.request_parsing import any_fields
from numpyclip.server.responses import JSONResponse, bad_request
from numpyclip.server.service import Service
from numpyclip.server.thumbnails import SIZES
from numpyclip.tasks.query import Query

_MAX_RESULTS = 1000


async def search(request: Request) -> Response:
    """Search images or texts by a text, uploaded images, indexed images, or a sum of these."""
    service: Service = request.app.state.service
    fields = await any_fields(request)
    modality: Any = fields.choice("in", *MODALITIES)
    where = where_of(fields)
    n, shows_all = fields.integer("n", 60, _MAX_RESULTS), fields.flag("all")
    query, embedding = await _embed_query(service, fields)

    def found() -> Response:
        index = service.index()
        result = index.search(embedding, n, where=where, modality=modality, is_text=query.is_text)
        matches = [_to_json(match) for match in (result if shows_all else result.matches)]
        return JSONResponse({"matches": matches, "cutoff": result.cutoff, "best": result.best})

    return await service.run_in_thread(found)


async def classify(request: Request) -> Response:
    """Classify images: the probabilities of labels, relative to each other."""
    service: Service = request.app.state.service
    fields = await any_fields(request)
    images = fields.images("image")
    labels, template = fields.texts("labels"), fields.text("template") or "{}"
    service.check_input_count(len(labels))
    service.check_length(len(labels) * len(template) + template.count("{}") * sum(map(len, labels)))
    texts = captions(labels, template)
    of_images, of_labels = await asyncio.gather(
        service.embed_images(images), service.embed_texts(texts, truncate=False)
    )

    def predictions() -> Response:
        return JSONResponse({"predictions": ranked(service.model.probabilities(of_images, of_labels), labels)})

    return await service.run_in_thread(predictions)


async def describe(request: Request) -> Response:
    """Return the model, counts and folders of the index, and the text model of queries if that is another."""
    service: Service = request.app.state.service

    def described() -> Response:
        store, config = service.index().store, service.model.config
        models = {
            "model": service.name,
            "text_model": remembered_options(store).get("text_model"),
            "query_text_model": service.settings.text_model,
            "dimensions": config.embed_dim,
        }
        return JSONResponse({**models, **contents(store)})

    return await service.run_in_thread(described)


async def thumbnail(request: Request) -> Response:
    """Return a thumbnail of an indexed image, without its metadata."""
    service: Service = request.app.state.service
    size = Fields(dict(request.query_params)).integer("side", SIZES[0], SIZES[-1])
    if size not in SIZES:
        raise bad_request(f"side is {size}; expected one of {', '.join(map(str, SIZES))}.")
    row_id = request.path_params["id"]
    if not is_row_id(row_id):
        raise HTTPException(404, f"{row_id:.60} is not the ID of an image.")
    match = await service.run_in_thread(service.indexed_image, int(row_id))
    if match.file is None:
        raise HTTPException(404, f"{match.path}: is no file on this server, which fetches no images: no thumbnail.")
    version = _version(match)
    headers = {"ETag": f'"{version}-{size}"', "Cache-Control": "private, max-age=3600"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    data = await service.decode(request.app.state.thumbnails.get, match.file, size, version)
    return Response(data, media_type="image/jpeg", headers=headers)


async def _embed_query(service: Service, fields: Fields) -> tuple[Query, Array]:
    """Parse and embed the query: a text, IDs of indexed images, uploaded images, and texts to subtract."""
    near, uploads = fields.row_ids("near"), fields.images("image")
    query = await service.parse(
        query_of, fields, [*(f"image {row_id}" for row_id in near), *["the image"] * len(uploads)]
    )
    texts = [term.content for term in query.terms if not term.is_picture]
    indexed = [await service.run_in_thread(service.indexed_image, row_id) for row_id in near]
    of_texts = iter(await service.embed_texts(texts) if texts else ())
    of_uploads = await service.embed_images(uploads) if uploads else ()
    of_images = iter([*(match.embedding for match in indexed), *of_uploads])
    return query, query.sum([next(of_images if term.is_picture else of_texts) for term in query.terms])


def _to_json(match: Match) -> dict[str, object]:
    fields = match.to_dict()
    if match.path is not None:
        fields["name"] = os.path.basename(match.path)  # noqa: PTH119  the path may be of another operating system
    if match.file is not None:
        fields["thumbnail"] = f"/thumbnails/{match.id}?v={_version(match)}"
    return fields


def _version(match: Match) -> str:
    """Return a version of a thumbnail: a rebuilt index may give an ID to another file."""
    return hashlib.sha256(f"{match.path}\0{match.date}".encode("utf-8", "surrogateescape")).hexdigest()[:12]
