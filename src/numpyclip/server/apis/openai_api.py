"""API compatible with OpenAI's embeddings and models, with Infinity's `modality` for images and vLLM's `messages`.

Sources: platform.openai.com/docs/api-reference/embeddings and /models; github.com/michaelfeil/infinity,
infinity_server.py and pymodels.py; docs.vllm.ai, pooling models, chat embeddings.
"""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Choice, Flag, Text, Values
from numpyclip.dispatch.fields import FieldError, RequestFields, short, shown
from numpyclip.errors import InputError, TextTooLongError
from numpyclip.model.ops import Array, normalize
from numpyclip.server.apis.token_ids import checked_ids
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.responses import JSONResponse
from numpyclip.server.inference.served_model import ServedModel
from numpyclip.server.service import Service

_IDS = listing(typed("integer", minimum=0))
_INPUT = {"anyOf": [typed("string"), listing(typed("string")), _IDS, listing(_IDS)]}
EMBEDDINGS = record(
    "Embeddings",
    object={"const": "list"},
    data=listing(
        record(
            object={"const": "embedding"},
            index=typed("integer"),
            embedding={"anyOf": [listing(typed("number")), typed("string", "float32, little-endian, in base64.")]},
        )
    ),
    model=typed("string"),
    usage=record(prompt_tokens=typed("integer"), total_tokens=typed("integer")),
    id=typed("string"),
    created=typed("integer"),
)
_STATS = {
    "queue_fraction": typed("number"),
    **dict.fromkeys(("queue_absolute", "results_pending", "batch_size"), typed("integer")),
}
MODEL = record(
    "Model",
    {
        "stats": record(**_STATS),
        "capabilities": listing({"enum": ["embed", "image_embed"]}, "Only after the model was loaded."),
        "backend": typed("string"),
    },
    id=typed("string"),
    object={"const": "model"},
    created=typed("integer"),
    owned_by=typed("string"),
)
MODELS = record("Models", object={"const": "list"}, data=listing(MODEL))


class OutputFields(RequestFields):
    """Which embeddings a request wants, and how."""

    model = Text("Name of the model; by default the first.")
    encoding_format = Choice("Format of embeddings: lists of numbers, or float32 in base64.", ("float", "base64"))
    dimensions = Values("Truncate embeddings to this many dimensions; 0: all.", {"type": "integer", "minimum": 0})


class EmbeddingFields(OutputFields, example={"input": ["a dog on a beach", "a cat"], "encoding_format": "float"}):
    """A request for embeddings."""

    input = Values("Texts, token IDs of this model's tokenizer, or images as data URIs, base64 or URLs.", _INPUT)
    modality = Choice("Whether `input` has texts or images, as in Infinity.", ("text", "image"))
    messages = Values("In place of `input`, as in vLLM: a chat with one text or one `image_url`.", {"type": "array"})
    truncate = Flag("Truncate texts that are too long; otherwise they are rejected.")


class _ModelFields(RequestFields, example={"id": "ViT-B/32"}):
    id = Text("Name of the model.", required=True)


@operation(
    Answer("The embeddings.", EMBEDDINGS), EmbeddingFields, methods=("POST",), bodies=("json",), errors=(404, 429, 502)
)
async def embeddings(request: Request, fields: EmbeddingFields) -> Response:
    """Embed texts or images."""
    modality, inputs = inputs_of(fields)
    return await embed(request.app.state.service, fields, modality, inputs, truncate=fields.truncate)


@operation(Answer("The models.", MODELS), RequestFields)
async def models(request: Request, _: RequestFields) -> Response:
    """List the models. The index has embeddings of the first."""
    return JSONResponse({"object": "list", "data": model_cards(request.app.state.service)})


@operation(Answer("The model.", MODEL), _ModelFields, errors=(404,))
async def model(request: Request, fields: _ModelFields) -> Response:
    """Return a model by one of its names, which may contain slashes."""
    service: Service = request.app.state.service
    served = service.named(fields.id or "''")  # without a name it is not the first
    return JSONResponse(_card(service, served, "numpyclip"))


def model_cards(service: Service, owner: str = "numpyclip") -> list[dict[str, Any]]:
    """Describe the models, with what Infinity adds."""
    return [_card(service, served, owner) for served in service.models]


