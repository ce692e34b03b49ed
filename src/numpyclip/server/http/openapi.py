"""OPERATIONS → OPENAPI: the document that ``/openapi.json`` returns, of version 3.1.

Source: spec.openapis.org/oas/v3.1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from numpyclip.dispatch.fields import Schema
from numpyclip.server.access.authorization import COOKIE, is_public
from numpyclip.server.http.error_formats import Problem, error_body
from numpyclip.server.http.operations import Answer, Operation

Parts = Mapping[str, Mapping[str, Operation[Any]]]  # of the API by their names, each with operations by their paths

EVERYWHERE = (400, 401, 403, 408, 413, 421, 500, 503)
ERRORS = {
    400: "The request is invalid.",
    401: "The request has no valid token.",
    403: "The request is cross-site, or the operation is disabled.",
    404: "The image, model or index does not exist.",
    405: "The path does not support this method.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    421: "The header `Host` is not accepted; `--allow-host` adds names.",
    422: "The server does not support what is requested.",
    429: "Too many inputs are queued; try again after `Retry-After`.",
    500: "An unexpected error; the log has it under the response's `X-Request-ID`.",
    502: "An image could not be fetched from its URL, or another server failed.",
    503: "The server is overloaded, timed out, or cannot read the index; try again after `Retry-After`.",
}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_PLACEHOLDER = re.compile(r"{(\w+)(?::\w+)?}")  # Starlette's, which may name a converter


def document(parts: Parts) -> Schema:
    """Make the document of operations; URLs in it are relative to its own."""
    shared = _Shared()
    paths: dict[str, Schema] = {}
    for part, operations in parts.items():
        for path, each in operations.items():
            paths[plain(path)] = {
                method.lower(): {
                    "tags": [part],
                    "operationId": "_".join([method.lower(), *re.findall(r"\w+", plain(path))]),
                    **described(each),
                    **_request(each, path, method),
                    "responses": _responses(each, path, shared),
                    **({"security": []} if is_public(path) else {}),
                }
                for method in each.methods
            }
    return {
        "openapi": "3.1.0",
        "info": {"title": "NumPyCLIP", "version": "1", "description": "Embeddings and search of images and texts."},
        "servers": [{"url": "."}],
        "security": [{"token": []}, {"cookie": []}, {}],
        "tags": [{"name": part} for part in parts],
        "paths": paths,
        "components": {
            "schemas": shared.schemas,
            "responses": shared.responses,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "If the server has tokens."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Set by `/login`."},
            },
        },
    }


def plain(path: str) -> str:
    """Return the path of a route without converters."""
    return _PLACEHOLDER.sub(r"{\1}", path)


def described(each: Operation[Any]) -> Schema:
    """Return the first sentence of a docstring, and the rest; nothing if Python has stripped docstrings."""
    text = " ".join((each.handler.__doc__ or "").replace("``", "`").split())
    summary, _, rest = text.partition(". ")
    return {key: said for key, said in (("summary", summary.rstrip(".")), ("description", rest)) if said}


def _request(each: Operation[Any], path: str, method: str) -> Schema:
    in_path = _PLACEHOLDER.findall(path)
    fields = each.fields.DESCRIBED.items()
    parameters = [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": field.required,
            "description": field.meaning,
            "schema": {key: value for key, value in field.described("query").items() if key != "description"},
            **({"example": each.fields.EXAMPLE[name]} if name in each.fields.EXAMPLE else {}),
        }
        for name, field in fields
        if method == "GET" or name in in_path
    ]
    body: dict[str, Schema] = {}
    if method != "GET":
        example = {"example": dict(each.fields.EXAMPLE)} if each.fields.EXAMPLE else {}
        if "json" in each.bodies:
            body["application/json"] = {"schema": each.fields.schema(), **example}
        if "form" in each.bodies:
            body["multipart/form-data"] = {"schema": each.fields.schema("form"), **example}
            body["application/x-www-form-urlencoded"] = {"schema": each.fields.schema("query"), **example}
    return {
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": body}} if body else {}),
    }


def _responses(each: Operation[Any], path: str, shared: _Shared) -> Schema:
    found = {str(status): shared.answer(answer) for status, answer in each.answers.items()}
    for asked in (*EVERYWHERE, *each.errors):
        for in_image in (False, True):
            status, body = error_body(Problem(asked, ERRORS[asked], in_image=in_image), path)
            found.setdefault(str(status), shared.error(status, body, ERRORS[asked]))
    return dict(sorted(found.items()))


class _Shared:
    """Components that operations share: schemas with a title, and error responses."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self.responses: dict[str, Schema] = {}
        self._names: dict[str, str] = {}

    def answer(self, answer: Answer) -> Schema:
        """Return the response of an answer."""
        schema = {} if answer.schema is None else {"schema": self._hoisted(answer.schema)}
        content = {media: schema for media in answer.media.split(", ") if media}
        return {"description": answer.meaning, **({"content": content} if content else {})}

    def error(self, status: int, body: Any, meaning: str) -> Schema:
        """Return a reference to the response of an error."""
        content = {"application/json": {"schema": _schema_of(body), "example": body}}
        response = {"description": meaning, "content": content, **({"headers": _RETRY} if status in (429, 503) else {})}
        key = json.dumps(response)
        if key not in self._names:
            phrase = HTTPStatus(status).phrase.replace(" ", "")
            number = sum(name.startswith(phrase) for name in self.responses)
            self._names[key] = name = f"{phrase}{number + 1 if number else ''}"
            self.responses[name] = response
        return {"$ref": f"#/components/responses/{self._names[key]}"}

    def _hoisted(self, schema: Any) -> Any:
        """Replace each schema with a title by a reference to it."""
        if isinstance(schema, list):
            return [self._hoisted(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        inner = {key: self._hoisted(value) for key, value in schema.items() if key != "title"}
        title = schema.get("title")
        if not isinstance(title, str):
            return {key: self._hoisted(value) for key, value in schema.items()}
        self.schemas[title] = inner
        return {"$ref": f"#/components/schemas/{title}"}


def _schema_of(value: Any) -> Schema:
    """Infer a schema from an example; null stands for any value."""
    if isinstance(value, dict):
        properties = {key: _schema_of(each) for key, each in value.items()}
        return {"type": "object", "properties": properties, "required": list(value)}
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of(value[0]) if value else {}}
    return {"type": "integer"} if isinstance(value, int) else {"type": "string"} if isinstance(value, str) else {}
