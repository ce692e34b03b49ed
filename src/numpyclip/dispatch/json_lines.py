"""Requests as lines of JSON, answered in their order: one object a line in, one out.

``{"id": 1, "command": "search", "query": "a dog", "n": 5}`` is answered by ``{"id": 1, "matches": [...], ...}``, or by
``{"id": 1, "error": {"type": "InputError", "message": "..."}}``. No request ends the program.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import IO, Any

from numpyclip.dispatch.field_kinds import Choice, Flag, RowIds, Text, Texts
from numpyclip.dispatch.fields import RequestFields, shown
from numpyclip.dispatch.json_values import listed
from numpyclip.dispatch.queries import SearchFields, is_browsing
from numpyclip.dispatch.session import Session
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.escaping import json_text
from numpyclip.index.records import MODALITIES

MAX_LINE = 16 << 20  # bytes
_LOG = logging.getLogger(__name__)


class _Search(SearchFields):
    near = RowIds("IDs of images in the index to search with.")
    image = Texts("Paths of image files to search with.")
    in_ = Choice("What is searched.", MODALITIES)
    strict = Flag("No results if the best is no more probable than chance.")


class _Embed(RequestFields):
    text = Texts("Texts to embed.")
    image = Texts("Paths of image files to embed.")


class _Classify(RequestFields):
    image = Texts("Paths of image files.")
    labels = Texts("What they may show.")
    template = Text("A text with {} for the label.", "{}")


class _Request(RequestFields):
    command = Text("What to do.")


class JSONLines:
    """Answers lines with a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._commands: dict[str, tuple[Callable[[Any], dict[str, object]], type[RequestFields]]] = {
            "search": (self._search, _Search),
            "embed": (self._embed, _Embed),
            "classify": (self._classify, _Classify),
            "describe": (lambda _: self._session.describe(), RequestFields),
        }

    def answers(self, file: IO[bytes]) -> Iterator[str]:
        """Answer each line of a binary file that is not empty by a line of JSON in ASCII."""
        for line in _lines(file):
            if line is None or line.strip():
                yield json_text(self._answer(line))

    def _answer(self, line: bytes | None) -> dict[str, object]:
        """Answer a line; None is one that is too long."""
        request_id: object = None
        try:
            values = _parsed(line)
            request_id = _id_of(values)
            return {"id": request_id, **self._result(values)}
        except NumPyCLIPError as error:
            return {"id": request_id, "error": _to_json(error)}
        except Exception as error:  # a bug must not end the program
            _LOG.exception("a request has failed")
            return {"id": request_id, "error": {"type": "Exception", "message": f"unexpected: {error!r:.200}"}}

    def _result(self, values: dict[str, Any]) -> dict[str, object]:
        name = _Request(values).command
        if name not in self._commands:
            raise InputError(f"command is {shown(name)}; expected one of {', '.join(self._commands)}.")
        run, kind = self._commands[name]
        return run(kind({name: value for name, value in values.items() if name not in ("id", "command")}, strict=True))

    def _search(self, fields: _Search) -> dict[str, object]:
        result = self._session.search(fields, fields.near, fields.image, fields.in_)
        is_browse = is_browsing(fields.query, fields.not_, fields.near, fields.image)
        matches = [] if fields.strict and not result.is_match else listed(result, browsing=is_browse)
        return {"matches": matches, "is_match": result.is_match, "cutoff": result.cutoff, "best": result.best}

    def _embed(self, fields: _Embed) -> dict[str, object]:
        if bool(fields.text) == bool(fields.image):
            raise InputError("expected text or image, a string or a list of strings.")
        if fields.text:
            return {"embeddings": self._session.embed_texts(fields.text).tolist()}
        rows = self._session.embed_images(fields.image)
        return {
            "embeddings": [None if isinstance(row, NumPyCLIPError) else row.tolist() for row in rows],
            **_errors(rows),
        }

    def _classify(self, fields: _Classify) -> dict[str, object]:
        rows = self._session.classify(fields.image, fields.labels, fields.template)
        return {
            "predictions": [None if isinstance(row, NumPyCLIPError) else row for row in rows],
            **_errors(rows),
        }


def _errors(rows: list[Any]) -> dict[str, object]:
    """Return the errors of images that have one, by their positions."""
    found = [{"position": n, **_to_json(row)} for n, row in enumerate(rows) if isinstance(row, NumPyCLIPError)]
    return {"errors": found} if found else {}


def _to_json(error: NumPyCLIPError) -> dict[str, object]:
    return {"type": type(error).__name__, "message": str(error)}


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Iterate over lines; None for one of more than `MAX_LINE` bytes, of which no more is kept."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(1 << 16)
        yield None


def _parsed(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise InputError(f"the line has more than {MAX_LINE} bytes; send several requests.")
    try:
        values = json.loads(line.decode("utf-8-sig", "surrogateescape"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the line is not JSON ({error!s:.200}).") from error
    if not isinstance(values, dict):
        raise InputError(f"the line is {shown(values)}; expected a JSON object.")
    return values


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _id_of(values: dict[str, Any]) -> str | int | None:
    """Return the ID of a request, which can be written as it was read."""
    request_id = values.get("id")
    is_text = isinstance(request_id, str) and not any("\ud800" <= letter <= "\udfff" for letter in request_id)
    if request_id is None or is_text or (isinstance(request_id, int) and not isinstance(request_id, bool)):
        return request_id
    raise InputError(f"id is {shown(request_id)}; expected a UTF-8 string, an integer or null.")
