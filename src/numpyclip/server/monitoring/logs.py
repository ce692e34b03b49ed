"""The log of a server on stderr: lines for people, or JSON.

Loggers are ``numpyclip.server`` and ``numpyclip.access``. Clients choose parts of what is logged, such as paths, so
every line is escaped: none can begin a new one, or act on a terminal.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from numpyclip.escaping import json_text, printable
from numpyclip.server.http.request_context import current_request

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler

_LOG = logging.getLogger("numpyclip.server")
_ACCESS = logging.getLogger("numpyclip.access")
_WAS_LOGGED = "numpyclip_was_logged"  # an attribute of errors, which uvicorn logs again, without the request's ID
_INVALID = "Invalid HTTP request received."  # uvicorn, without the client, which we log


class _TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.000Z info: message``, and at debug a traceback, indented."""

    def format(self, record: logging.LogRecord) -> str:
        line = printable(f"{_time(record)} {record.levelname.lower()}: {record.getMessage().strip()}")
        request = "" if hasattr(record, "fields") else current_request().id
        lines = [f"{line} id={request}" if request else line]
        lines += (f"    {printable(each)}" for each in _traceback(record).splitlines())
        return "\n".join(lines)


class _JSONFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
        }
        if request := current_request().id:
            found["request_id"] = request
        found |= getattr(record, "fields", {})
        if trace := _traceback(record):
            found["traceback"] = trace
        return json_text(found)


class _Handler(_StreamHandler):
    """Drops what cannot be written: the disk is full, say, or nobody reads the pipe."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: logging would print to stderr, which comes here again."""


class _LoggedLines(io.TextIOBase):
    """A stream in place of stderr, whose lines are logged: packages may print there.

    Parameters
    ----------
    stream : text stream
        The one that it replaces.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._line = re.split(r"[\r\n]+", self._line + text)
        for line in filter(str.strip, lines):
            _LOG.info("%s", line)
        return len(text)

    def finish(self) -> None:
        """Log a last line that has no end."""
        self.write("\n")


@contextlib.contextmanager
def logging_to_stderr(level: str, form: str) -> Iterator[None]:
    """Log to stderr inside the ``with`` block; other packages log from warnings on.

    Parameters
    ----------
    level : {'debug', 'info', 'warning', 'error'}
    form : {'text', 'json'}
        With JSON, also what is printed to stderr is logged.
    """
    handler = _Handler(sys.stderr)
    handler.setFormatter(_JSONFormatter() if form == "json" else _TextFormatter())
    handler.addFilter(lambda record: not _is_logged_before(record))
    number = getattr(logging, level.upper())
    levels = {_LOG: number, _ACCESS: number, logging.getLogger(): max(number, logging.WARNING)}
    before = [(logger, logger.level) for logger in levels]
    for logger, each in levels.items():
        logger.setLevel(each)
    logging.getLogger().addHandler(handler)
    try:
        if form == "text":
            yield
        else:
            with contextlib.redirect_stderr(_LoggedLines(sys.stderr)) as lines:
                try:
                    yield
                finally:
                    lines.finish()
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, each in before:
            logger.setLevel(each)


def _is_logged_before(record: logging.LogRecord) -> bool:
    """Tell whether uvicorn logs what has been logged with more than uvicorn knows."""
    return record.msg == _INVALID or bool(record.exc_info and getattr(record.exc_info[1], _WAS_LOGGED, False))


def log_error(error: Exception) -> None:
    """Log an unexpected error, once: whoever catches it behind this logs nothing."""
    _LOG.error("unexpected error: %s", describe_error(error), exc_info=error)
    setattr(error, _WAS_LOGGED, True)


def describe_error(error: BaseException) -> str:
    """Name the type of an error and the line that raised it, but not its message, which may quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, timezone.utc)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def _traceback(record: logging.LogRecord) -> str:
    """Format the traceback, at debug only: it quotes values, which may be of a client."""
    if not record.exc_info or not _LOG.isEnabledFor(logging.DEBUG):
        return ""
    return logging.Formatter().formatException(record.exc_info)
