"""API compatible with Immich's machine-learning server, for its smart search.

Source: github.com/immich-app/immich, machine-learning/immich_ml/main.py and schemas.py, and its client,
server/src/repositories/machine-learning.repository.ts; written from the messages alone.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from numpyclip.dispatch.field_kinds import File, Text, Values
from numpyclip.dispatch.fields import FieldError, RequestFields, short, shown
from numpyclip.errors import InputError
from numpyclip.images.exif import read_exif
from numpyclip.server.http.body_parsing import parse_json_body
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.responses import JSONResponse
from numpyclip.server.service import Service

_ENTRIES = '{"clip": {"textual": {"modelName": "ViT-B-32__openai"}}}'
_TOWERS = {"visual": "image", "textual": "text"}  # and what they embed
_PREDICTION = record(
    "Prediction",
    {
        "clip": typed("string", "The embedding: a JSON array in a string."),
        "imageHeight": typed("integer", "In pixels, with the EXIF orientation applied."),
        "imageWidth": typed("integer"),
        "facial-recognition": listing(typed("object"), "From Immich's own server."),
        "ocr": typed("object", "From Immich's own server."),
    },
)


class _Entries(Text):
    expected = "tasks of Immich's"

    def value_of(self, sent: Any) -> str:
        """Return it; what is wrong has a status of its own, as in Immich."""
        try:
            return super().value_of(sent)
        except FieldError as error:
            raise HTTPException(422, str(error)) from error


class _Predict(RequestFields, example={"entries": _ENTRIES, "text": "a dog on a beach"}):
    entries = _Entries(f"Tasks as JSON, such as `{_ENTRIES}`.", required=True)
    image = File("The file of an image.")
    text = Values("A text.", typed("string"))


@operation(Answer("The server answers.", media="text/plain"), RequestFields)
async def ping(request: Request, _: RequestFields) -> Response:
    """Return 200."""
    return PlainTextResponse("pong")


@operation(
    Answer("The embedding.", _PREDICTION), _Predict, methods=("POST",), bodies=("form",), errors=(404, 422, 429, 502)
)
async def predict(request: Request, fields: _Predict) -> Response:
    """Embed an image or a text; if both are sent, the image, as Immich's server does."""
    service: Service = request.app.state.service
    tasks = _parse_entries(fields.entries)
    kind, value = _input(fields)
    if others := tasks.keys() - {"clip"}:
        if service.immich_forward is None:
            more = "its owner can pass others on to Immich's own (--immich-forward)"
            raise HTTPException(422, f"entries asks for {shown(min(others))}; this server supports clip only; {more}.")
        if "clip" in tasks:
            raise HTTPException(422, f"entries asks for clip and {shown(min(others))}; expected one of them.")
        return await service.immich_forward.predict(fields.entries, kind, value, request.headers.get("via", ""))
    names = {_TOWERS.get(tower): name for tower, name in tasks["clip"].items()}
    if kind not in names:
        asked = shown(" and ".join(tasks["clip"]))
        raise InputError(f"entries asks for {asked}, and the request has the field `{kind}`.")
    async with service.using(names[kind]) as served:
        if kind == "text":
            embeddings = await served.embed_texts([value.decode("utf-8", "replace")])
            return JSONResponse({"clip": _encoded(embeddings[0])})
        embeddings = await served.embed_images([value])
    size = await service.threads.decode(read_exif, value)
    return JSONResponse({"clip": _encoded(embeddings[0]), "imageHeight": size.height, "imageWidth": size.width})


def _input(fields: _Predict) -> tuple[str, bytes]:
    """Return what is to be embedded."""
    if fields.image is not None:
        return "image", fields.image
    if not isinstance(fields.text, str):
        raise InputError("either an image must be sent, as the file `image`, or a text, as the field `text`.")
    return "text", short(fields.text, "text").encode("utf-8", "replace")


def _parse_entries(text: str) -> dict[str, dict[str, str]]:
    """Parse the names of the models by task and by type, such as ``visual``."""
    try:
        entries: Any = parse_json_body(text.encode("utf-8", "replace"))
        tasks = {
            task: {kind: _model_name(entry["modelName"]) for kind, entry in types.items()}
            for task, types in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HTTPException(422, f"entries is {shown(text)}; expected tasks of Immich's.") from error
    if not tasks or not all(tasks.values()):
        raise HTTPException(422, f"entries is {shown(text)}; expected at least one task of Immich's.")
    return tasks


def _model_name(sent: Any) -> str:
    """Return the name of a model as Immich's server reads it, which also takes that of its repository."""
    if not isinstance(sent, str):
        raise TypeError("no name")
    return sent.removeprefix("immich-app/").replace("::", "__")


def _encoded(embedding: Any) -> str:
    """Encode an embedding as a JSON array in a string, which Immich passes on to its database."""
    return json.dumps(embedding.tolist(), separators=(",", ":"))
