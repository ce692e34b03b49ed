"""Chroma: collections of texts and images, which another process opens with the same model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, PictureError

pytest.importorskip("chromadb", reason="the adapter needs chromadb")

import chromadb

from numpyclip.integrations.chroma import CLIPEmbeddingFunction, ImageLoader


@pytest.fixture
def client() -> Any:
    client = chromadb.EphemeralClient()
    for collection in client.list_collections():
        client.delete_collection(collection.name)
    return client


def test_documents_and_images_are_embedded_in_batches(tiny: CLIP, bird: Path, batch_sizes: list[int]) -> None:
    red = np.zeros((70, 60, 3), np.uint8)
    rows = CLIPEmbeddingFunction(tiny, batch_size=2)(["a bird", red, red, "a dog", red])
    assert batch_sizes == [2, 1]
    np.testing.assert_allclose(rows[0], tiny.embed_texts(["a bird"])[0], atol=1e-6)
    np.testing.assert_allclose(rows[4], tiny.embed_images([red])[0], atol=1e-6)
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}


def test_a_collection_finds_images_by_text(client: Any, emoji: dict[str, Image.Image], tmp_path: Path) -> None:
    names = ["bird", *[name for name in emoji if name != "bird"][:6]]
    uris = [str(tmp_path / f"{number}.png") for number in range(7)]
    for name, uri in zip(names, uris, strict=True):
        emoji[name].save(uri)
    function = CLIPEmbeddingFunction("tiny")
    collection = client.create_collection("images", embedding_function=function, data_loader=ImageLoader())
    collection.add(ids=names, uris=uris)
    assert collection.configuration["hnsw"]["space"] == "cosine"
    found = collection.query(query_texts=["a bird"], n_results=1, include=["data", "distances"])
    assert found["ids"] == [["bird"]]
    assert np.array_equal(found["data"][0][0], np.asarray(emoji["bird"]))
    assert collection.query(query_uris=[uris[3]], n_results=1)["ids"] == [[names[3]]]


def test_another_process_opens_a_collection_with_its_model(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(str(tmp_path / "store"))
    function = CLIPEmbeddingFunction("tiny", truncate=True)
    client.create_collection("texts", embedding_function=function).add(ids=["0", "1"], documents=["a dog", "a house"])
    code = (
        "import sys, chromadb, numpyclip.integrations.chroma\n"
        "texts = chromadb.PersistentClient(sys.argv[1]).get_collection('texts')\n"
        "print(texts.query(query_texts=['a puppy ' * 100], n_results=1)['documents'])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "store")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == "[['a dog']]\n"


def test_what_a_collection_records_makes_an_equal_function() -> None:
    load_options = {"low_memory": True, "pretrained": Path("weights") / "a.pt"}
    function = CLIPEmbeddingFunction(Path("models"), load_options=load_options, batch_size=3, truncate=True)
    config = json.loads(json.dumps(function.get_config()))
    recorded = {"low_memory": True, "pretrained": str(Path("weights") / "a.pt")}
    assert config == {"model": "models", "load_options": recorded, "batch_size": 3, "truncate": True}
    assert CLIPEmbeddingFunction.build_from_config(config).get_config() == config


def test_a_collection_keeps_its_model() -> None:
    function = CLIPEmbeddingFunction("tiny")
    config = function.get_config()
    with pytest.raises(InputError, match=r"^model: found 'RN50', but the collection has embeddings of 'tiny'\."):
        function.validate_config_update(config, {**config, "model": "RN50"})
    for name, value in {"pretrained": "openai", "text_model": "a", "activation": "gelu", "truncate_dim": 64}.items():
        with pytest.raises(InputError, match=rf"^{name}: found {value!r}, but the collection has embeddings of None\."):
            function.validate_config_update(config, {**config, "load_options": {name: value}})


def test_options_that_change_no_embedding_can_be_changed(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(str(tmp_path))
    function = CLIPEmbeddingFunction("tiny", load_options={"low_memory": True})
    collection = client.create_collection("texts", embedding_function=function)
    changed = CLIPEmbeddingFunction(
        "tiny", load_options={"download_root": tmp_path, "truncate_dim": None}, batch_size=1, truncate=True
    )
    collection.modify(configuration={"embedding_function": changed})
    found = chromadb.PersistentClient(str(tmp_path)).get_collection("texts").configuration["embedding_function"]
    assert found.get_config() == changed.get_config()
    with pytest.raises(InputError, match=r"^model: found 'RN50'"):
        collection.modify(configuration={"embedding_function": CLIPEmbeddingFunction("RN50")})


@pytest.mark.filterwarnings("ignore:legacy embedding function config:DeprecationWarning")
def test_a_loaded_model_is_not_recorded_but_used(client: Any, tiny: CLIP) -> None:
    function = CLIPEmbeddingFunction(tiny)
    assert function.is_legacy()
    client.create_collection("texts", embedding_function=function).add(ids=["0"], documents=["a dog"])
    collection = client.get_collection("texts", embedding_function=function)
    assert collection.query(query_texts=["a dog"])["distances"][0] == pytest.approx([0], abs=1e-6)


def test_images_are_loaded_as_their_exif_data_orients_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 480), "red").save(tmp_path / "red.jpg", exif=exif)
    Image.new("P", (5, 4)).save(tmp_path / "grey.png")
    found = ImageLoader()([str(tmp_path / "red.jpg"), None, str(tmp_path / "grey.png")])
    assert [None if image is None else image.shape for image in found] == [(640, 480, 3), None, (4, 5, 3)]
    (draft,) = ImageLoader(draft_size=128)([str(tmp_path / "red.jpg")])
    assert draft is not None
    assert draft.shape == (320, 240, 3)
    with pytest.raises(PictureError, match=r"gone\.jpg"):
        ImageLoader()([str(tmp_path / "gone.jpg")])


def test_a_loaded_image_has_the_embedding_of_its_file(tiny: CLIP, bird: Path) -> None:
    (image,) = ImageLoader()([str(bird)])
    assert image is not None
    assert np.array_equal(tiny.embed_images(image), tiny.embed_images(bird))
