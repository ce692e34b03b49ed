"""LangChain: embeddings of texts and images, and a loader of images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from numpyclip.arguments import OnError, as_paths, error_handler
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.extras import missing
from numpyclip.images.exif import read_exif
from numpyclip.images.find import find_pictures
from numpyclip.images.open import Picture, file_content
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model, embed_texts

try:
    from langchain_core.document_loaders import BaseLoader
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.runnables.config import run_in_executor
except ImportError as error:
    raise missing("CLIPEmbeddings needs the package langchain-core", "langchain") from error


class CLIPEmbeddings(Embeddings):
    """Embed texts, queries and images into one space.

    Parameters
    ----------
    model : str, path or CLIP, default="ViT-B/32"
        As in `numpyclip.load`, loaded on first use; or a loaded model.
    load_options : mapping, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``.
    batch_size : int, default=32
        Number of images that are embedded together.
    truncate : bool, default=False
        Truncate texts that are too long, instead of raising an error.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | CLIP = DEFAULT_MODEL,
        *,
        load_options: Mapping[str, Any] | None = None,
        batch_size: int = BATCH_SIZE,
        truncate: bool = False,
    ) -> None:
        self.model = model
        self.load_options = load_options
        self.batch_size = batch_size
        self.truncate = truncate

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts, each at unit length."""
        embeddings: list[list[float]] = embed_texts(self._clip(), texts, self.truncate).tolist()
        return embeddings

    def embed_query(self, text: str) -> list[float]:
        """Embed a text as `embed_documents` does."""
        return self.embed_documents([text])[0]

    def embed_images(self, uris: Sequence[Picture]) -> list[list[float]]:
        """Embed images: paths, bytes, PIL images or arrays."""
        embeddings: list[list[float]] = self._clip().embed_images(uris, self.batch_size).tolist()
        return embeddings

    embed_image = embed_images  # the name by which vector stores of LangChain call it

    async def aembed_images(self, uris: Sequence[Picture]) -> list[list[float]]:
        """Embed images in a thread of LangChain's."""
        embeddings: list[list[float]] = await run_in_executor(None, self.embed_images, uris)
        return embeddings

    def _clip(self) -> CLIP:
        return as_model(self.model, self.load_options)


class ImageLoader(BaseLoader):
    """Load the paths, sizes and EXIF metadata of images in files and folders, without pixels.

    The content of a document is the path; its metadata are ``source`` (the path), ``width``, ``height``, and where
    they are known ``taken``, ``offset``, ``latitude``, ``longitude``, ``camera`` and ``lens``.

    Parameters
    ----------
    paths, ignore
        As in `numpyclip.find_pictures`.
    on_error : {"raise", "skip"} or callable, default="raise"
        What to do if an image cannot be read, or a folder cannot be listed.
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        ignore: str | Sequence[str] = (),
        *,
        on_error: OnError = "raise",
    ) -> None:
        self._found = find_pictures([*as_paths(paths)], ignore, on_error=on_error)  # a list can be loaded again
        self._handle = error_handler(on_error)

    def lazy_load(self) -> Iterator[Document]:
        """Yield a document for each image."""
        for path in map(os.fspath, self._found):
            try:
                with file_content(path) as data:
                    exif = asdict(read_exif(data, path))
            except PictureError as error:
                self._handle(error)
            else:
                known = {name: value for name, value in exif.items() if value is not None}
                yield Document(page_content=path, metadata={"source": path, **known})
