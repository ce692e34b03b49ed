"""LangChain: embeddings of texts and images, and a loader of images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from numpyclip.arguments import OnError, error_handler
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import NumPyCLIPError
from numpyclip.images.exif import read_exif
from numpyclip.images.find import find_pictures
from numpyclip.images.open import Picture
from numpyclip.integrations.embedder import BATCH_SIZE, DEFAULT_MODEL, as_model, missing
from numpyclip.regular_file import read_regular

try:
    from langchain_core.document_loaders import BaseLoader
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.runnables.config import run_in_executor
except ImportError as error:
    raise missing("CLIPEmbeddings and ImageLoader", "langchain", error) from error
