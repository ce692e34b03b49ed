"""Bodies of error responses in the format of each API, chosen by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

_OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_OPENAI_TYPES = {429: "requests"}


@dataclass(frozen=True)
class Problem:
    """What is wrong, in whatever format it is sent.

    Attributes
    ----------
    status : int
    message : str
    code : str or None
        OpenAI's, such as ``"model_not_found"``.
    field : str or None
        The field of the request that is wrong.
    in_image : bool
        Whether an image is at fault that was sent as it should be.
    """

    status: int
    message: str
    code: str | None = None
    field: str | None = None
    in_image: bool = False


_Format: TypeAlias = "Callable[[Problem], tuple[int, Any]]"  # returns the status, too


def error_body(problem: Problem, path: str) -> tuple[int, Any]:
    """Return the status and the body, to be sent as JSON, for a request to this path."""
    return _FORMATS.get(path, _openai)(problem)


def _openai(problem: Problem) -> tuple[int, Any]:
    status, code = problem.status, problem.code or _OPENAI_CODES.get(problem.status)
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return status, {"error": {"message": problem.message, "type": kind, "param": problem.field, "code": code}}


def _infinity(problem: Problem) -> tuple[int, Any]:
    """Infinity checks requests by pydantic (422), and raises errors of its own in an older format of OpenAI's."""
    status = problem.status
    if status == 400 and not problem.in_image:
        where = ["body", problem.field] if problem.field else ["body"]
        return 422, {"detail": [{"type": "value_error", "loc": where, "msg": problem.message}]}
    if status not in (400, 404, 429, 500, 502) or (status == 404 and problem.code is None):
        return _detail(problem)
    status = 400 if status in (404, 502) else status  # of the model, of images by URL
    return status, {"error": {"message": problem.message, "type": None, "param": None, "code": status}}


def _detail(problem: Problem) -> tuple[int, Any]:
    """FastAPI, as Immich's server has it."""
    return problem.status, {"detail": problem.message}


def _message(problem: Problem) -> tuple[int, Any]:
    """Flask-RESTful, as clip-retrieval has it."""
    return problem.status, {"message": problem.message}


def _text(problem: Problem) -> tuple[int, Any]:
    """Weaviate, whose client reads a string."""
    return problem.status, {"error": problem.message}


def _jina(problem: Problem) -> tuple[int, Any]:
    """Jina's gateway, whose client shows the description of a status 503 or 504."""
    status = {"code": "ERROR", "description": problem.message, "exception": None}
    number = 400 if problem.status == 404 else problem.status  # which its client takes for a missing path
    return number, {"header": {"requestId": None, "status": status}, "data": None, "detail": problem.message}


_FORMATS: dict[str, _Format] = {
    **dict.fromkeys(("/embeddings", "/embeddings_image", "/models", "/health"), _infinity),
    **dict.fromkeys(("/predict", "/ping"), _detail),
    **dict.fromkeys(("/knn-service", "/metadata", "/indices-list"), _message),
    **dict.fromkeys(("/vectorize", "/meta", "/.well-known/live", "/.well-known/ready"), _text),
    "/post": _jina,
}
