"""Lines of the log, for people and for programs."""

import io
import json
import logging
import re
import sys

import pytest

from numpyclip.server.http.request_context import CURRENT, RequestRecord
from numpyclip.server.monitoring.logs import describe_error, log_error, logging_to_stderr

LOG = logging.getLogger("numpyclip.server")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def raised() -> Exception:
    try:
        raise ValueError("private\n2026-01-01T00:00:00.000Z info: forged")
    except ValueError as error:
        return error


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("info", "text"):
        LOG.info("a\nb \x1b[2J")
        LOG.error("unexpected error: %s", describe_error(raised()), exc_info=raised())
        LOG.debug("not shown")
        logging.getLogger("other").info("not shown")
        logging.getLogger("other").warning("shown")
    LOG.warning("afterwards")
    first, second, third, *_ = capsys.readouterr().err.split("\n")
    assert re.fullmatch(TIME + r" info: a\\nb \\x1b\[2J", first)
    assert re.fullmatch(TIME + r" error: unexpected error: ValueError at .*test_logs.py:\d+", second)
    assert third.endswith(" warning: shown")


def test_a_traceback_is_shown_at_debug_and_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("debug", "text"):
        LOG.error("wrong", exc_info=raised())
    lines = capsys.readouterr().err.splitlines()
    assert any("ValueError: private" in line for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


def test_lines_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("debug", "json"):
        token = CURRENT.set(RequestRecord("r1"))
        LOG.error("a\n%s", "b", exc_info=raised())
        CURRENT.reset(token)
        print("of a package\nin two lines", file=sys.stderr)
        logging.getLogger("numpyclip.access").info("GET", extra={"fields": {"token": "\udcff", "request_id": "r2"}})
    first, *more = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert re.fullmatch(TIME, first["time"])
    assert (first["level"], first["logger"], first["message"]) == ("error", "numpyclip.server", "a\nb")
    assert first["request_id"] == "r1" and "ValueError" in first["traceback"]
    assert [line["message"] for line in more] == ["of a package", "in two lines", "GET"]
    assert (more[-1]["token"], more[-1]["request_id"]) == ("\\xff", "r2")
    assert "request_id" not in more[0]


def test_errors_that_were_logged_with_their_request_are_not_logged_again(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = raised(), raised()
    with logging_to_stderr("info", "text"):
        log_error(first)
        for error in (first, second):
            logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert [line.partition(": ")[2][:16] for line in capsys.readouterr().err.splitlines()] == [
        "unexpected error",
        "Exception in ASG",
    ]


class Full(io.StringIO):
    """A file on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError("No space left on device")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_cannot_be_written_is_dropped(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Full())
    with logging_to_stderr("info", form):
        LOG.info("lost")
        if form == "json":
            print("lost, too", file=sys.stderr)


def test_a_last_line_without_an_end_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("info", "json"):
        print("the end", end="", file=sys.stderr)
    assert json.loads(capsys.readouterr().err)["message"] == "the end"


def test_programs_that_are_started_have_the_stderr_of_this_one() -> None:
    expected = sys.stderr.fileno()
    with logging_to_stderr("info", "json"):
        assert sys.stderr.fileno() == expected


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("error", "text"):
        LOG.warning("not shown")
        logging.getLogger("other").warning("not shown")
        LOG.error("shown")
    assert capsys.readouterr().err.count("\n") == 1
