"""The requests that clip-as-service documents for curl, and its client where it is installed."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.server.apis.test_openai_api import uri
from tests.server.conftest import Client, Png


def test_texts_and_images_in_one_request(client: Client, tiny: CLIP, png: Png) -> None:
    data = [
        {"text": "First do it"},
        {"blob": base64.encodebytes(png("bird")).decode()},
        {"uri": uri(png("house")), "id": "house", "tags": {"a": 1}},
        {"id": "empty"},
    ]
    answer = client.post("/post", {"data": data, "execEndpoint": "/"})
    assert answer.status == 200
    text, bird, house, empty = answer.json["data"]
    np.testing.assert_allclose(text["embedding"], tiny.embed_texts("First do it")[0], atol=1e-6)
    expected = tiny.embed_images([png("bird"), png("house")])
    np.testing.assert_allclose([bird["embedding"], house["embedding"]], expected, atol=1e-6)
    assert (text["text"], house["id"], house["tags"], empty["embedding"]) == ("First do it", "house", {"a": 1}, None)
    assert text["id"] and "blob" not in bird
    assert answer.json["header"]["execEndpoint"] == "/"


@pytest.mark.parametrize("endpoint", ["/", "/encode", "/encode/tiny", ""])
def test_endpoints_and_models(client: Client, endpoint: str) -> None:
    body = {"data": {"docs": [{"text": "a"}]}, "exec_endpoint": endpoint, "parameters": {"drop_image_content": True}}
    answer = client.post("/post", body)
    assert (answer.status, answer.json["parameters"]) == (200, {"drop_image_content": True})


def test_matches_are_sorted(client: Client, tiny: CLIP, png: Png) -> None:
    captions = ["a house", "a bird", "a bomb"]
    document = {"blob": base64.b64encode(png("bird")).decode(), "matches": [{"text": text} for text in captions]}
    other = {"text": "a house", "matches": [{"text": "a house"}]}
    answer = client.post("/post", {"data": [document, other, {"text": "a", "matches": []}], "execEndpoint": "/rank"})
    first, second, third = answer.json["data"]
    cosines = tiny.embed_texts(captions) @ tiny.embed_images(png("bird"))[0]
    scores = [match["scores"]["clip_score_cosine"]["value"] for match in first["matches"]]
    assert [match["text"] for match in first["matches"]] == [captions[row] for row in np.argsort(-cosines)]
    np.testing.assert_allclose(scores, sorted(cosines, reverse=True), atol=1e-5)
    assert sum(match["scores"]["clip_score"]["value"] for match in first["matches"]) == pytest.approx(1)
    assert second["matches"][0]["scores"]["clip_score"]["value"] == 1.0
    assert third["matches"] == []


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "data is missing; expected documents."),
        ({"data": 5}, 400, "expected a list of documents"),
        ({"data": [5]}, 400, "expected a list of documents"),
        ({"data": [{"text": 5}]}, 400, "expected text, blob and uri to be strings"),
        ({"data": [{"tensor": [[1]]}]}, 400, "send the file of the image"),
        ({"data": [{"blob": "aGVsbG8="}]}, 400, "cannot be read as an image"),
        ({"data": [{"uri": "http://169.254.169.254/"}]}, 400, "does not fetch from"),
        ({"data": [{"uri": "file:///etc/passwd"}]}, 400, "is not base64"),
        ({"data": [{"text": "a"}] * 3000}, 400, "3000 inputs"),
        ({"data": [{"text": "a"}], "execEndpoint": "/index"}, 400, "expected /, /encode or /rank"),
        ({"data": [{"text": "a"}], "execEndpoint": "/encode/other"}, 400, "this server has tiny"),
        ({"data": [{"text": "a", "matches": 5}], "execEndpoint": "/rank"}, 400, "matches is 5"),
        ({"data": [{"text": "a", "matches": [{}]}], "execEndpoint": "/rank"}, 400, "is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, body: Any, status: int, message: str) -> None:
    answer = client.post("/post", body)
    assert (answer.status, message in answer.message) == (status, True), answer.message
    assert answer.json["header"]["status"]["code"] == "ERROR"


@pytest.mark.filterwarnings("ignore")  # of its dependencies
def test_the_client_of_clip_as_service(client: Client, tiny: CLIP, drawings: Path) -> None:
    package = pytest.importorskip("clip_client")
    api = package.Client(f"http://127.0.0.1:{client.port}")
    found = api.encode(["a dog", str(drawings / "bird.jpg")])
    expected = np.concatenate([tiny.embed_texts("a dog"), tiny.embed_images(drawings / "bird.jpg")])
    np.testing.assert_allclose(found, expected, atol=1e-6)
