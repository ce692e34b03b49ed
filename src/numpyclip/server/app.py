"""The ASGI application: routes, middleware and shared state."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server import immich_api, knn_service, library_api, openai_api, search_api
from numpyclip.server.access_log import AccessLogMiddleware
from numpyclip.server.authorization import COOKIE, Authorization
from numpyclip.server.downloads import download
from numpyclip.server.middleware import AccessMiddleware
from numpyclip.server.model_on_demand import ModelSource
from numpyclip.server.originals import original
from numpyclip.server.page import page, static
from numpyclip.server.request_parsing import json_fields
from numpyclip.server.responses import HANDLERS, JSONResponse, error_response
from numpyclip.server.service import Service
from numpyclip.server.settings import Settings
from numpyclip.server.thumbnails import ThumbnailCache, sent_thumbnail, thumbnail
from numpyclip.server.tokens import SESSION_SECONDS


def create_app(
    model: CLIP | Sequence[ModelSource], name: str = "", store: str | None = None, settings: Settings | None = None
) -> Starlette:
    """Make an ASGI application, to be run by uvicorn or any other server.

    Parameters
    ----------
    model : CLIP or sequence of ModelSource
        A model, or several that are loaded when they are used; the index has the embeddings of the first.
    name : str
        Name of a single model, as in responses.
    store : str, optional
        Path or PostgreSQL URL of an index (see `numpyclip.index.open_store.open_store`); by default there is no search.
    settings : Settings, optional

    Returns
    -------
    Starlette
    """
    settings = settings or Settings()
    models = model if isinstance(model, Sequence) else [ModelSource(name, lambda: model, settings.model_names)]
    service = Service(models, store, settings)
    authorization = Authorization(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service:
            yield

    app = Starlette(
        routes=_ROUTES,
        middleware=_middleware(settings, authorization, service),
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.tokens = authorization.tokens
    app.state.thumbnails = ThumbnailCache(settings.decode_options)
    return app


def _middleware(settings: Settings, authorization: Authorization, service: Service) -> list[Middleware]:
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
        Middleware(AccessMiddleware, settings=settings, authorization=authorization),
    ]


async def _page(request: Request) -> Response:
    """Return the page to browsers, and what Immich checks for to other clients."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"message": "Immich ML"})
    return page(request)


async def _login(request: Request) -> Response:
    """Begin a session, as a cookie, since ``<img>`` elements of the page cannot send an ``Authorization`` header."""
    sent = (await json_fields(request)).text("token") or ""
    session = request.app.state.tokens.session(sent.encode("utf-8", "surrogatepass"))
    if session is None:
        return error_response(401, "wrong token.")
    response = Response(status_code=204)
    response.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, httponly=True, **_cookie_options(request))
    return response


async def _logout(request: Request) -> Response:
    """End the session of a browser."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, **_cookie_options(request))
    return response


def _cookie_options(request: Request) -> dict[str, Any]:
    path = f"{request.app.state.service.settings.url_prefix}/"
    return {"path": path, "samesite": "strict", "secure": request.scope["scheme"] == "https"}


async def _health(request: Request) -> Response:
    """Return 200: no request is accepted before the model is ready."""
    return JSONResponse({"status": "ok"})


async def _metrics(request: Request) -> Response:
    """Return the metrics for Prometheus."""
    body = request.app.state.service.metrics.exposition()
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


_ROUTES = [
    Route("/", _page),
    Route("/static/{version}/{name}", static),
    Route("/login", _login, methods=["POST"]),
    Route("/logout", _logout, methods=["POST"]),
    Route("/healthz", _health),
    Route("/metrics", _metrics),
    Route("/index", search_api.describe),
    Route("/search", search_api.search, methods=["GET", "POST"]),
    Route("/library", library_api.library),
    Route("/timeline", library_api.timeline),
    Route("/places", library_api.places),
    Route("/towns", library_api.towns),
    Route("/marks", library_api.mark, methods=["POST"]),
    Route("/classify", search_api.classify, methods=["POST"]),
    Route("/thumbnails/{id}", thumbnail),
    Route("/thumbnail", sent_thumbnail, methods=["POST"]),
    Route("/original/{id}", original),
    Route("/download", download, methods=["POST"]),
    Route("/v1/embeddings", openai_api.embeddings, methods=["POST"]),
    Route("/embeddings", openai_api.embeddings, methods=["POST"]),
    Route("/v1/models", openai_api.models),
    Route("/models", openai_api.models),
    Route("/ping", immich_api.ping),
    Route("/predict", immich_api.predict, methods=["POST"]),
    Route("/knn-service", knn_service.knn_service, methods=["POST"]),
    Route("/metadata", knn_service.metadata, methods=["POST"]),
    Route("/indices-list", knn_service.indices_list),
]
