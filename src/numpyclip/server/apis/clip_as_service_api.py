"""API compatible with clip-as-service: the endpoints of its executor, by the path ``/post`` of Jina's HTTP gateway.

Sources: github.com/jina-ai/clip-as-service, docs/user-guides/client.md and executors/helper.py;
github.com/jina-ai/jina, http_fastapi_app.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Text, Values
from numpyclip.dispatch.fields import FieldError, RequestFields, short, shown
from numpyclip.errors import InputError
from numpyclip.model.ops import Array, softmax
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.responses import JSONResponse
from numpyclip.server.inference.served_model import ServedModel
from numpyclip.server.service import Service

_LOGIT_SCALE = 100.0  # clip-as-service's, for every model
_CARRIED = ("text", "uri", "mime_type", "tags", "modality", "weight")  # fields of a document that are sent back
_DOCUMENT = typed(
    "object", "With `text`, or with `blob` (base64) or `uri`; for `/rank` with `matches`, such documents."
)
_RESULT = record(
    "Documents",
    header=typed("object"),
    parameters=typed("object"),
    routes=listing(typed("object")),
    data=listing(_DOCUMENT),
)


class _Post(RequestFields, example={"data": [{"text": "a dog on a beach"}], "execEndpoint": "/encode"}):
    data = Values("Documents.", {"anyOf": [listing(_DOCUMENT), record(docs=listing(_DOCUMENT))]}, required=True)
    execEndpoint = Text("`/` or `/encode` to embed, `/rank` to sort matches; `/encode/NAME`, `/rank/NAME`: of a model.")
    exec_endpoint = Text("The same as `execEndpoint`.")
    parameters = Values("Returned as they are.", {"type": "object"})


class _Document(NamedTuple):
    sent: dict[str, Any]
    text: str | None
    image: str | None


@operation(Answer("The documents.", _RESULT), _Post, methods=("POST",), bodies=("json",), errors=(404, 429, 502))
async def post(request: Request, fields: _Post) -> Response:
    """Embed documents, or sort the matches of each by their similarity to it."""
    service: Service = request.app.state.service
    start, endpoint = _now(), fields.execEndpoint or fields.exec_endpoint or "/"
    task, _, name = endpoint.strip("/").partition("/")
    if task not in ("", "encode", "rank"):
        raise FieldError(f"execEndpoint is {shown(endpoint)}; expected /, /encode or /rank.", "execEndpoint")
    documents = _documents(fields.data)
    async with service.using(name) as served:
        if task == "rank":
            data = await _ranked(served, documents)
        else:
            embeddings = await _embed(served, documents)
            data = [
                {**_carried(document), "embedding": None if row is None else row.tolist()}
                for document, row in zip(documents, embeddings, strict=True)
            ]
    end = _now()
    header = {"requestId": uuid.uuid4().hex, "status": None, "execEndpoint": endpoint, "targetExecutor": ""}
    routes = [{"executor": each, "startTime": start, "endTime": end, "status": None} for each in ("gateway", "clip")]
    answer = {"header": header, "parameters": fields.parameters or {}, "routes": routes, "data": data}
    return await service.threads.run(JSONResponse, answer)


def _documents(sent: Any, name: str = "data") -> list[_Document]:
    """Check a list of documents."""
    listed = sent.get("docs") if isinstance(sent, dict) else sent
    if not (isinstance(listed, list) and all(isinstance(each, dict) for each in listed)):
        raise FieldError(f"{name} is {shown(sent)}; expected a list of documents.", "data")
    return [_document(each) for each in listed]


def _document(sent: dict[str, Any]) -> _Document:
    text, image = sent.get("text"), sent.get("blob") or sent.get("uri")
    if not all(isinstance(each, str | None) for each in (text, image)):
        raise FieldError(f"a document is {shown(sent)}; expected text, blob and uri to be strings.", "data")
    if text:
        return _Document(sent, short(text, "text"), None)
    if not image and sent.get("tensor") is not None:
        raise FieldError("a document has a tensor; send the file of the image as its blob, in base64.", "data")
    return _Document(sent, None, image or None)


async def _embed(served: ServedModel, documents: Sequence[_Document]) -> list[Array | None]:
    """Embed documents; None for those that are empty, as a client sends them to measure the time."""
    texts, images = [each.text for each in documents if each.text], [each.image for each in documents if each.image]
    of_texts, of_images = map(iter, await served.embed(texts, images))
    return [next(of_texts) if each.text else next(of_images) if each.image else None for each in documents]


async def _ranked(served: ServedModel, documents: Sequence[_Document]) -> list[dict[str, Any]]:
    """Sort the matches of each document, the most similar first."""
    matches = [_documents(each.sent.get("matches"), "matches") for each in documents]
    rows = await _embed(served, [*documents, *(match for group in matches for match in group)])
    if any(row is None for row in rows):
        raise InputError("a document, or one of its matches, is empty; expected text, blob or uri.")
    embeddings, first = np.array(rows, np.float32), len(documents)
    data = []
    for document, query, group in zip(documents, embeddings, matches, strict=False):
        cosines = embeddings[first : first + len(group)] @ query
        first += len(group)
        probabilities = softmax(_LOGIT_SCALE * cosines, axis=-1) if group else cosines
        order = np.argsort(-probabilities, kind="stable")
        sorted_matches = [_match(group[row], float(probabilities[row]), float(cosines[row])) for row in order]
        data.append({**_carried(document), "embedding": query.tolist(), "matches": sorted_matches})
    return data


def _match(document: _Document, probability: float, cosine: float) -> dict[str, Any]:
    scores = {
        "clip_score": {"value": probability, "op_name": "softmax"},
        "clip_score_cosine": {"value": cosine, "op_name": "cosine"},
    }
    return {**_carried(document), "embedding": None, "scores": scores}


def _carried(document: _Document) -> dict[str, Any]:
    """Return the fields of a document that its client needs to know it again."""
    known = {name: document.sent[name] for name in _CARRIED if name in document.sent}
    return {"id": document.sent.get("id") or uuid.uuid4().hex, **known}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
