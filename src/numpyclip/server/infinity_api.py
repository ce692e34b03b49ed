"""API compatible with Infinity's: OpenAI's without ``/v1``, with a path for images of its own.

Source: github.com/michaelfeil/infinity, infinity_server.py and pymodels.py.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Choice, Flag
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.openai_api import EMBEDDINGS, MODELS, EmbeddingFields, embed, model_cards
from numpyclip.server.operations import Answer, operation
from numpyclip.server.responses import JSONResponse


class _Embeddings(EmbeddingFields):
    takes_empty_texts = True
    truncate = Flag("Truncate texts that are too long; with false they are refused.", True)


class _Images(_Embeddings):
    modality = Choice("Images, whatever is sent.", ("image",))

    def __init__(self, sent: dict[str, object]) -> None:
        super().__init__({**sent, "modality": "image"})


@operation(Answer("The embeddings.", EMBEDDINGS), _Embeddings, methods=("POST",), bodies=("json",), errors=(422, 429))
async def embeddings(request: Request, fields: _Embeddings) -> Response:
    """Embed texts or images."""
    return await embed(request.app.state.service, fields)


@operation(Answer("The embeddings.", EMBEDDINGS), _Images, methods=("POST",), bodies=("json",), errors=(422, 429))
async def embeddings_image(request: Request, fields: _Images) -> Response:
    """Embed images."""
    return await embed(request.app.state.service, fields)


@operation(Answer("The models.", MODELS), RequestFields)
async def models(request: Request, _: RequestFields) -> Response:
    """List the models, as of Infinity, whose client takes no other owner."""
    return JSONResponse({"object": "list", "data": model_cards(request.app.state.service, "infinity")})
