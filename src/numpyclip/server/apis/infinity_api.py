"""API compatible with Infinity's: OpenAI's without ``/v1``, with a path for images of its own.

Source: github.com/michaelfeil/infinity, infinity_server.py and pymodels.py.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Flag, Images, Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.apis.openai_api import (
    EMBEDDINGS,
    MODELS,
    EmbeddingFields,
    OutputFields,
    embed,
    inputs_of,
    model_cards,
)
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.responses import JSONResponse

_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
_ANY_MODEL = "default/not-specified"  # what Infinity's client sends unless it is told a name


class _ModelName(Text):
    def read(self, sent: Any) -> str:
        """Return it; nothing for any model."""
        name = super().read(sent)
        return "" if name == _ANY_MODEL else name


class _Output(OutputFields):
    model = _ModelName(f"Name of the model; by default, and for `{_ANY_MODEL}`, the first.")


class _Embeddings(EmbeddingFields, _Output):
    truncate = Flag("Truncate texts that are too long; if false, reject them.", True)


class _Images(_Output, example={"input": [_PIXEL]}):
    input = Images("Images as data URIs, base64 or URLs.", required=True)


@operation(Answer("The embeddings.", EMBEDDINGS), _Embeddings, methods=("POST",), bodies=("json",), errors=(422, 429))
async def embeddings(request: Request, fields: _Embeddings) -> Response:
    """Embed texts, which may be empty, or images."""
    modality, inputs = inputs_of(fields, takes_empty_texts=True)
    return await embed(request.app.state.service, fields, modality, inputs, truncate=fields.truncate)


@operation(Answer("The embeddings.", EMBEDDINGS), _Images, methods=("POST",), bodies=("json",), errors=(422, 429))
async def embeddings_image(request: Request, fields: _Images) -> Response:
    """Embed images."""
    return await embed(request.app.state.service, fields, "image", fields.input)


@operation(Answer("The models.", MODELS), RequestFields)
async def models(request: Request, _: RequestFields) -> Response:
    """List the models, with `infinity` as `owned_by`, which its client requires."""
    return JSONResponse({"object": "list", "data": model_cards(request.app.state.service, "infinity")})
