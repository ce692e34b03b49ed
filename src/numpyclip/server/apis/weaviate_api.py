"""API compatible with the inference container of Weaviate's module `multi2vec-clip`.

Source: github.com/weaviate/multi2vec-clip-inference, app.py and smoke_test.py.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Images, Texts
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.http.operations import Answer, listing, operation, record, typed
from numpyclip.server.http.responses import JSONResponse
from numpyclip.server.service import Service

_ROWS = listing(listing(typed("number")))
_VECTORS = record("Vectors", textVectors=_ROWS, imageVectors=_ROWS)
_META = record(model=typed("string"), dimensions=typed("integer"))


class _Inputs(RequestFields, example={"texts": ["a dog on a beach", "a cat"]}):
    texts = Texts("Texts to embed.")
    images = Images("Images to embed, in base64.")


@operation(Answer("The embeddings.", _VECTORS), _Inputs, methods=("POST",), bodies=("json",), errors=(429, 502))
async def vectorize(request: Request, fields: _Inputs) -> Response:
    """Embed texts and images."""
    service: Service = request.app.state.service
    async with service.using() as served:
        texts, images = await served.embed(fields.texts, fields.images)

    def response() -> Response:
        vectors = {"textVectors": texts, "imageVectors": images}
        return JSONResponse({name: [row.tolist() for row in rows] for name, rows in vectors.items()})

    return await service.threads.run(response)


@operation(Answer("The model.", _META), RequestFields)
async def meta(request: Request, _: RequestFields) -> Response:
    """Return the name and dimensions of the model, which Weaviate shows."""
    first = request.app.state.service.first
    return JSONResponse({"model": first.name, "dimensions": first.config.embed_dim})


@operation({204: Answer("The server answers.", media="")}, RequestFields)
async def ready(request: Request, _: RequestFields) -> Response:
    """Return 204: no request is accepted before the model is ready."""
    return Response(status_code=204)
