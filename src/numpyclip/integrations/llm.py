"""LLM (the command `llm`): embedding models of texts and images, which replace llm-clip.

Every `llm` command imports it; the model, and NumPy, are loaded when something is embedded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from numpyclip.errors import NumPyCLIPError
from numpyclip.extras import missing
from numpyclip.weights.catalogue import available_models

try:
    import click
    import llm
except ImportError as error:
    raise missing("the plugin of llm needs the package llm", "llm") from error

MODEL_OF_LLM_CLIP = "ViT-B/32"  # collections record the name `clip`, so it stays, whatever other adapters take
SETTINGS = "numpyclip.json"


class EmbeddingError(NumPyCLIPError, click.ClickException):
    """An input cannot be embedded; commands of `llm` print the message."""


class CLIPEmbeddingModel(llm.EmbeddingModel):
    """Embed texts, truncated where they are too long, and the bytes of image files.

    Parameters
    ----------
    model_id : str
        The name that `llm` and its collections know.
    model : str
        As in `numpyclip.load`.
    load_options : mapping, optional
        Keyword arguments of `numpyclip.load`.
    """

    supports_text = True
    supports_binary = True
    batch_size = 100  # what `llm` takes where a model names none

    def __init__(self, model_id: str, model: str, load_options: Mapping[str, Any] | None = None) -> None:
        self.model_id = model_id
        self._model = model
        self._load_options = load_options

    def embed_batch(self, items: Iterable[str | bytes], key: str | None = None) -> Iterator[list[float]]:
        """Embed texts and images; EmbeddingError if one cannot be."""
        from numpyclip.integrations.embedder import as_model, embed

        try:
            yield from embed(as_model(self._model, self._load_options), items, truncate=True).tolist()
        except NumPyCLIPError as error:
            raise EmbeddingError(str(error)) from error


@llm.hookimpl
def register_embedding_models(register: Callable[[llm.EmbeddingModel], None]) -> None:
    """Register `clip`, `clip/NAME` of OpenAI's other models and `tiny`, and the user's own names, which go first."""
    models = {"clip": MODEL_OF_LLM_CLIP, **{f"clip/{name}": name for name in available_models()}}
    for model in ({name: CLIPEmbeddingModel(name, model) for name, model in models.items()} | _named()).values():
        register(model)


def _named() -> dict[str, CLIPEmbeddingModel]:
    """Read the user's own names of models; errors in them stop no other command of `llm`."""
    path = llm.user_dir() / SETTINGS
    try:
        settings = json.loads(path.read_text("utf-8"))
        options = {name: {"model": one} if isinstance(one, str) else one for name, one in settings.items()}
        return {name: CLIPEmbeddingModel(name, **one) for name, one in options.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        expected = '{"NAME": "MODEL"} or {"NAME": {"model": "MODEL", "load_options": {...}}}'
        click.echo(f"{path}: is ignored ({error}); expected {expected}.", err=True)
        return {}