def _card(service: Service, served: ServedModel, owner: str) -> dict[str, Any]:
    card = {
        "id": served.name,
        "object": "model",
        "created": 0,
        "owned_by": owner,
        "stats": {
            "queue_fraction": served.batcher.waiting / max(1, service.settings.max_waiting),
            "queue_absolute": served.batcher.waiting,
            "results_pending": 0,
            "batch_size": service.settings.batch_size,
        },
        "backend": "numpyclip",
    }
    if config := served.on_demand.known_config:  # else it was not loaded yet, and is not for this
        towers = {"embed": config.text, "image_embed": config.vision}
        card["capabilities"] = [name for name, tower in towers.items() if tower]
    return card


async def embed(
    service: Service, fields: OutputFields, modality: str, inputs: list[Any], *, truncate: bool = False
) -> Response:
    """Embed images, texts or rows of token IDs, and make the response."""
    async with service.using(fields.model) as served:
        dimensions = _dimensions(fields.dimensions, served.config.embed_dim)
        served.check_input_count(len(inputs), "input")
        if modality == "image":
            embedded, tokens = await served.embed_images(inputs), 0
        else:
            ids = await _token_ids(service, served, inputs, truncate=truncate)
            embedded = await served.embed_ids(ids)
            assert served.config.text is not None  # checked with the texts
            tokens = int((ids != served.config.text.pad_id).sum())
    if dimensions < embedded.shape[1]:
        embedded = normalize(embedded[:, :dimensions])

    def response() -> Response:
        rows = [
            {"object": "embedding", "index": number, "embedding": _encoded(row, fields.encoding_format)}
            for number, row in enumerate(embedded)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        made = {"id": f"embd-{uuid.uuid4().hex}", "created": int(time.time())}
        return JSONResponse({"object": "list", "data": rows, "model": served.name, "usage": usage, **made})

    return await service.threads.run(response)


async def _token_ids(service: Service, served: ServedModel, inputs: list[Any], *, truncate: bool) -> NDArray[np.int32]:
    """Tokenize strings, or check rows of token IDs."""
    if inputs and not isinstance(inputs[0], str):
        served.check_text_count(len(inputs))
        return await service.threads.run(checked_ids, served.model, inputs)
    try:
        return await served.tokenize(inputs, truncate=truncate)
    except TextTooLongError as error:
        raise InputError(f'{error.found}; shorten it, or send "truncate": true.') from error


def _dimensions(sent: Any, most: int) -> int:
    """Return how many of the dimensions of embeddings are wanted; with 0 all, as in Infinity."""
    if sent is None:
        return most
    if type(sent) is not int or not 0 <= sent <= most:
        expected = f"expected 1 to {most}, the dimensions of this model's embeddings."
        raise FieldError(f"dimensions is {shown(sent)}; {expected}", "dimensions")
    return sent or most


def inputs_of(fields: EmbeddingFields, *, takes_empty_texts: bool = False) -> tuple[str, list[Any]]:
    """Return the modality, and images, texts, or rows of token IDs."""
    if fields.messages is not None:
        return _message(fields.messages)
    sent = fields.input
    values = [] if sent is None else sent if isinstance(sent, list) else [sent]
    if fields.modality == "text" and values and all(map(_is_id, values)) and isinstance(sent, list):
        return "text", [values]
    if fields.modality == "text" and values and all(isinstance(row, list) and all(map(_is_id, row)) for row in values):
        return "text", values
    if not all(isinstance(value, str) for value in values):
        expected = "expected a string, a list of strings, or token IDs of texts."
        raise FieldError(f"input is {shown(sent)}; {expected}", "input")
    if fields.modality == "image":
        return "image", values
    if "" in values and not takes_empty_texts:
        raise FieldError("input holds an empty string.", "input")
    return "text", [short(text, "input") for text in values]


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _message(messages: Any) -> tuple[str, list[Any]]:
    """Parse a chat with one part: a text or an image."""
    contents = []
    for message in messages if isinstance(messages, list) else [None]:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list):
            raise InputError("messages: expected a list of {role, content}.")
        contents += content
    if len(contents) != 1 or not isinstance(contents[0], dict):
        raise InputError(f"messages: {len(contents)} parts; expected one text or one image_url, for one embedding.")
    return _part(contents[0])


def _part(part: dict[str, Any]) -> tuple[str, list[str]]:
    if part.get("type") == "text" and isinstance(part.get("text"), str):
        return "text", [short(part["text"], "text")]
    url = part.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    if part.get("type") == "image_url" and isinstance(url, str):
        return "image", [url]
    raise InputError(f"messages: a part is {shown(part)}; expected {{type: text, text}} or {{type: image_url}}.")


def _encoded(row: Array, encoding: str) -> list[float] | str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii") if encoding == "base64" else row.tolist()
