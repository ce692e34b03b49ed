"""The shape of Immich's machine learning, for its smart search: the URL of this server goes where that one's was.

Source: github.com/immich-app/immich, machine-learning/immich_ml/main.py and schemas.py; what is here is written from
the documented messages alone.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from numpyclip.server.problems import bad_request
from numpyclip.server.service import Service
from numpyclip.server.wire import JSONResponse, form_fields


async def ping(request: Request) -> Response:
    """Say that the server is there."""
    return PlainTextResponse("pong")


async def predict(request: Request) -> Response:
    """Embed a picture or a text."""
    service: Service = request.app.state.service
    fields = await form_fields(request, service.settings.max_body)
    task, name = _entry(fields.text("entries"))
    service.check_name(name)
    if task == "visual":
        picture = fields.values.get("image")
        if not isinstance(picture, bytes):
            raise bad_request("a picture must be sent as the file `image`.")
        embeddings, ((width, height),) = await service.embed_and_measure([picture])
        return JSONResponse({"clip": _written(embeddings[0]), "imageHeight": height, "imageWidth": width})
    text = fields.text("text")
    if text is None:
        raise bad_request("a text must be sent as the field `text`.")
    embeddings = await service.embed_texts([text])
    return JSONResponse({"clip": _written(embeddings[0])})


def _entry(text: str | None) -> tuple[str, str | None]:
    """Read which of the two towers is meant, and of which model."""
    try:
        entries: Any = json.loads(text or "")
        ((task, types),) = entries.items()
        ((kind, options),) = types.items()
        name = options["modelName"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HTTPException(422, f"entries is {text!r:.100}; expected one task of Immich's.") from error
    if task != "clip" or kind not in ("visual", "textual") or not isinstance(name, str):
        raise HTTPException(422, f"entries asks for {task!r:.40} {kind!r:.40}; this server does clip only.")
    return kind, name


def _written(embedding: Any) -> str:
    """Write an embedding as Immich hands it to its database: a text with a list in it."""
    return json.dumps(embedding.tolist(), separators=(",", ":"))
