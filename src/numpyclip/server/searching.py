"""Search and classification in a shape of their own, which the page uses."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.index.records import MODALITIES, Match, Modality
from numpyclip.index.where import Where
from numpyclip.model.ops import Array
from numpyclip.runtime.validation import captions
from numpyclip.server.problems import bad_request
from numpyclip.server.service import Service
from numpyclip.server.thumbnails import SIDES
from numpyclip.server.wire import Fields, JSONResponse, any_fields, is_number
from numpyclip.tasks.query import Query, Term

_MOST = 1000
_MOST_TERMS = 32


@dataclass(frozen=True)
class _Search:
    """What a request looks for, embedded."""

    embedding: Array
    is_text: bool
    n: int
    where: Where
    modality: Modality
    all: bool


async def search(request: Request) -> Response:
    """Find pictures, or texts, by words, by pictures that are sent, by pictures of the index, and by sums of these."""
    service: Service = request.app.state.service
    fields = await any_fields(request, service.settings.max_body)
    modality: Any = fields.text("in", "pictures")
    if modality not in MODALITIES:
        raise bad_request(f"in is {modality!r:.60}; expected pictures or texts.")
    where = Where(fields.text("folder") or None, fields.text("after") or None, fields.text("before") or None)
    query, embedding = await _embedded(service, fields)
    wanted = _Search(embedding, query.is_text, fields.number("n", 60, _MOST), where, modality, fields.flag("all"))
    return JSONResponse(await service.in_thread(_find, service, wanted))


async def classify(request: Request) -> Response:
    """Say how probable labels are for pictures, compared with each other."""
    service: Service = request.app.state.service
    fields = await any_fields(request, service.settings.max_body)
    pictures = fields.pictures("image")
    labels = fields.texts("labels")
    service.check_count(len(labels))
    texts = captions(labels, fields.text("template") or "{}")
    of_pictures, of_labels = await asyncio.gather(
        service.embed_pictures(pictures), service.embed_texts(texts, truncate=False)
    )
    rows = service.model.probabilities(of_pictures, of_labels)
    ranked = [
        [{"label": labels[column], "probability": float(row[column])} for column in np.argsort(-row, kind="stable")]
        for row in rows
    ]
    return JSONResponse({"predictions": ranked})


async def describe(request: Request) -> Response:
    """Tell what is indexed: how many pictures, in which folders."""
    service: Service = request.app.state.service

    def described() -> dict[str, Any]:
        store = service.index().store
        return {"model": service.name, **vars(store.counts()), "folders": list(store.folders())}

    return JSONResponse(await service.in_thread(described))


async def thumbnail(request: Request) -> Response:
    """Show a picture of the index, small and without what else its file says."""
    service: Service = request.app.state.service
    side = Fields(dict(request.query_params)).number("side", SIDES[0], SIDES[-1])
    if side not in SIDES:
        raise bad_request(f"side is {side}; expected one of {', '.join(map(str, SIDES))}.")
    number = request.path_params["number"]
    if not is_number(number):
        raise HTTPException(404, f"{number:.60} is no number of a picture.")
    match = await service.in_thread(service.picture, int(number))
    assert match.path is not None
    version = _version(match)
    headers = {"ETag": f'"{version}-{side}"', "Cache-Control": "private, max-age=3600"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    data = await service.in_thread(request.app.state.thumbnails.get, match.path, side, version)
    return Response(data, media_type="image/jpeg", headers=headers)


async def _embedded(service: Service, fields: Fields) -> tuple[Query, Array]:
    """Put together what is looked for: words, pictures and numbers of pictures, and what it is not to be like."""
    text = fields.text("query") or fields.text("q") or ""
    terms = list(Query.parse(text, pictures=False).terms) if text.strip() else []
    terms += [Term(f"picture {number}", is_picture=True) for number in _numbers(fields, "near")]
    sent = fields.pictures("image")
    terms += [Term("the picture", is_picture=True)] * len(sent)
    if not terms:
        raise bad_request("nothing to look for: expected query, near or image.")
    terms += [Term(text, -1.0) for text in fields.texts("not")]
    if len(terms) > _MOST_TERMS:
        raise bad_request(f"{len(terms)} terms; expected {_MOST_TERMS} at most.")
    query = Query(tuple(terms))
    texts = [term.content for term in terms if not term.is_picture]
    near = [await service.in_thread(service.picture, number) for number in _numbers(fields, "near")]
    of_texts = iter(await service.embed_texts(texts) if texts else ())
    of_pictures = iter([match.embedding for match in near] + list(await service.embed_pictures(sent) if sent else ()))
    return query, query.sum([next(of_pictures if term.is_picture else of_texts) for term in terms])


def _numbers(fields: Fields, name: str) -> list[int]:
    values = fields.values.get(name)
    values = [] if values is None or values == "" else values if isinstance(values, list) else [values]
    texts = [str(value) for value in values]
    if not all(map(is_number, texts)):
        raise bad_request(f"{name} is {values!r:.60}; expected numbers of pictures.")
    return [int(text) for text in texts]


def _find(service: Service, wanted: _Search) -> dict[str, Any]:
    result = service.index().search_embedding(
        wanted.embedding, wanted.n, where=wanted.where, modality=wanted.modality, is_text=wanted.is_text
    )
    matches = result if wanted.all else result.matches
    return {"matches": [_shown(match) for match in matches], "cutoff": result.cutoff, "best": result.best}


def _shown(match: Match) -> dict[str, object]:
    shown = match.to_dict()
    if match.path is not None:
        shown["name"] = os.path.basename(match.path)  # noqa: PTH119  of a path that may be another system's
        shown["thumbnail"] = f"/thumbnails/{match.id}?v={_version(match)}"
    return shown


def _version(match: Match) -> str:
    """Name what a picture's thumbnail depends on: numbers are given anew when an index is made anew."""
    return hashlib.sha256(f"{match.path}\0{match.date}".encode("utf-8", "surrogateescape")).hexdigest()[:12]
