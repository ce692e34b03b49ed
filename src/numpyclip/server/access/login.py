"""Sessions of browsers: ``<img>`` elements of the page cannot send an ``Authorization`` header."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.access.authorization import COOKIE
from numpyclip.server.access.tokens import SESSION_SECONDS
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.responses import error_response


class _Login(RequestFields, example={"token": "secret"}):
    token = Text("A token of the server.")


@operation({204: Answer("The cookie is set.", media="")}, _Login, methods=("POST",), bodies=("json",))
async def login(request: Request, fields: _Login) -> Response:
    """Start a session of a browser: set a cookie."""
    session = request.app.state.service.settings.tokens.session(fields.token.encode("utf-8", "surrogatepass"))
    if session is None:
        return error_response(401, "wrong token.")
    response = Response(status_code=204)
    response.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, httponly=True, **_cookie_options(request))
    return response


@operation({204: Answer("The cookie is deleted.", media="")}, RequestFields, methods=("POST",), bodies=())
async def logout(request: Request, _: RequestFields) -> Response:
    """End the session of a browser: delete its cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, **_cookie_options(request))
    return response


def _cookie_options(request: Request) -> dict[str, Any]:
    path = f"{request.app.state.service.settings.url_prefix}/"
    return {"path": path, "samesite": "strict", "secure": request.scope["scheme"] == "https"}
