"""Bodies of errors, per API; what the real servers send was read in their sources, or recorded from them."""

from typing import Any

import pytest

from tests.server.conftest import Client, Serve

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def openai_error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **more}}


def infinity_error(message: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": None, "param": None, "code": code}}


UNKNOWN = "model other is not here; this server has tiny."
NO_PICTURE = "image: cannot be read as an image"
GIF = "R0lGODlhAQABAAAAACw="


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_a_model_that_is_not_here(client: Client, path: str) -> None:
    answer = client.post(path, {"model": "other", "input": "a"})
    expected = {
        "/v1/embeddings": (404, openai_error(UNKNOWN, code="model_not_found")),
        "/embeddings": (400, infinity_error(UNKNOWN, 400)),
    }
    assert (answer.status, answer.json) == expected[path]


def test_what_is_wrong_with_a_request_is_422_in_infinity(client: Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"input": []},
        {"input": ["a", 5]},
        {"input": "htt://wrong.url/me.jpg", "modality": "image"},
    ]
    for body in bodies:
        answer = client.post("/v1/embeddings", body)
        field = answer.json["error"]["param"]
        assert (answer.status, answer.json) == (400, openai_error(answer.message, param=field))
        answer = client.post("/embeddings", body)
        (detail,) = answer.json["detail"]
        assert (answer.status, detail["type"], detail["loc"][0]) == (422, "value_error", "body")


def test_the_field_that_is_wrong_is_named(client: Client) -> None:
    for body, field in (
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": "a", "dimensions": 0.5}, "dimensions"),
        ({"model": 5}, "model"),
    ):
        assert client.post("/v1/embeddings", body).json["error"]["param"] == field
        assert client.post("/embeddings", body).json["detail"][0]["loc"] == ["body", field]


def test_an_image_that_is_damaged_is_400_in_both(client: Client) -> None:
    body = {"input": "data:image/gif;base64," + GIF, "modality": "image"}
    for path, expected in (("/v1/embeddings", None), ("/embeddings", 400)):
        answer = client.post(path, body)
        assert (answer.status, answer.json["error"]["code"]) == (400, expected)
        assert answer.message.startswith(NO_PICTURE)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/search",
            openai_error("a token is needed: send it as `Authorization: Bearer TOKEN`.", code="invalid_api_key"),
        ),
        (
            "/v1/models",
            openai_error("a token is needed: send it as `Authorization: Bearer TOKEN`.", code="invalid_api_key"),
        ),
        ("/models", {"detail": "a token is needed: send it as `Authorization: Bearer TOKEN`."}),
        ("/predict", {"detail": "a token is needed: send it as `Authorization: Bearer TOKEN`."}),
        ("/indices-list", {"message": "a token is needed: send it as `Authorization: Bearer TOKEN`."}),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/photos"])
def test_errors_before_routing_have_the_format_of_the_path(
    serve: Serve, path: str, expected: dict[str, Any], prefix: str
) -> None:
    answer = serve(token="secret", url_prefix="/photos").get(prefix + path)
    assert (answer.status, answer.json) == (401, expected)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_immich_reads_detail(client: Client) -> None:
    answer = client("POST", "/predict", b"text=a", **FORM)
    assert (answer.status, list(answer.json)) == (422, ["detail"])


def test_clip_retrieval_reads_message(client: Client) -> None:
    answer = client.post("/knn-service", {})
    assert (answer.status, list(answer.json)) == (400, ["message"])
    assert answer.json["message"].startswith("the query is empty")


def test_a_full_queue_is_429_as_openai_and_infinity_send_it(serve: Serve) -> None:
    client = serve(max_waiting=0)
    answer = client.post("/v1/embeddings", {"input": "a"})
    assert (answer.status, answer.json["error"]["code"], answer.json["error"]["type"]) == (
        429,
        "rate_limit_exceeded",
        "requests",
    )
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.post("/embeddings", {"input": "a"}).json["error"]["code"] == 429
