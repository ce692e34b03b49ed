"""The requests that clip-retrieval's `ClipClient` sends, and the real client where it is installed."""

import base64
import importlib.util
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from tests.server.conftest import Client, Png, Serve


def ask(client: Client, **more: object) -> Any:
    body = {
        "text": None,
        "image": None,
        "image_url": None,
        "embedding_input": None,
        "deduplicate": False,
        "use_safety_model": True,
        "use_violence_detector": True,
        "indice_name": "laion5B",
        "use_mclip": False,
        "aesthetic_score": 9,
        "aesthetic_weight": 0.5,
        "modality": "image",
        "num_images": 3,
        "num_result_ids": 3,
        **more,
    }
    answer = client.post("/knn-service", body)
    assert answer.status == 200, answer.body
    return answer.json


def test_a_text_finds_pictures(client: Client, tiny: CLIP, drawings: Path) -> None:
    results = ask(client, text="a house")
    assert Path(results[0]["image_path"]).name == "house.jpg"
    assert [result["similarity"] for result in results] == sorted((r["similarity"] for r in results), reverse=True)
    assert results[0]["url"].startswith("thumbnails/")  # relative: there may be a prefix
    assert client.get(f"/{results[0]['url']}").status == 200
    shown = Image.open(BytesIO(base64.b64decode(results[0]["image"])))
    assert (shown.format, shown.size) == ("JPEG", (64, 64))


def test_pictures_have_a_caption_and_those_elsewhere_their_url(serve: Serve, elsewhere: str) -> None:
    results = ask(serve(store=elsewhere), text="a bird")
    assert [(row["caption"], row.get("url")) for row in results] == [("a", "https://x.org/a.jpg"), ("000", None)]
    assert ask(serve(), text="a house")[0]["caption"] == "house"


def test_pictures_and_embeddings_find_pictures(client: Client, tiny: CLIP, png: Png) -> None:
    by_picture = ask(client, image=base64.b64encode(png("motor boat")).decode())
    by_embedding = ask(client, embedding_input=(7 * tiny.embed_images(png("motor boat"))[0]).tolist())
    assert Path(by_picture[0]["image_path"]).name == "motor boat.jpg"
    assert [r["id"] for r in by_picture] == [r["id"] for r in by_embedding]


def test_texts_are_the_other_modality(client: Client, png: Png) -> None:
    results = ask(client, image=base64.b64encode(png("butterfly")).decode(), modality="text")
    assert results[0]["caption"] == "a butterfly"
    assert len(results) == 3


def test_more_numbers_than_pictures(client: Client) -> None:
    results = ask(client, text="a house", num_images=1, num_result_ids=4)
    assert [("image_path" in result) for result in results] == [True, False, False, False]
    assert all({"id", "similarity"} <= set(result) for result in results)


def test_duplicates_are_left_out(client: Client) -> None:
    numbers = [r["id"] for r in ask(client, text="a bird", num_images=9, num_result_ids=9)]
    different = [r["id"] for r in ask(client, text="a bird", num_images=9, num_result_ids=9, deduplicate=True)]
    assert len(numbers) == 9
    assert len(different) < 9  # the bird is there as JPEG and as PNG
    assert different == [number for number in numbers if number in different]


def test_what_is_known_of_numbers(client: Client) -> None:
    (best, *_) = ask(client, text="a house")
    answer = client.post("/metadata", {"ids": [best["id"], 999], "indice_name": "laion5B"})
    assert [row["id"] for row in answer.json] == [best["id"]]
    assert answer.json[0]["metadata"]["image_path"] == best["image_path"]
    for wrong in ({}, {"ids": ["a"]}, {"ids": [-1]}):
        assert client.post("/metadata", wrong).status == 400
    assert client.get("/indices-list").json == ["numpyclip"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "the query is empty"),
        ({"text": "a", "modality": "sound"}, "expected image or text"),
        ({"text": "a", "num_images": 0}, "expected an integer above 0"),
        ({"embedding_input": [1, 2]}, "queries"),
        ({"embedding_input": ["a"]}, "expected a list of numbers"),
        ({"embedding_input": [float("nan")] * 128}, "NaN is no number"),
        ({"embedding_input": [float("inf")] * 128}, "Infinity is no number"),
        ({"embedding_input": [10**400] * 128}, "expected a list of numbers"),
        ({"embedding_input": [1e300] * 128}, "expected finite numbers"),
        ({"image_url": "http://localhost/a.png"}, "does not fetch from localhost"),
        ({"image": "/etc/shadow.txt"}, "is not base64"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: Client, body: object, message: str) -> None:
    answer = client.post("/knn-service", body)
    assert (answer.status, message in answer.message) == (400, True), answer.message


def test_the_client_of_clip_retrieval(client: Client, drawings: Path) -> None:
    pytest.importorskip("requests")
    if (package := importlib.util.find_spec("clip_retrieval")) is None or package.origin is None:
        pytest.skip("clip-retrieval is not installed")
    # The package itself imports PyTorch, Spark and more; its client is a module that needs nothing of these.
    spec = importlib.util.spec_from_file_location("clip_client", Path(package.origin).with_name("clip_client.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    asks = module.ClipClient(
        url=f"http://127.0.0.1:{client.port}/knn-service", indice_name="laion5B", num_images=2, deduplicate=False
    )
    assert Path(asks.query(text="a house")[0]["image_path"]).name == "house.jpg"
    assert Path(asks.query(image=str(drawings / "bird.jpg"))[0]["image_path"]).name == "bird.jpg"
    texts = module.ClipClient(
        url=f"http://127.0.0.1:{client.port}/knn-service",
        indice_name="laion5B",
        num_images=1,
        modality=module.Modality.TEXT,
    )
    assert texts.query(image=str(drawings / "bird.jpg"))[0]["caption"] == "a bird"
    found = asks.query(embedding_input=np.ones(128).tolist())
    assert len(found) == 2
