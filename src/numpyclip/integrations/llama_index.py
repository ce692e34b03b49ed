"""LlamaIndex: a multi-modal embedding model."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.extras import missing
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model, embed_texts, with_names

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
        As in `numpyclip.load`, loaded on first use; or a loaded model, of which `to_dict` records only a hash of the
        fingerprint: pass it again, as in ``from_dict(saved, model=model)``.
    load_options : dict, optional
        Keyword arguments of `numpyclip.load`, such as ``{"engine": "openvino"}``.
    truncate : bool, default=False
        Truncate texts that are too long, instead of raising an error.
    model_name : str, optional
        Name that LlamaIndex records and traces; by default the name in `model`, or ``"CLIP"`` for a loaded one.
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
        self.model_name = self.model_name or _name_of(self.model)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; with `model` the name that was made from it."""
        if name == "model" and self.model_name == _name_of(self.model):
            self.model_name = _name_of(value)
        super().__setattr__(name, value)

    @field_serializer("model")
    def _without_weights(self, model: Any) -> str:
        # Ingestion pipelines cache by this, so models must differ in it; a path would be of this machine only.
        if isinstance(model, CLIP):
            return f"loaded model {sha256(model.fingerprint.to_json().encode()).hexdigest()}"
        return str(model)

    @field_serializer("load_options")
    def _with_names(self, load_options: dict[str, Any] | None) -> dict[str, Any] | None:
        return load_options and with_names(load_options)

    def _clip(self) -> CLIP:
        return as_model(self.model, self.load_options)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        embeddings: list[list[float]] = embed_texts(self._clip(), texts, self.truncate).tolist()
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


def _name_of(model: Any) -> str:
    return type(model).__name__ if isinstance(model, CLIP) else str(model)
