"""The requests of Infinity's own tests (libs/infinity_emb/tests/end_to_end), and its client where it is installed."""

import importlib

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.server.apis.test_openai_api import uri, vectors
from tests.server.conftest import Client, Png, Serve


def test_models_have_stats_and_capabilities(client: Client) -> None:
    (model,) = client.get("/models").json["data"]
    assert (model["id"], model["owned_by"], model["object"]) == ("tiny", "infinity", "model")
    assert set(model["capabilities"]) == {"embed", "image_embed"}
    assert model["stats"] == {"queue_fraction": 0.0, "queue_absolute": 0, "results_pending": 0, "batch_size": 32}


def test_health_needs_no_token(serve: Serve) -> None:
    client = serve(token="secret")
    assert client.get("/health").json["unix"] > 1.7e9
    assert client.get("/models").status == 401


@pytest.mark.parametrize("path", ["/embeddings_image", "/embeddings"])
def test_images_alone_and_several(client: Client, tiny: CLIP, png: Png, path: str) -> None:
    for images in (uri(png("bird")), [uri(png("bird")), uri(png("house"))]):
        answer = client.post(path, {"model": "tiny", "input": images, "modality": "image"})
        assert (answer.status, answer.json["model"], answer.json["object"]) == (200, "tiny", "list")
        expected = tiny.embed_images([png("bird"), png("house")])[: 1 if isinstance(images, str) else 2]
        np.testing.assert_allclose(vectors(answer.json), expected, atol=1e-6)


def test_a_path_for_images_needs_no_modality(client: Client, tiny: CLIP, png: Png) -> None:
    messages = [{"role": "user", "content": "a dog"}]
    for more in ({}, {"modality": "text", "messages": messages}, {"user": "me", "encoding_format": "float"}):
        answer = client.post("/embeddings_image", {"model": "tiny", "input": uri(png("bird")), **more})
        np.testing.assert_allclose(vectors(answer.json), tiny.embed_images(png("bird")), atol=1e-6)


def test_the_name_that_its_client_sends_by_itself_is_that_of_the_first_model(client: Client, png: Png) -> None:
    for path, sent in (("/embeddings", "a dog"), ("/embeddings_image", uri(png("bird")))):
        assert client.post(path, {"model": "default/not-specified", "input": sent}).json["model"] == "tiny"
    assert client.post("/v1/embeddings", {"model": "default/not-specified", "input": "a dog"}).status == 404


def test_the_path_for_images_embeds_no_texts(client: Client) -> None:
    for body in ({"messages": [{"role": "user", "content": "a dog"}]}, {"input": [[1, 2]]}):
        assert client.post("/embeddings_image", body).status == 422, body


def test_what_infinity_refuses(client: Client) -> None:
    for images in ("htt://wrong.url/me.jpg", ["htt://wrong.url/me.jpg"] * 2, [], None, 5):
        assert client.post("/embeddings_image", {"model": "tiny", "input": images}).status == 422, images
    for url in ("https://www.google.com/404.jpg", ["https://www.google.com/404.jpg"] * 2):
        answer = client.post("/embeddings_image", {"model": "tiny", "input": url})
        assert (answer.status, answer.json["error"]["code"]) == (400, 400)  # nothing is fetched from this host
    broken = client.post("/embeddings_image", {"input": "data:image/png;base64,!"})
    assert (broken.status, broken.json["error"]["code"]) == (400, 400)


def test_texts_of_infinitys_length_are_truncated(client: Client) -> None:
    assert client.post("/embeddings", {"input": "%_" * 4097 * 15, "model": "tiny"}).status == 422
    assert client.post("/embeddings", {"input": "%_" * 4096 * 15, "model": "tiny"}).status == 200
    answer = client.post("/embeddings", {"input": "dog " * 100, "model": "tiny", "truncate": False})
    assert (answer.status, "at most 77 tokens" in answer.message) == (422, True)


def test_empty_texts_are_embedded(client: Client, tiny: CLIP) -> None:
    answer = client.post("/embeddings", {"input": ["", "a dog"]})
    np.testing.assert_allclose(vectors(answer.json), tiny.embed_texts(["", "a dog"]), atol=1e-6)


def test_the_client_of_infinity(client: Client, tiny: CLIP, png: Png) -> None:
    package = pytest.importorskip("infinity_client")
    default = importlib.import_module("infinity_client.api.default")
    kinds = importlib.import_module("infinity_client.models")
    for name in ("embeddings", "embeddings_image", "health", "models"):
        importlib.import_module(f"infinity_client.api.default.{name}")

    with package.Client(base_url=f"http://127.0.0.1:{client.port}") as api:
        assert default.health.sync(client=api)["unix"] > 1.7e9
        (model,) = default.models.sync(client=api).data
        assert (model.id, set(model.capabilities)) == ("tiny", {"embed", "image_embed"})
        texts = kinds.OpenAIEmbeddingInputText(input_=["a dog", "a cat"], model="tiny")
        found = [row.embedding for row in default.embeddings.sync(client=api, body=texts).data]
        np.testing.assert_allclose(found, tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
        kind = kinds.OpenAIEmbeddingInputImageModality.IMAGE
        image = kinds.OpenAIEmbeddingInputImage(input_=[uri(png("bird"))], model="tiny", modality=kind)
        found = [row.embedding for row in default.embeddings.sync(client=api, body=image).data]
        np.testing.assert_allclose(found, tiny.embed_images(png("bird")), atol=1e-6)
        legacy = kinds.ImageEmbeddingInput(input_=[uri(png("bird"))], model="tiny")
        found = [row.embedding for row in default.embeddings_image.sync(client=api, body=legacy).data]
        np.testing.assert_allclose(found, tiny.embed_images(png("bird")), atol=1e-6)
        wrong = default.embeddings.sync(client=api, body=kinds.OpenAIEmbeddingInputText(input_=[], model="tiny"))
        assert isinstance(wrong, kinds.HTTPValidationError)
        assert wrong.detail[0].type == "value_error"
        unnamed = kinds.OpenAIEmbeddingInputText(input_=["a dog"])
        assert default.embeddings.sync(client=api, body=unnamed).model == "tiny"
