"""Whether a response is as `/openapi.json` says: its status, the type of its body, and what is in that."""

import functools
import json
import re
from typing import Any

from numpyclip.server.app import PARTS
from numpyclip.server.http.openapi import document, plain

try:
    import jsonschema
except ImportError:
    jsonschema = None


def check(method: str, path: str, status: int, media: str, body: bytes) -> None:
    """Raise AssertionError, or jsonschema's ValidationError, for a response that is not as described."""
    if (
        jsonschema is None
        or (found := _operation("GET" if method == "HEAD" else method, path.partition("?")[0])) is None
    ):
        return
    response = _resolved(found["responses"].get(str(status), {}))
    assert response, f"{method} {path}: {status} is not among {', '.join(found['responses'])}"
    if method == "HEAD" or status in (204, 304, 416):
        assert not body
        return
    (kind, content) = next(iter(response["content"].items()))
    if kind != "*/*" and not (path == "/" and status == 200):
        assert media.partition(";")[0] == kind, f"{method} {path}: {media}"
    if "schema" in content:
        jsonschema.Draft202012Validator(_closed_document(content["schema"])).validate(json.loads(body))


_WITH_SLASHES = {plain(path) for operations in PARTS.values() for path in operations if ":path}" in path}


@functools.cache
def _document() -> Any:
    return document(PARTS)


def _operation(method: str, path: str) -> Any:
    for template, operations in _document()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", ".+" if template in _WITH_SLASHES else "[^/]+", template), path):
            return operations.get(method.lower())
    return None


def _resolved(value: Any) -> Any:
    if "$ref" in value:
        return _document()["components"]["responses"][value["$ref"].rpartition("/")[2]]
    return value


def _closed_document(schema: Any) -> Any:
    return {**_closed(schema), "components": _closed(_document()["components"])}


def _closed(value: Any) -> Any:
    """Allow no properties that are not described, but the bytes of names that are not UTF-8."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    closed = {key: _closed(each) for key, each in value.items()}
    if "properties" in value and isinstance(value.get("type"), str):
        closed = {"additionalProperties": False, "patternProperties": {"_bytes$": {"type": "string"}}, **closed}
    return closed
