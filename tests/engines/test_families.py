"""Every family on every engine, in every precision: cosines to what the library of the family computed in float64."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpyclip.arguments import PRECISIONS, Precision
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.engine_tower import EngineTower
from numpyclip.engines.selection import ENGINES
from numpyclip.errors import EngineError
from tests.families.test_parity import load, with_record_of

# See docs/guides/engines.md.
LEAST_COSINES = {"float32": 1 - 1e-6, "float16": 0.9999, "bfloat16": 0.9995, "int8": 0.999}


def on_engine(model: CLIP, name: str, precision: Precision) -> CLIP:
    pytest.importorskip(name)
    pytest.importorskip("onnx")
    kind = ENGINES[name]
    if precision not in kind.devices["cpu"]:
        pytest.skip(f"{name} has no {precision} on the CPU")
    engine = kind("cpu", precision)
    try:
        engine.check()
    except EngineError as error:
        pytest.skip(str(error))
    tower = EngineTower(engine, None, model.config)
    return replace(model, _image_engine_tower=tower, _text_engine_tower=tower)


def least_cosine(found: Any, expected: Any) -> float:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((found.astype(float) * expected).sum(axis=1) / lengths).min())


@pytest.mark.exhaustive
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", ["encode_image", "encode_text"])
def test_families_are_what_their_libraries_compute(key: str, engine: str, precision: Precision) -> None:
    cosines = {}
    for name in with_record_of(key):
        model, golden = load(name)
        inputs = golden[key.removeprefix("encode_")]
        found = getattr(on_engine(model, engine, precision), key)(inputs)
        cosines[name] = least_cosine(found, golden[key])
    assert cosines
    assert {name: cosine for name, cosine in cosines.items() if cosine < LEAST_COSINES[precision]} == {}


@pytest.mark.exhaustive
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_pixels_are_embedded_as_by_numpy(engine: str, precision: Precision) -> None:
    """As `embed_images` passes them on; most families have recorded normalised ones."""
    cosines = {}
    for name in with_record_of("encode_image"):
        model, _ = load(name)
        pixels = np.random.default_rng(1).integers(0, 256, (3, *model.preprocess.sides, 3), np.uint8)
        found = on_engine(model, engine, precision).encode_image(pixels)
        cosines[name] = least_cosine(found, model.encode_image(pixels))
    assert cosines
    assert {name: cosine for name, cosine in cosines.items() if cosine < LEAST_COSINES[precision]} == {}
