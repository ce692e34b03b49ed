"""Errors as clients receive them."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from numpyclip.server.http import responses
from numpyclip.server.http.responses import JSONResponse
from tests.server.conftest import Client


def test_an_error_may_quote_what_utf_8_cannot_encode(client: Client) -> None:
    answer = client.post("/v1/embeddings", {"modality": "image", "input": "http://\ud800/"})
    assert (answer.status, r"http://\ud800/" in answer.message) == (400, True)


@pytest.mark.parametrize("value", [{}, [], {"a": [], "é": [{"b": [1, None]}, "c"]}, [[1.5], {"a": {}}], "a", None])
def test_json_is_what_was_given(value: Any) -> None:
    assert JSONResponse(value).body == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_large_answers_hold_up_nobody(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    calls: list[tuple[str, int]] = []
    encode: Callable[[Any], str] = responses._encode

    def recorded(value: Any) -> str:
        text = encode(value)
        calls.append((threading.current_thread().name, len(text)))
        return text

    monkeypatch.setattr(responses, "_encode", recorded)
    assert client.post("/v1/embeddings", {"input": ["a"] * 200}).status == 200
    assert client.get("/search?q=a").status == 200
    assert client.post("/knn-service", {"text": "a"}).status == 200
    assert client.post("/metadata", {"ids": [1, 2]}).status == 200
    assert {name.rpartition("_")[0] for name, _ in calls} == {"numpyclip-requests"}
    assert max(length for _, length in calls) < 20_000  # one embedding, or one image
