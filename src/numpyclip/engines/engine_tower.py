"""A tower of a model on an engine: graphs that are compiled when they are needed, and batches of inputs for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.engines.compiled import open_or_compile
from numpyclip.engines.engine import Engine, Session
from numpyclip.errors import EngineError
from numpyclip.model.config import CLIPConfig
from numpyclip.model.ops import Array
from numpyclip.runtime import threads
from numpyclip.runtime.chunks import Texts, equal_parts
from numpyclip.runtime.lazy import Guarded

if TYPE_CHECKING:
    from numpyclip.graph.build import Model
    from numpyclip.graph.read import Input
    from numpyclip.graph.weight_file import WeightFile

_MOST_TOKENS = 1600  # in a batch on a processor: activations stay in its cache
_MOST_TOKENS_ELSEWHERE = 65536  # on a device with many more cores

_of_parents: list[object] = []  # sessions of the process that this one was forked from, whose threads do not exist here


class EngineTower(Guarded):
    """The image tower or the text tower of a model, compiled by an engine.

    Sessions are used by one thread at a time, since they have threads of their own: as many as NumPy's would be. They
    are made anew if that number changes, in a forked process and in an unpickled copy. Images of one patch have one of
    their own: OpenVINO (2026.4) would then compute images of more patches wrongly.

    Parameters
    ----------
    engine : Engine
    identity : str or None
        Of the checkpoint; None: compiled graphs are not cached on disk.
    config : CLIPConfig
    graph : Path, optional
        A file that has the graph already.
    """

    def __init__(self, engine: Engine, identity: str | None, config: CLIPConfig, graph: Path | None = None) -> None:
        self.engine = engine
        self._identity = identity
        self._config = config
        self.graph = graph
        self._sessions: dict[tuple[Input, bool, int], Session] = {}
        super().__init__()

    def renew_lock(self) -> None:
        """Make sessions anew in a forked process."""
        super().renew_lock()
        _of_parents.extend(self._sessions.values())
        self._sessions = {}

    def __reduce__(self) -> tuple[object, ...]:
        return EngineTower, (self.engine, self._identity, self._config, self.graph)

    def embed_images(self, image: NDArray[Any], cost: int, model: Callable[[], Model]) -> Array:
        """Embed images (b, 3, y, x), or (b, y, x, 3) of uint8, which cost so many tokens each: -> (b, e)."""
        kind: Input = "pixels" if image.dtype == np.uint8 else "pixel_values"
        embeddings = np.empty((len(image), self._config.embed_dim), np.float32)
        for rows in equal_parts(len(image), cost, self._most_tokens):
            embeddings[rows] = self._compute(kind, image[rows], model)
        return embeddings

    def embed_texts(self, ids: NDArray[np.integer], model: Callable[[], Model]) -> Array:
        """Embed texts (b, n), each once and without padding: -> (b, e)."""
        config = self._config.text
        assert config is not None
        texts = Texts.of(ids, config.lengths, config.pad_id)
        embeddings = np.empty((len(texts.rows), self._config.embed_dim), np.float32)
        for part in texts.parts(self._most_tokens):
            embeddings[part] = self._compute("input_ids", texts.rows[part, : texts.lengths[part[0]]], model)
        of_all: Array = embeddings[texts.copies]
        return of_all

    @property
    def _most_tokens(self) -> int:
        return _MOST_TOKENS if self.engine.device == "cpu" else _MOST_TOKENS_ELSEWHERE

    def _compute(self, kind: Input, inputs: NDArray[Any], model: Callable[[], Model]) -> Array:
        count = threads.count() if self.engine.device == "cpu" else 0
        is_patch = kind != "input_ids" and inputs[0].size == 3 * (self._config.preprocess.patch_size or 0) ** 2
        key = kind, is_patch, count
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                self._sessions = {key: session for key, session in self._sessions.items() if key[-1] == count}
                parts = (self._identity if self.engine.can_cache else None, kind, self._config)
                session = open_or_compile(self.engine, parts, partial(self._make_graph, kind, model), count)
                self._sessions[key] = session
            embeddings = session(inputs)
        if embeddings.shape != (len(inputs), self._config.embed_dim):
            remedy = " Export the model again." if self.graph else ""
            raise EngineError(
                f"{self.graph or self.engine}: returned an array of shape {embeddings.shape} for {len(inputs)} "
                f"inputs; expected {(len(inputs), self._config.embed_dim)}.{remedy}"
            )
        return embeddings

    def _make_graph(self, kind: Input, model: Callable[[], Model], weights: WeightFile) -> Any:
        from numpyclip.graph import image_graph, read_graph, text_graph  # slow: a cached start does without

        if self.graph is not None:
            return read_graph(self.graph, kind, self._config, weights)
        if kind == "input_ids":
            return text_graph(model(), precision=self.engine.precision, weights=weights)
        return image_graph(model(), precision=self.engine.precision, pixels=kind, weights=weights)
