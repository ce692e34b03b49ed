"""API compatible with Immich's machine-learning server, for its smart search.

Source: github.com/immich-app/immich, machine-learning/immich_ml/main.py and schemas.py; written from the documented
messages alone.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from numpyclip.dispatch.fields import shown
from numpyclip.images.exif import read_exif
from numpyclip.server.body_parsing import parse_json_body
from numpyclip.server.request_parsing import form_fields
from numpyclip.server.responses import JSONResponse, bad_request
from numpyclip.server.service import Service


async def ping(request: Request) -> Response:
    """Return 200."""
    return PlainTextResponse("pong")


async def predict(request: Request) -> Response:
    """Embed an image or a text."""
    service: Service = request.app.state.service
    fields = await form_fields(request)
    task, name = _parse_entries(fields.text("entries"))
    if task == "visual":
        image = fields.values.get("image")
        if not isinstance(image, bytes):
            raise bad_request("an image must be sent as the file `image`.")
        async with service.using(name) as served:
            embeddings = await served.embed_images([image])
        size = await service.decode(read_exif, image)
        return JSONResponse({"clip": _encoded(embeddings[0]), "imageHeight": size.height, "imageWidth": size.width})
    text = fields.text("text")
    if text is None:
        raise bad_request("a text must be sent as the field `text`.")
    async with service.using(name) as served:
        embeddings = await served.embed_texts([text])
    return JSONResponse({"clip": _encoded(embeddings[0])})


def _parse_entries(text: str | None) -> tuple[str, str | None]:
    """Parse the tower, ``visual`` or ``textual``, and the model's name."""
    try:
        entries: Any = parse_json_body((text or "").encode("utf-8", "replace"))
        ((task, types),) = entries.items()
        ((kind, options),) = types.items()
        name = options["modelName"]
    except (HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HTTPException(422, f"entries is {shown(text)}; expected one task of Immich's.") from error
    if task != "clip" or kind not in ("visual", "textual") or not isinstance(name, str):
        raise HTTPException(422, f"entries asks for {shown(task)} {shown(kind)}; this server does clip only.")
    return kind, name


def _encoded(embedding: Any) -> str:
    """Encode an embedding as a JSON array in a string, which Immich passes on to its database."""
    return json.dumps(embedding.tolist(), separators=(",", ":"))
