"""LangChain: its standard tests, as they are; images; a store of texts and images; documents of a folder."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError, TextTooLongError

pytest.importorskip("langchain_core", reason="the adapter needs langchain-core")

from langchain_core.vectorstores import InMemoryVectorStore

from numpyclip.integrations.langchain import CLIPEmbeddings, ImageLoader

try:
    from langchain_tests.integration_tests import EmbeddingsIntegrationTests
    from langchain_tests.unit_tests import EmbeddingsUnitTests
except ImportError:  # the standard tests of LangChain are a package of their own
    pass
else:

    class TestStandardUnit(EmbeddingsUnitTests):  # type: ignore[misc]
        @property
        def embeddings_class(self) -> type[CLIPEmbeddings]:
            return CLIPEmbeddings

        @property
        def embedding_model_params(self) -> dict[str, Any]:
            return {"model": "tiny"}

    class TestStandardIntegration(EmbeddingsIntegrationTests):  # type: ignore[misc]
        @property
        def embeddings_class(self) -> type[CLIPEmbeddings]:
            return CLIPEmbeddings

        @property
        def embedding_model_params(self) -> dict[str, Any]:
            return {"model": "tiny"}


@pytest.fixture
def folder(bird: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "within").mkdir(parents=True)
    shutil.copy(bird, folder / "within" / "bird.png")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110], exif[0x0132] = 6, "NIKON CORPORATION", "NIKON D750", "2024:05:01 12:30:00"
    Image.new("RGB", (80, 60), "red").save(folder / "red.jpg", exif=exif)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    return folder


def test_texts_queries_and_images_are_embedded_as_by_the_model(tiny: CLIP, bird: Path) -> None:
    embeddings = CLIPEmbeddings(tiny, batch_size=1)
    texts = ["a bird", "a house"]
    assert np.array_equal(np.array(embeddings.embed_documents(texts)), tiny.embed_texts(texts))
    assert np.array_equal(np.array(embeddings.embed_query("a bird")), tiny.embed_texts(["a bird"])[0])
    for images in (embeddings.embed_images([bird]), embeddings.embed_image(uris=[bird])):
        assert np.array_equal(np.array(images), tiny.embed_images([bird]))
    assert asyncio.run(embeddings.aembed_images([bird])) == embeddings.embed_images([bird])
    assert embeddings.embed_documents([]) == embeddings.embed_images([]) == []


def test_long_texts_are_truncated_by_choice(tiny: CLIP) -> None:
    long = "dog " * 100
    with pytest.raises(TextTooLongError, match=r"; shorten it, or create the embedder with truncate=True\.$"):
        CLIPEmbeddings(tiny).embed_query(long)
    assert len(CLIPEmbeddings(tiny, truncate=True).embed_query(long)) == 128


def test_a_store_of_langchains_finds_texts(tiny: CLIP) -> None:
    store = InMemoryVectorStore(CLIPEmbeddings(tiny))
    store.add_texts(["a church", "a dog", "a car"])
    (found,) = store.similarity_search("a puppy", k=1)
    assert found.page_content == "a dog"


def test_chroma_finds_images_by_text(tiny: CLIP, folder: Path) -> None:
    chroma = pytest.importorskip("langchain_chroma", exc_type=ImportError).Chroma
    store = chroma(embedding_function=CLIPEmbeddings(tiny))
    documents = ImageLoader(folder, on_error="skip").load()
    store.add_images([one.metadata["source"] for one in documents], [one.metadata for one in documents])
    (found,) = store.similarity_search("a bird", k=1)
    assert found.metadata["source"] == str(folder / "within" / "bird.png")


def test_a_folder_is_loaded_with_what_exif_data_says(folder: Path) -> None:
    errors: list[Exception] = []
    documents = ImageLoader([folder], on_error=errors.append).load()
    assert [one.page_content for one in documents] == [str(folder / "red.jpg"), str(folder / "within" / "bird.png")]
    assert documents[0].metadata == {
        "source": str(folder / "red.jpg"),
        "width": 60,
        "height": 80,
        "taken": "2024-05-01T12:30:00",
        "camera": "Nikon D750",
    }
    assert [type(error) for error in errors] == [PictureError]
    assert "broken.png" in str(errors[0])
    assert [one.page_content for one in ImageLoader(folder, "*.png").load()] == [str(folder / "red.jpg")]


def test_a_loader_is_loaded_again(folder: Path) -> None:
    loader = ImageLoader(path for path in [folder / "red.jpg"])
    assert len(loader.load()) == len(loader.load()) == 1


def test_a_broken_image_is_an_error_by_default(folder: Path) -> None:
    with pytest.raises(PictureError, match=r"broken\.png"):
        ImageLoader(folder).load()


def test_documents_are_loaded_one_by_one(folder: Path) -> None:
    async def sources() -> list[str]:
        return [one.page_content async for one in ImageLoader(folder, "broken*").alazy_load()]

    assert next(ImageLoader(folder / "red.jpg").lazy_load()).page_content == str(folder / "red.jpg")
    assert len(asyncio.run(sources())) == 2
