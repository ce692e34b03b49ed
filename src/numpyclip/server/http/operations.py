"""Operations of the HTTP API: handlers with schemas that validate requests and describe responses.

``/openapi.json`` is made from the same descriptions: see `numpyclip.server.http.openapi`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.fields import RequestFields, Schema
from numpyclip.server.http.request_context import current_request
from numpyclip.server.http.request_parsing import sent_fields

F = TypeVar("F", bound=RequestFields)
Body = Literal["json", "form"]
Handler = Callable[[Request, F], Awaitable[Response]]


@dataclass(frozen=True)
class Answer:
    """What a response is.

    Attributes
    ----------
    meaning : str
    schema : dict, optional
        The JSON schema of its body; by default the body is no JSON, or there is none.
    media : str
        The type of its body; several are joined by commas, and empty if there is no body.
    """

    meaning: str
    schema: Schema | None = None
    media: str = "application/json"


@dataclass(frozen=True)
class Operation(Generic[F]):
    """A handler and what it takes and answers; its docstring is the description.

    Attributes
    ----------
    handler : callable
        Takes a request and its fields, and returns the response.
    fields : subclass of RequestFields
        Of its requests, those in the path included. Requests that are otherwise are refused, and other fields ignored.
    answers : dict
        By status: what it succeeds with, and errors of its own.
    methods : tuple of str
    bodies : tuple of str
        What a POST may have as its body.
    errors : tuple of int
        Statuses of errors beside those that every operation has.
    """

    handler: Handler[F]
    fields: type[F]
    answers: Mapping[int, Answer]
    methods: tuple[str, ...]
    bodies: tuple[Body, ...]
    errors: tuple[int, ...]

    async def respond(self, request: Request) -> Response:
        """Check and read the fields of a request, and answer it."""
        sent = {**await sent_fields(request, self.bodies), **request.path_params}
        current_request().sent = sent
        return await self.handler(request, self.fields(sent))


def operation(
    answers: Answer | Mapping[int, Answer],
    fields: type[F],
    *,
    methods: tuple[str, ...] = ("GET",),
    bodies: tuple[Body, ...] = ("json", "form"),
    errors: tuple[int, ...] = (),
) -> Callable[[Handler[F]], Operation[F]]:
    """Describe a handler; an answer alone is that of status 200."""
    by_status = {200: answers} if isinstance(answers, Answer) else answers
    return lambda handler: Operation(handler, fields, by_status, methods, bodies, errors)


def typed(kind: str | list[str], meaning: str = "", **more: object) -> Schema:
    """Make the schema of a value of a JSON type."""
    return {"type": kind, **({"description": meaning} if meaning else {}), **more}


def record(title: str = "", optional: Mapping[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """Make the schema of an object; those with a title stand by themselves in ``/openapi.json``."""
    schema = {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
    return {"title": title, **schema} if title else schema


def listing(item: Schema, meaning: str = "") -> Schema:
    """Make the schema of a list."""
    return typed("array", meaning, items=item)
