"""The routes of a server, and what is around them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from numpyclip.runtime.clip import CLIP
from numpyclip.server import clip_retrieval, immich, openai, searching
from numpyclip.server.guard import COOKIE, Guard, is_token
from numpyclip.server.page import page
from numpyclip.server.problems import HANDLERS, problem
from numpyclip.server.service import Service
from numpyclip.server.settings import Settings
from numpyclip.server.thumbnails import Thumbnails
from numpyclip.server.wire import JSONResponse, json_fields


def create_app(model: CLIP, name: str, place: str | None = None, settings: Settings | None = None) -> Starlette:
    """Make a server: an ASGI application, for uvicorn or any other.

    Parameters
    ----------
    model : CLIP
    name : str
        Of the model, as answers say it.
    place : str, optional
        Of an index (see `numpyclip.index.open_store.open_store`); without one nothing can be searched.
    settings : Settings, optional
    """
    settings = settings or Settings()
    service = Service(model, name, place, settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service:
            yield

    app = Starlette(
        routes=_ROUTES,
        middleware=[Middleware(Guard, settings=settings, metrics=service.metrics)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.thumbnails = Thumbnails()
    return app


async def _page(request: Request) -> Response:
    """Show the page; to Immich, which asks for no page, say what it expects."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"message": "Immich ML"})
    return page()


async def _login(request: Request) -> Response:
    """Keep a token that the page was told as a cookie, which pictures of the page are asked for with."""
    settings: Settings = request.app.state.service.settings
    given = (await json_fields(request)).text("token") or ""
    if settings.token is None or not is_token(given, settings.token):
        return problem(401, "this is not the token.")
    response = Response(status_code=204)
    response.set_cookie(COOKIE, given, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response


async def _health(request: Request) -> Response:
    """Say that requests are answered: before the model is ready, nobody listens."""
    return JSONResponse({"status": "ok"})


async def _metrics(request: Request) -> Response:
    """Tell Prometheus."""
    metrics = request.app.state.service.metrics.written()
    return Response(metrics, media_type="text/plain; version=0.0.4; charset=utf-8")


_ROUTES = [
    Route("/", _page),
    Route("/login", _login, methods=["POST"]),
    Route("/healthz", _health),
    Route("/metrics", _metrics),
    Route("/index", searching.describe),
    Route("/search", searching.search, methods=["GET", "POST"]),
    Route("/classify", searching.classify, methods=["POST"]),
    Route("/thumbnails/{number}", searching.thumbnail),
    Route("/v1/embeddings", openai.embeddings, methods=["POST"]),
    Route("/embeddings", openai.embeddings, methods=["POST"]),
    Route("/v1/models", openai.models),
    Route("/models", openai.models),
    Route("/ping", immich.ping),
    Route("/predict", immich.predict, methods=["POST"]),
    Route("/knn-service", clip_retrieval.knn_service, methods=["POST"]),
    Route("/metadata", clip_retrieval.metadata, methods=["POST"]),
    Route("/indices-list", clip_retrieval.indices_list),
]
