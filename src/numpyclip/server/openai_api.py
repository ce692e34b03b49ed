"""API compatible with OpenAI's embeddings, with Infinity's `modality` for images and vLLM's `messages`.

Sources: platform.openai.com/docs/api-reference/embeddings; github.com/michaelfeil/infinity, infinity_server.py and
pymodels.py; docs.vllm.ai, pooling models, chat embeddings.
"""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.fields import Fields, shown
from numpyclip.errors import TextTooLongError
from numpyclip.model.ops import Array, normalize
from numpyclip.server.request_parsing import json_fields
from numpyclip.server.responses import JSONResponse, bad_request
from numpyclip.server.served_model import ServedModel
from numpyclip.server.service import Service


async def embeddings(request: Request) -> Response:
    """Embed texts or images."""
    service: Service = request.app.state.service
    fields = await json_fields(request)
    encoding = fields.choice("encoding_format", "float", "base64")
    modality, inputs = _messages(fields) if "messages" in fields.values else _inputs(fields)
    async with service.using(fields.text("model")) as served:
        dimensions = _dimensions(fields, served.config.embed_dim)
        if modality == "image":
            embedded, tokens = await served.embed_images(inputs), 0
        else:
            embedded, tokens = await _embed_texts(served, inputs, truncate=fields.flag("truncate"))
    if dimensions < embedded.shape[1]:
        embedded = normalize(embedded[:, :dimensions])

    def response() -> Response:
        return JSONResponse(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": number, "embedding": _encoded(row, encoding)}
                    for number, row in enumerate(embedded)
                ],
                "model": served.name,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
                "id": f"embd-{uuid.uuid4().hex}",
                "created": int(time.time()),
            }
        )

    return await service.run_in_thread(response)


async def _embed_texts(served: ServedModel, texts: list[str], *, truncate: bool) -> tuple[Array, int]:
    """Embed texts and count their tokens."""
    served.check_texts(texts)
    try:
        ids = await served.tokenize(texts, truncate=truncate)
    except TextTooLongError as error:
        raise bad_request(f'{error.found}; shorten it, or send "truncate": true.') from error
    assert served.config.text is not None  # checked with the texts
    return await served.embed_texts(texts), int((ids != served.config.text.pad_id).sum())


async def models(request: Request) -> Response:
    """List the models."""
    service: Service = request.app.state.service
    names = [model.name for model in service.models]
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "numpyclip"} for name in names]
    return JSONResponse({"object": "list", "data": data})


def _dimensions(fields: Fields, most: int) -> int:
    """Return how many of the dimensions of embeddings are wanted; with 0 all, as in Infinity."""
    value = fields.values.get("dimensions") or most
    if type(value) is not int or not 1 <= value <= most:
        raise bad_request(
            f"dimensions is {shown(value)}; expected 1 to {most}, the dimensions of this model's embeddings."
        )
    return value


def _inputs(fields: Fields) -> tuple[str, list[Any]]:
    modality = fields.choice("modality", "text", "image")
    values = fields.values.get("input")
    first = values[0] if isinstance(values, list) and values else None
    if isinstance(first, int | list) or isinstance(values, int):
        raise bad_request(
            "input holds token IDs, which this model's tokenizer did not make; send strings. (In LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False).)"
        )
    if modality == "image":
        return modality, fields.images("input")
    inputs = fields.texts("input")
    if "" in inputs:
        raise bad_request("input holds an empty string.")
    return modality, inputs


def _messages(fields: Fields) -> tuple[str, list[Any]]:
    """Parse a chat with one part: a text or an image."""
    contents = []
    messages = fields.values["messages"]
    for message in messages if isinstance(messages, list) else [None]:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list):
            raise bad_request("messages: expected a list of {role, content}.")
        contents += content
    if len(contents) != 1 or not isinstance(contents[0], dict):
        raise bad_request(f"messages: {len(contents)} parts; expected one text or one image_url, for one embedding.")
    return _part(contents[0])


def _part(part: dict[str, Any]) -> tuple[str, list[str]]:
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return "text", Fields(part).texts("text")
    url = part.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    if part.get("type") == "image_url" and isinstance(url, str):
        return "image", [url]
    raise bad_request(f"messages: a part is {shown(part)}; expected {{type: text, text}} or {{type: image_url}}.")


def _encoded(row: Array, encoding: str) -> list[float] | str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") if encoding == "base64" else row.tolist()
