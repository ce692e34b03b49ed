"""API compatible with clip-retrieval's backend, for its client and its web page.

Source: github.com/rom1504/clip-retrieval, clip_retrieval/clip_back.py and clip_client.py.
"""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Choice, Flag, Images, Integer, RowIds, Text, Values
from numpyclip.dispatch.fields import RequestFields
from numpyclip.dispatch.queries import MAX_RESULTS
from numpyclip.dual_encoder.validation import checked_embeddings
from numpyclip.errors import InputError, PictureError
from numpyclip.file_systems import is_web
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.index.records import Match, Modality
from numpyclip.model.ops import Array, normalize
from numpyclip.server.http.image_ids import key_of
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.responses import JSONResponse
from numpyclip.server.service import Service
from numpyclip.viz.thumbnail import thumbnail_bytes

_DUPLICATE_COSINE = 0.94  # clip-retrieval's threshold
_INDEX_NAME = "numpyclip"
_THUMBNAIL_SIZE = 256
_ROW = {
    "caption": typed("string", "A text of the index, or the name of an image."),
    "image_path": typed("string"),
    "url": typed("string", "Its URL, or that of its thumbnail, relative to the server's."),
    "image": typed("string", "A JPEG thumbnail in base64."),
}


class _Knn(RequestFields, example={"text": "a dog on a beach", "modality": "image", "num_images": 5}):
    text = Text("Text to search with.")
    image = Images("Image to search with, in base64.")
    image_url = Images("URL of an image to search with.")
    embedding_input = Values("An embedding to search with.", listing(typed("number")))
    modality = Choice("What is searched.", ("image", "text"))
    num_images = Integer("Number of results with metadata; the others have an ID only.", 40, MAX_RESULTS)
    num_result_ids = Integer("Number of results; by default `num_images`.", 0, MAX_RESULTS)
    deduplicate = Flag("Leave out near duplicates.")


class _Metadata(RequestFields, example={"ids": [1, 2]}):
    ids = RowIds("IDs of images.", required=True)


@operation(Answer("The name of the index.", listing(typed("string"))), RequestFields)
async def indices_list(request: Request, _: RequestFields) -> Response:
    """List the index. There is one: `indice_name` in requests is ignored."""
    return JSONResponse([_INDEX_NAME])


@operation(
    Answer("The nearest first.", listing(record("", _ROW, id=typed("integer"), similarity=typed("number")))),
    _Knn,
    methods=("POST",),
    bodies=("json",),
    errors=(404, 429, 502),
)
async def knn_service(request: Request, fields: _Knn) -> Response:
    """Find the nearest neighbors of a text, an image or an embedding.

    `use_safety_model`, `use_violence_detector` and the aesthetic score are ignored, as by a backend started without
    the models that they need.
    """
    service: Service = request.app.state.service
    modality: Modality = "pictures" if fields.modality == "image" else "texts"
    shown = fields.num_images
    n = fields.num_result_ids or shown
    query = await _query(service, fields)

    def found() -> Sequence[Match]:
        matches: Sequence[Match] = service.index().search(query[0], n, modality=modality)
        return _deduplicated(matches) if fields.deduplicate else matches

    matches = await service.threads.run(found)
    options, decode = service.settings.decode_options, service.threads.decode
    described = [await decode(_metadata, match, options) for match in matches[:shown]]
    described += [{}] * (len(matches) - len(described))
    rows = [
        {**known, "id": match.id, "similarity": match.cosine} for known, match in zip(described, matches, strict=True)
    ]
    return await service.threads.run(JSONResponse, rows)


@operation(
    Answer("The metadata of the images that exist.", listing(record(id=typed("integer"), metadata=record("", _ROW)))),
    _Metadata,
    methods=("POST",),
    bodies=("json",),
    errors=(404,),
)
async def metadata(request: Request, fields: _Metadata) -> Response:
    """Return the metadata of images."""
    service: Service = request.app.state.service

    def found() -> list[Match | None]:
        store = service.index().store
        return [store.picture(number) for number in fields.ids[:MAX_RESULTS]]

    matches = await service.threads.run(found)
    rows = [
        {"id": match.id, "metadata": await service.threads.decode(_metadata, match, service.settings.decode_options)}
        for match in matches
        if match is not None
    ]
    return await service.threads.run(JSONResponse, rows)


async def _query(service: Service, fields: _Knn) -> Array:
    """Embed the query: the first of text, image and embedding that is there, in clip-retrieval's order."""
    text, images = fields.text, fields.image or fields.image_url
    if text or images:
        async with service.using() as served:
            return await (served.embed_texts([text]) if text else served.embed_images(images[:1]))
    values = fields.embedding_input
    if values is None:
        raise InputError("the query is empty: expected text, image, image_url or embedding_input.")
    try:
        embedding = np.asarray(values, np.float64).reshape(1, -1)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("embedding_input: expected a list of numbers.") from error
    if not (np.isfinite(embedding).all() and np.abs(embedding).max(initial=0) < math.sqrt(np.finfo(np.float32).max)):
        raise InputError("embedding_input: expected finite numbers.")
    return normalize(checked_embeddings(embedding.astype(np.float32), service.first.config.embed_dim, "queries"))


def _metadata(match: Match, options: DecodeOptions) -> dict[str, Any]:
    """Return the fields that clip-retrieval's clients show: a caption, a thumbnail in base64, or an image's own URL."""
    if match.path is None:
        return {"caption": match.text}
    fields: dict[str, Any] = {"caption": _name(match.path), "image_path": match.path}
    if match.file is None:
        return {**fields, **({"url": match.path} if is_web(match.path) else {})}
    fields["url"] = f"thumbnails/{key_of(match)}"
    with contextlib.suppress(PictureError):  # the file is gone
        fields["image"] = base64.b64encode(thumbnail_bytes(match.file, _THUMBNAIL_SIZE, options)).decode("ascii")
    return fields


def _name(path: str) -> str:
    """Return the name of an image, without its folder and ending: an index holds no captions of images."""
    return PurePosixPath(unquote(urlsplit(path).path) if is_web(path) else path).stem


def _deduplicated(matches: Sequence[Match]) -> list[Match]:
    """Keep the best match of each connected component of near-duplicates."""
    if not matches:
        return []
    embeddings = np.stack([match.embedding for match in matches])
    is_duplicate = embeddings @ embeddings.T > _DUPLICATE_COSINE
    group = np.arange(len(matches))
    for row in range(len(matches)):
        joined = np.unique(group[is_duplicate[row]])
        group[np.isin(group, joined)] = joined[0] if joined.size else group[row]
    _, first = np.unique(group, return_index=True)
    return [matches[row] for row in sorted(first)]
