"""The ASGI application: routes, middleware and shared state."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from numpyclip.dispatch.fields import RequestFields, Schema
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server.access.login import login, logout
from numpyclip.server.access.middleware import AccessMiddleware
from numpyclip.server.apis import (
    clip_as_service_api,
    clip_retrieval_api,
    immich_api,
    infinity_api,
    library_api,
    openai_api,
    search_api,
    weaviate_api,
)
from numpyclip.server.http.api_reference import reference, to_html
from numpyclip.server.http.openapi import document
from numpyclip.server.http.operations import Answer, Operation, operation, record, typed
from numpyclip.server.http.request_context import current_request
from numpyclip.server.http.responses import HANDLERS, JSONResponse, compressed
from numpyclip.server.image_files.downloads import download
from numpyclip.server.image_files.originals import original
from numpyclip.server.image_files.thumbnails import ThumbnailCache, sent_thumbnail, thumbnail
from numpyclip.server.inference.model_on_demand import ModelSource
from numpyclip.server.monitoring.access_log import AccessLogMiddleware
from numpyclip.server.page import page, reference_page, static
from numpyclip.server.service import Service
from numpyclip.server.settings import Settings


def create_app(
    model: CLIP | Sequence[ModelSource], name: str = "clip", store: str | None = None, settings: Settings | None = None
) -> Starlette:
    """Make an ASGI application, to be run by uvicorn or any other server.

    Parameters
    ----------
    model : CLIP or sequence of ModelSource
        A model, or several that are loaded when they are used; the index has the embeddings of the first.
    name : str
        Name of a single model, in requests and responses.
    store : str, optional
        Path or PostgreSQL URL of an index (see `numpyclip.index.open_store.open_store`); by default there is no search.
    settings : Settings, optional

    Returns
    -------
    Starlette
    """
    settings = settings or Settings()
    models = model if isinstance(model, Sequence) else [ModelSource(name, lambda: model)]
    service = Service(models, store, settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service:
            yield

    app = Starlette(
        routes=_ROUTES,
        middleware=_middleware(settings, service),
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.thumbnails = ThumbnailCache(settings.decode_options)
    return app


def _middleware(settings: Settings, service: Service) -> list[Middleware]:
    """List what requests pass through; preflights, which have no token, are answered before it is asked for."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=("*",),
        expose_headers=("Retry-After", "X-Request-ID"),
    )
    return [
        Middleware(AccessLogMiddleware, metrics=service.metrics, varies=bool(settings.cors_origins)),
        *[cors] * bool(settings.cors_origins),
        Middleware(AccessMiddleware, settings=settings),
    ]


_STATUS = record(status=typed("string", "`ok`."), unix=typed("number", "The time, in seconds since 1970."))


@operation(
    Answer("HTML where `Accept` has `text/html`, else JSON.", media="text/html, application/json"),
    RequestFields,
)
async def _page(request: Request, _: RequestFields) -> Response:
    """Return the page to browsers, and to other clients the JSON that Immich checks for."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"message": "Immich ML"})
    return page(request)


@operation(Answer("The server answers.", _STATUS), RequestFields)
async def _health(request: Request, _: RequestFields) -> Response:
    """Return 200: no request is accepted before the model is ready."""
    return JSONResponse({"status": "ok", "unix": time.time()})


@operation(Answer("The metrics.", media="text/plain"), RequestFields)
async def _metrics(request: Request, _: RequestFields) -> Response:
    """Return the metrics for Prometheus."""
    body = request.app.state.service.metrics.exposition()
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


@operation(Answer("The document, in version 3.1 of OpenAPI.", typed("object")), RequestFields)
async def _openapi(request: Request, _: RequestFields) -> Response:
    """Return the OpenAPI document of this API."""
    return compressed(request, JSONResponse(await request.app.state.service.threads.run(_document)))


@operation(Answer("The page.", media="text/html"), RequestFields)
async def _docs(request: Request, _: RequestFields) -> Response:
    """Return a page of the OpenAPI document."""
    return reference_page(request, await request.app.state.service.threads.run(_reference))


@functools.cache
def _document() -> Schema:
    return document(PARTS)


@functools.cache
def _reference() -> str:
    return to_html(reference(PARTS))


PARTS: dict[str, dict[str, Operation[Any]]] = {  # of the API, each with operations by their paths
    "Search": {
        "/search": search_api.search,
        "/classify": search_api.classify,
        "/index": search_api.describe,
    },
    "Library": {
        "/library": library_api.library,
        "/timeline": library_api.timeline,
        "/places": library_api.places,
        "/towns": library_api.towns,
        "/marks": library_api.mark,
        "/thumbnails/{id}": thumbnail,
        "/thumbnail": sent_thumbnail,
        "/original/{id}": original,
        "/download": download,
    },
    "OpenAI": {
        "/v1/embeddings": openai_api.embeddings,
        "/v1/models": openai_api.models,
        "/v1/models/{id:path}": openai_api.model,
    },
    "Infinity": {
        "/embeddings": infinity_api.embeddings,
        "/embeddings_image": infinity_api.embeddings_image,
        "/models": infinity_api.models,
    },
    "Immich": {"/ping": immich_api.ping, "/predict": immich_api.predict},
    "clip-retrieval": {
        "/knn-service": clip_retrieval_api.knn_service,
        "/metadata": clip_retrieval_api.metadata,
        "/indices-list": clip_retrieval_api.indices_list,
    },
    "Weaviate": {
        "/vectorize": weaviate_api.vectorize,
        "/meta": weaviate_api.meta,
        "/.well-known/live": weaviate_api.ready,
        "/.well-known/ready": weaviate_api.ready,
    },
    "clip-as-service": {"/post": clip_as_service_api.post},
    "Server": {
        "/health": _health,
        "/healthz": _health,
        "/metrics": _metrics,
        "/openapi.json": _openapi,
        "/docs": _docs,
    },
    "Page": {"/": _page, "/static/{version}/{name}": static, "/login": login, "/logout": logout},
}


class _Route(Route):
    """Records its path for metrics, whose labels must be few: clients can request any path."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        current_request().route = self.path
        await super().handle(scope, receive, send)


_ROUTES = [
    _Route(path, each.respond, methods=each.methods)
    for operations in PARTS.values()
    for path, each in operations.items()
]
