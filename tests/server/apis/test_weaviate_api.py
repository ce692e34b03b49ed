"""The requests of the smoke test of multi2vec-clip-inference, which Weaviate's module sends, too."""

import base64

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from tests.server.conftest import Client, Png, Serve


def test_it_is_ready(serve: Serve) -> None:
    client = serve(token="secret")
    for path in ("/.well-known/live", "/.well-known/ready"):
        assert (client.get(path).status, client.get(path).body) == (204, b"")
    assert client.get("/meta").status == 401
    assert isinstance(client.get("/meta", Authorization="Bearer secret").json, dict)


def test_texts_and_images(client: Client, tiny: CLIP, png: Png) -> None:
    images = [base64.b64encode(png(name)).decode() for name in ("bird", "house")]
    answer = client.post("/vectorize", {"texts": ["This is a plane"], "images": images})
    assert (answer.status, set(answer.json)) == (200, {"textVectors", "imageVectors"})
    np.testing.assert_allclose(answer.json["textVectors"], tiny.embed_texts("This is a plane"), atol=1e-6)
    np.testing.assert_allclose(answer.json["imageVectors"], tiny.embed_images([png("bird"), png("house")]), atol=1e-6)


def test_either_may_be_missing(client: Client) -> None:
    answer = client.post("/vectorize", {"texts": ["a"], "images": []})
    assert (len(answer.json["textVectors"]), answer.json["imageVectors"]) == (1, [])
    assert client.post("/vectorize", {}).json == {"textVectors": [], "imageVectors": []}


def test_errors_are_strings_as_weaviate_reads_them(client: Client) -> None:
    mixed = {"texts": ["a"] * 1500, "images": ["!"] * 1500}
    assert client.post("/vectorize", mixed).message.startswith("3000 inputs")
    for body in ({"texts": [5]}, {"images": ["!"]}, {"images": ["aGVsbG8="]}, {"texts": ["a"] * 3000}, mixed):
        answer = client.post("/vectorize", body)
        assert (answer.status, list(answer.json), type(answer.json["error"])) == (400, ["error"], str)
