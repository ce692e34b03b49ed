"""What all APIs share: embeddings with NaN, which damaged weights make, are errors and never in an answer."""

import json
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index
from numpyclip.server import ModelSource, Settings
from numpyclip.server import service as services
from tests.server.conftest import Client, Png, Serve

WARM_UP: tuple[str, Any] = ("warm-up", np.zeros((8, 8, 3), np.uint8))


def _overflowing(encode: Callable[..., Any], known: Any) -> Callable[..., Any]:
    return lambda *inputs: encode(*inputs) * np.float32(1 if np.array_equal(inputs[-1], known) else np.nan)


@pytest.fixture
def damaged(serve: Serve, monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> Client:
    """A server whose model overflows, except for what it is warmed up with."""
    known = tiny.tokenize(WARM_UP[0]), tiny.preprocess.crop(Image.fromarray(WARM_UP[1]))[np.newaxis]
    for name, first in zip(("encode_text", "encode_image"), known, strict=True):
        monkeypatch.setattr(CLIP, name, _overflowing(getattr(CLIP, name), first))
    return serve()


def test_embeddings_that_are_not_finite_are_errors_of_every_api(damaged: Client, png: Png) -> None:
    image = f"data:image/png;base64,{b64encode(png('bird')).decode()}"
    visual = json.dumps({"clip": {"visual": {"modelName": "tiny"}}})
    textual = json.dumps({"clip": {"textual": {"modelName": "tiny"}}})
    for answer in (
        damaged.post("/v1/embeddings", {"input": "a bird"}),
        damaged.post("/v1/embeddings", {"input": ["a bird"], "encoding_format": "base64"}),
        damaged.post("/v1/embeddings", {"input": [image], "modality": "image"}),
        damaged.post("/v1/embeddings", {"input": [image], "modality": "image", "encoding_format": "base64"}),
        damaged.form("/predict", [("entries", visual), ("image", png("bird"))]),
        damaged.form("/predict", [("entries", textual), ("text", "a bird")]),
        damaged.get("/search?q=a+bird"),
        damaged.form("/search", [("image", png("bird"))]),
        damaged.form("/classify", [("image", png("bird")), ("labels", "bird"), ("labels", "house")]),
    ):
        assert answer.status == 400
        assert "its embedding has NaN or infinity, or is zero: the weights are damaged" in answer.message


def test_the_index_is_opened_once_for_all_who_need_it_first(
    place: str, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, others = [], threading.Barrier(8)

    class Counted(Index):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            opened.append(self)

    def index(_: int) -> Index:
        others.wait(60)
        return service.index()

    monkeypatch.setattr(services, "Index", Counted)
    service = services.Service([ModelSource("tiny", lambda: tiny)], place, Settings())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(index, range(8)))
    assert found == opened * 8
    opened[0].close()
