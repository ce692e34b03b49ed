"""Redirects, and what goes with them."""

import io
import time
import urllib.parse
import urllib.request
from email.message import Message
from email.utils import formatdate

import pytest

from numpyclip.weights.web_request import Refused, _is_within, _Redirects, ask
from tests.weights.scripted_server import answer, proper, serving


@pytest.mark.parametrize(
    ("url", "other", "expected"),
    [
        ("https://hub/a", "https://hub/b", True),
        ("https://hub/a", "https://HUB:443/b", True),
        ("http://hub/a", "https://hub/b", True),
        ("http://hub:8080/a", "https://hub/b", False),
        ("https://hub/a", "http://hub/b", False),
        ("https://hub/a", "https://hub:444/b", False),
        ("https://hub/a", "https://hub.evil/b", False),
        ("https://hub/a", "https://hub@evil/b", False),
        ("https://hub/a", "https://evil/https://hub/", False),
    ],
)
def test_what_is_within_a_host(url: str, other: str, expected: bool) -> None:
    assert _is_within(url, other) == expected


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_question_stays_one_after_a_redirect(code: int) -> None:
    request = urllib.request.Request("https://hub/a", method="HEAD")
    new = _Redirects().redirect_request(request, io.BytesIO(), code, "", Message(), "https://hub/b")
    assert new is not None and new.get_method() == "HEAD"


@pytest.mark.parametrize(("to", "goes"), [("https://hub/b", True), ("https://other/b", False), ("//x/b", False)])
def test_a_token_goes_within_its_host_only(to: str, goes: bool) -> None:
    request = urllib.request.Request("https://hub/a")
    request.add_unredirected_header("Authorization", "Bearer secret")
    to = urllib.parse.urljoin("https://hub/a", to)
    new = _Redirects().redirect_request(request, io.BytesIO(), 302, "", Message(), to)
    assert new is not None
    assert new.has_header("Authorization") == goes
    assert "secret" not in str(new.headers)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("5", 5, 5),
        (" 7 ", 7, 7),
        (formatdate(time.time() + 1e6, usegmt=True), 1e5, 1e6),
        (formatdate(0, usegmt=True), 0, 0),
    ],
)
def test_a_busy_server_says_how_long_to_wait(told: str, least: float, most: float) -> None:
    with serving(b"", answer(429, Retry_After=told)) as script, pytest.raises(Refused) as caught:
        ask(script.url)
    assert caught.value.wait is not None
    assert least <= caught.value.wait <= most


@pytest.mark.parametrize("told", ["", "soon", "-1", "9" * 30, "Wed, 99 Oct 2015 07:28:00 GMT", "1e9"])
def test_what_it_says_may_mean_nothing(told: str) -> None:
    with serving(b"", answer(503, Retry_After=told)) as script, pytest.raises(Refused) as caught:
        ask(script.url)
    assert caught.value.wait is None


def test_headers_of_redirects_come_first() -> None:
    moves = (answer(302, Location="/there", X_Linked_Size=7, ETag="first"), proper)
    with serving(b"body", *moves) as script:
        found = ask(script.url)
        with found.body as body:
            assert body.read() == b"body"
    assert found.header("X-Linked-Size") == "7"
    assert found.header("etag") == "first"
    assert found.header("Content-Length") == "0"
    assert found.header("X-None") is None
