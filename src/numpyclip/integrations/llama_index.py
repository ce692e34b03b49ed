"""LlamaIndex: a multi-modal embedding model."""

from __future__ import annotations

import asyncio
from typing import Any

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.extras import missing
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model

try:
    from llama_index.core.bridge.pydantic import Field, field_serializer, model_validator
    from llama_index.core.embeddings import MultiModalEmbedding
    from llama_index.core.schema import ImageType
except ImportError as error:
    raise missing("CLIPEmbedding needs the package llama-index-core", "llama-index") from error


class CLIPEmbedding(MultiModalEmbedding):
    """Embed texts, queries and images (paths or open files) into one space, at unit length, in batches.

    Parameters
    ----------
    model : str, path or CLIP, default="ViT-B/32"
        As in `numpyclip.load`, loaded when it is first used; or a loaded model, whose name `to_dict` cannot tell.
    load_options : dict, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``.
    truncate : bool, default=False
        Truncate texts that are too long, instead of raising an error.
    model_name : str, optional
        What LlamaIndex records; by default that of `model`.
    embed_batch_size : int, default=32
        Number of texts or images that are embedded together.
    """

    model: Any = DEFAULT_MODEL
    model_name: str = ""
    load_options: dict[str, Any] | None = None
    truncate: bool = False
    embed_batch_size: int = Field(default=BATCH_SIZE, gt=0, le=2048)

    @classmethod
    def class_name(cls) -> str:
        """Return the name by which LlamaIndex records this class."""
        return "numpyclip"

    @model_validator(mode="after")
    def _name(self) -> CLIPEmbedding:
        self.model_name = self.model_name or str(self.model)
        return self

    @field_serializer("model")
    def _without_weights(self, model: Any) -> str:
        return str(model)

    def _clip(self) -> CLIP:
        return as_model(self.model, self.load_options)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        embeddings: list[list[float]] = self._clip().embed_texts(texts, truncate=self.truncate).tolist()
        return embeddings

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embeddings([query])[0]

    def _get_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        embeddings: list[list[float]] = self._clip().embed_images(img_file_paths, self.embed_batch_size).tolist()
        return embeddings

    def _get_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return self._get_image_embeddings([img_file_path])[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._aget_text_embeddings([query]))[0]

    async def _aget_image_embeddings(self, img_file_paths: list[ImageType]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_image_embeddings, img_file_paths)

    async def _aget_image_embedding(self, img_file_path: ImageType) -> list[float]:
        return (await self._aget_image_embeddings([img_file_path]))[0]
