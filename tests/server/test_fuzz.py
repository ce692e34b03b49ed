"""Nonsense of many kinds: it is refused, or answered, but never a fault of the server."""

import json
import random
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.server.conftest import Client

_POSTS = (
    "/search",
    "/thumbnail",
    "/download",
    "/classify",
    "/v1/embeddings",
    "/predict",
    "/knn-service",
    "/embeddings_image",
    "/vectorize",
    "/post",
    "/metadata",
    "/login",
    "/marks",
)
_GETS = ("/search", "/timeline", "/places", "/towns", "/library", "/thumbnails/1", "/original/1")
_NAMES = (
    *("query", "q", "near", "image", "not", "n", "folder", "after", "before", "in", "labels", "template"),
    *("camera", "lens", "tag", "album", "within", "around", "favourite", "rating", "until", "group", "shown"),
    *("kind", "name", "names", "remove", "side", "t"),
    *("input", "model", "modality", "messages", "encoding_format", "dimensions", "truncate", "entries", "text"),
    *(
        "image_url",
        "embedding_input",
        "num_images",
        "num_result_ids",
        "deduplicate",
        "ids",
        "token",
        "cursor",
        "strict",
        "tags",
    ),
)
_ODD: tuple[Any, ...] = (
    *(
        "",
        " ",
        "a",
        "\ud800",
        "\0",
        "+",
        "- -",
        '"',
        "2*",
        "%",
        "x" * 5000,
        "9" * 5000,
        "2024-99",
        "../..",
        "{}",
        "{",
        "é",
    ),
    *(0, -1, 1, 10**18, 10**30, 1.5, 1e308, True, False, None, [], {}, [[]], [None], ["a", 1], {"a": "b"}),
    *(
        "data:image/png;base64,",
        "data:image/png;base64,aGk=",
        "http://localhost/",
        "https://[",
        [0.1] * 128,
        ["1"] * 40,
    ),
)


def odd(rng: random.Random) -> Any:
    value = rng.choice(_ODD)
    return [value, rng.choice(_ODD)] if rng.random() < 0.1 else value


@pytest.mark.parametrize("seed", range(10))
def test_nonsense_in_json(client: Client, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        values = {name: odd(rng) for name in rng.sample(_NAMES, rng.randint(0, 6))}
        path = rng.choice(_POSTS)
        answer = client("POST", path, json.dumps(values).encode(), Content_Type="application/json")
        assert answer.status < 500, (path, values, answer.body)


@pytest.mark.parametrize("seed", range(5))
def test_nonsense_in_addresses(client: Client, gazetteer: None, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        fields = [(rng.choice(_NAMES), str(rng.choice(_ODD))) for _ in range(rng.randint(0, 6))]
        path = f"{rng.choice(_GETS)}?{urlencode(fields, errors='surrogatepass')}"
        answer = client.get(path)
        assert answer.status < 500, (path, answer.body)


def test_a_folder_that_is_no_path(client: Client) -> None:
    body = b'{"query": "a dog", "folder": "/\\ud800"}'
    answer = client("POST", "/search", body, Content_Type="application/json")
    assert (answer.status, b"which no path can be" in answer.body) == (400, True)


@pytest.mark.parametrize("seed", range(5))
def test_nonsense_in_forms(client: Client, seed: int) -> None:
    rng = random.Random(seed)
    texts = [value for value in _ODD if isinstance(value, str) and "\ud800" not in value]
    for _ in range(40):
        fields: list[tuple[str, str | bytes]] = [
            (rng.choice(_NAMES), rng.choice(texts) if rng.random() < 0.8 else b"no picture")
            for _ in range(rng.randint(0, 6))
        ]
        path = rng.choice(_POSTS)
        answer = client.form(path, fields)
        assert answer.status < 500, (path, fields, answer.body)


@pytest.mark.parametrize(
    "body", [b"", b"--", b"--x\r\n\r\n\r\n--x--", b"\xff" * 100, b"--x\r\nContent-Disposition: x\r\n\r\n"]
)
@pytest.mark.parametrize("path", _POSTS)
def test_broken_forms(client: Client, path: str, body: bytes) -> None:
    answer = client("POST", path, body, Content_Type="multipart/form-data; boundary=x")
    assert 400 <= answer.status < 500 or (path == "/search" and answer.status == 200)  # of an empty form, which browses
