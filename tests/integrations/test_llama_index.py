"""LlamaIndex: texts and images in batches, a multi-modal index, and a model that is saved by its name."""

import asyncio
import io
import pickle
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import ModelNotFoundError, PictureError, TextTooLongError

pytest.importorskip("llama_index.core", reason="the adapter needs llama-index-core")

from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import ImageNode, TextNode

from numpyclip.integrations.llama_index import CLIPEmbedding

TEXTS = ["a bird", "a house", "a dog"]


def test_texts_queries_and_images_are_embedded_as_by_the_model(tiny: CLIP, bird: Path) -> None:
    embedding = CLIPEmbedding(model=tiny)
    texts, image = tiny.embed_texts(TEXTS), tiny.embed_images([bird])
    assert np.array_equal(np.float32(embedding.get_text_embedding_batch(TEXTS)), texts)
    assert np.array_equal(np.float32(embedding.get_image_embedding(str(bird))), image[0])
    in_memory = [io.BytesIO(bird.read_bytes()), str(bird)]
    np.testing.assert_allclose(embedding.get_image_embedding_batch(in_memory), image[[0, 0]], atol=1e-6)
    np.testing.assert_allclose(embedding.get_query_embedding("a bird"), texts[0], atol=1e-6)
    assert embedding.get_text_embedding("a bird") == embedding.get_query_embedding("a bird")


def test_coroutines_give_the_same(tiny: CLIP, bird: Path) -> None:
    embedding = CLIPEmbedding(model=tiny)

    async def compare() -> None:
        assert await embedding.aget_text_embedding_batch(TEXTS) == embedding.get_text_embedding_batch(TEXTS)
        assert await embedding.aget_query_embedding("a dog") == embedding.get_query_embedding("a dog")
        assert await embedding.aget_text_embedding("a dog") == embedding.get_text_embedding("a dog")
        images = [str(bird)] * 2
        assert await embedding.aget_image_embedding_batch(images) == embedding.get_image_embedding_batch(images)
        assert await embedding.aget_image_embedding(str(bird)) == embedding.get_image_embedding(str(bird))

    asyncio.run(compare())


def test_inputs_are_embedded_in_batches(bird: Path, batch_sizes: list[int]) -> None:
    CLIPEmbedding(model="tiny", embed_batch_size=2).get_image_embedding_batch([str(bird)] * 5)
    assert batch_sizes == [2, 2, 1]
    assert CLIPEmbedding().embed_batch_size == 32


def test_an_index_of_texts_and_images_answers_offline(tiny: CLIP, bird: Path, tmp_path: Path) -> None:
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    images = [
        ImageNode(image_path=str(path), metadata={"file_path": str(path)}) for path in (tmp_path / "red.png", bird)
    ]
    texts = [TextNode(text=text) for text in ("a church", "a puppy", "a car")]
    embedding = CLIPEmbedding(model=tiny)
    index = MultiModalVectorStoreIndex([*texts, *images], embed_model=embedding, image_embed_model=embedding)
    retriever = index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)
    (found,) = retriever.text_to_image_retrieve("a bird")
    assert found.node.image_path == str(bird)
    (found,) = retriever.text_retrieve("a dog")
    assert found.node.text == "a puppy"
    (found,) = retriever.image_to_image_retrieve(str(bird))
    assert found.node.image_path == str(bird)


def test_it_is_saved_by_its_name(tmp_path: Path) -> None:
    saved = CLIPEmbedding(model="tiny", truncate=True, load_options={"low_memory": True}).to_dict()
    assert (saved["class_name"], saved["model"], saved["model_name"]) == ("numpyclip", "tiny", "tiny")
    again = CLIPEmbedding.from_dict(saved)
    assert (again.model, again.truncate, again.load_options) == ("tiny", True, {"low_memory": True})
    assert CLIPEmbedding(model=tmp_path).to_dict()["model"] == str(tmp_path)
    assert len(pickle.dumps(again)) < 10_000


def test_a_loaded_model_is_saved_by_its_fingerprint_and_passed_again(tiny: CLIP) -> None:
    embedding = CLIPEmbedding(model=tiny)
    assert embedding.model is tiny
    saved = embedding.to_dict()
    assert saved["model"] == f"loaded model {sha256(tiny.fingerprint.to_json().encode()).hexdigest()}"
    assert saved["model_name"] == embedding.to_payload()["model_name"] == "CLIP"
    assert str(Path(__file__).parents[2]) not in embedding.to_json()
    assert CLIPEmbedding.from_dict(saved, model=tiny).model is tiny
    with pytest.raises(ModelNotFoundError, match=r"Model 'loaded model \w{64}' not found"):
        CLIPEmbedding.from_dict(saved).get_query_embedding("a dog")


def test_loaded_models_that_differ_are_cached_apart(tiny: CLIP) -> None:
    with pytest.warns(UserWarning, match="truncate"):
        shorter = numpyclip.load("tiny", truncate_dim=64)[0]
    of_copy = get_transformation_hash([], CLIPEmbedding(model=numpyclip.load("tiny")[0]))
    assert get_transformation_hash([], CLIPEmbedding(model=tiny)) == of_copy
    assert get_transformation_hash([], CLIPEmbedding(model=shorter)) != of_copy


def test_the_name_follows_the_model_unless_it_was_given(tiny: CLIP) -> None:
    embedding, named = CLIPEmbedding(model="RN50"), CLIPEmbedding(model="RN50", model_name="ours")
    for model, name in (("tiny", "tiny"), (tiny, "CLIP"), (Path("a.pt"), "a.pt")):
        embedding.model = named.model = model
        assert (embedding.model, embedding.model_name, named.model_name) == (model, name, "ours")


def test_paths_among_the_options_are_saved_as_strings() -> None:
    saved = CLIPEmbedding(model="ViT-B-32", load_options={"pretrained": Path("a.pt"), "low_memory": True}).to_json()
    assert CLIPEmbedding.from_json(saved).load_options == {"pretrained": "a.pt", "low_memory": True}


def test_what_cannot_be_embedded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TextTooLongError, match=r"; shorten it, or create the embedder with truncate=True\.$"):
        CLIPEmbedding(model="tiny").get_query_embedding("dog " * 100)
    assert len(CLIPEmbedding(model="tiny", truncate=True).get_query_embedding("dog " * 100)) == 128
    with pytest.raises(PictureError, match=r"gone\.png"):
        CLIPEmbedding(model="tiny").get_image_embedding(str(tmp_path / "gone.png"))
