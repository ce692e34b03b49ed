"""Models that are loaded once for all who use them, and unloaded when nobody does."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError
from numpyclip.runtime.lazy import Lazy
from numpyclip.server import ModelSource
from numpyclip.server.inference.model_on_demand import ModelOnDemand


class Loads:
    """Loads the embedded model, and counts how often; the first so many times it fails."""

    def __init__(self, failures: int = 0) -> None:
        self.count = 0
        self.models: list[weakref.ref[CLIP]] = []
        self._failures = failures

    def __call__(self) -> CLIP:
        self.count += 1
        if self.count <= self._failures:
            raise CheckpointError("tiny: is damaged.")
        model, _ = numpyclip.load("tiny")
        self.models.append(weakref.ref(model))
        return model


def test_many_threads_load_it_once(tiny: CLIP) -> None:
    loads, barrier = Loads(), threading.Barrier(8)
    model = ModelOnDemand(ModelSource("tiny", loads))

    def embed(_: int) -> np.ndarray:
        barrier.wait(60)
        return model.embed_texts(["a bird"])

    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(embed, range(8)))
    assert loads.count == 1
    np.testing.assert_allclose(np.concatenate(rows), np.tile(tiny.embed_texts("a bird"), (8, 1)), atol=1e-6)


def test_it_is_freed_when_nobody_uses_it_and_never_before() -> None:
    model = ModelOnDemand(ModelSource("tiny", loads := Loads()))
    with model.loaded() as used:
        assert not model.unload(0)
        assert used.embed_texts("a bird").shape == (1, 128)
        del used
    assert not model.unload(3600)
    assert model.unload(0)
    assert not model.unload(0)
    assert loads.models[0]() is None
    assert model.embed_texts(["a bird"]).shape == (1, 128)
    assert loads.count == 2


def test_what_holds_no_weights_is_known_without_loading_it_again(tiny: CLIP) -> None:
    model = ModelOnDemand(ModelSource("tiny", loads := Loads()))
    assert (model.config, model.fingerprint) == (tiny.config, tiny.fingerprint)
    assert model.preprocess == tiny.preprocess
    assert model.unload(0)
    assert loads.models[0]() is None
    assert (model.config.embed_dim, model.fingerprint) == (128, tiny.fingerprint)
    assert not model.is_loaded
    assert loads.count == 1


def test_a_load_that_fails_is_tried_again() -> None:
    model = ModelOnDemand(ModelSource("tiny", loads := Loads(failures=1)))
    with pytest.raises(CheckpointError, match="is damaged"):
        model.embed_texts(["a bird"])
    assert model.embed_texts(["a bird"]).shape == (1, 128)
    assert loads.count == 2


def test_its_embeddings_stay_what_an_index_was_found_to_fit(tiny: CLIP) -> None:
    sources = [tiny, replace(tiny, _fingerprint=Lazy(lambda: replace(tiny.fingerprint, weights="other"))), tiny]
    model = ModelOnDemand(ModelSource("tiny", lambda: sources.pop(0)))
    assert model.fingerprint == tiny.fingerprint
    assert model.unload(0)
    with pytest.raises(CheckpointError, match=r"tiny: its files were replaced, .* restart the server"):
        model.embed_texts(["a bird"])
    assert not model.is_loaded
    assert model.embed_texts(["a bird"]).shape == (1, 128)  # they are there again


def test_nobody_looks_often_for_a_model_that_cannot_be_unloaded() -> None:
    model = ModelOnDemand(ModelSource("tiny", Loads()))
    assert model.seconds_left(0.0) == 0.0
    assert model.seconds_left(-5.0) == -5.0
    with model.loaded():
        assert model.seconds_left(0.0) == 0.0
    assert model.seconds_left(0.0) < 0
