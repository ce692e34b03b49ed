"""Several models by name, loaded when requests use them."""

import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError
from numpyclip.server import ModelSource
from tests.server.conftest import Client, Png, Serve


def half() -> CLIP:
    """Another model: its embeddings have other dimensions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return numpyclip.load("tiny", truncate_dim=64)[0]


def embedding(client: Client, **fields: object) -> np.ndarray:
    answer = client.post("/v1/embeddings", {"input": "a bird", **fields})
    assert answer.status == 200, answer.body
    return np.array(answer.json["data"][0]["embedding"], np.float32)


def test_requests_choose_by_name(serve: Serve, tiny: CLIP) -> None:
    sources = [ModelSource("tiny", lambda: tiny, ("first",)), ModelSource("half", half, ("Tiny__Half",))]
    client = serve(sources)
    assert [model["id"] for model in client.get("/v1/models").json["data"]] == ["tiny", "half"]
    for names in ({}, {"model": "tiny"}, {"model": "FIRST"}):
        np.testing.assert_allclose(embedding(client, **names), tiny.embed_texts("a bird")[0], atol=1e-6)
    for name in ("half", "tiny--half"):
        np.testing.assert_allclose(embedding(client, model=name), half().embed_texts("a bird")[0], atol=1e-6)
    answer = client.post("/v1/embeddings", {"input": "a bird", "model": "half", "dimensions": 100})
    assert (answer.status, "expected 1 to 64" in answer.message) == (400, True)
    answer = client.post("/v1/embeddings", {"input": "a bird", "model": "other"})
    assert (answer.status, "this server has tiny, first, half, Tiny__Half." in answer.message) == (404, True)
    entries = '{"clip": {"textual": {"modelName": "half"}}}'
    assert len(client.form("/predict", [("entries", entries), ("text", "a bird")]).json["clip"]) > 64
    assert client.get("/search?q=a+bird").json["matches"]


def test_requests_wait_while_it_is_loaded_once(serve: Serve, tiny: CLIP) -> None:
    begun, may_go, count = threading.Event(), threading.Event(), 0

    def load() -> CLIP:
        nonlocal count
        count += 1
        begun.set()
        assert may_go.wait(60)
        return half()

    client = serve([ModelSource("tiny", lambda: tiny), ModelSource("half", load)])
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(embedding, client, model="half") for _ in range(16)]
        assert begun.wait(60)
        assert embedding(client, model="tiny").shape == (128,)  # others do not wait
        may_go.set()
        assert {answer.result().shape for answer in answers} == {(64,)}
    assert count == 1


def test_a_model_that_cannot_be_loaded_is_said_in_the_log(
    serve: Serve, tiny: CLIP, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [CheckpointError("/secret/half.pt: is damaged.")]

    def load() -> CLIP:
        if failures:
            raise failures.pop()
        return half()

    client = serve([ModelSource("tiny", lambda: tiny), ModelSource("half", load)])
    answer = client.post("/v1/embeddings", {"input": "a bird", "model": "half"})
    assert (answer.status, answer.message) == (503, "half cannot be loaded; the log of the server says why.")
    assert "half cannot be loaded: /secret/half.pt: is damaged." in caplog.text
    assert embedding(client, model="half").shape == (64,)


def test_a_model_that_nobody_uses_is_unloaded_until_it_is_needed(serve: Serve, png: Png) -> None:
    unloaded, count = threading.Event(), 0

    def load() -> CLIP:
        nonlocal count
        count += 1
        model, _ = numpyclip.load("tiny")
        weakref.finalize(model, unloaded.set)
        return model

    client = serve([ModelSource("tiny", load)], idle=0.01)
    for loaded in range(1, 4):
        assert unloaded.wait(60)
        assert count == loaded
        assert (
            client.get("/library").status == client.get("/thumbnails/1").status == client.get("/search").status == 200
        )
        assert client.get("/search?near=1").json["matches"]
        assert count == loaded  # none of these needs it
        unloaded.clear()
        assert len(client.form("/search", [("image", png("bird")), ("n", "1")]).json["matches"]) == 1


def test_models_are_listed_without_being_loaded(serve: Serve, tiny: CLIP) -> None:
    def load() -> CLIP:
        raise CheckpointError("half: is damaged.")

    client = serve([ModelSource("tiny", lambda: tiny), ModelSource("half", load)])
    both = ["embed", "image_embed"]
    for path in ("/v1/models", "/models"):
        answer = client.get(path)
        assert answer.status == 200
        assert [(card["id"], card.get("capabilities")) for card in answer.json["data"]] == [
            ("tiny", both),
            ("half", None),
        ]
    assert client.get("/v1/models/tiny").json["capabilities"] == both
    assert client.get("/v1/models/half").json["id"] == "half"


def test_capabilities_are_said_once_they_are_known(serve: Serve, tiny: CLIP) -> None:
    client = serve([ModelSource("tiny", lambda: tiny), ModelSource("half", half)])
    assert "capabilities" not in client.get("/v1/models/half").json
    embedding(client, model="half")
    assert client.get("/v1/models/half").json["capabilities"] == ["embed", "image_embed"]
