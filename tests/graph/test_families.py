"""Every family, as a graph: what runtimes compute of it is what the towers compute, or it is refused by name.

The tolerance is that of two libraries that add in different orders: float32 has 6e-8 per operation.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.graph import image_graph, text_graph
from tests.families.test_parity import load, with_record_of
from tests.graph.runtime import in_onnxruntime, in_openvino

Runtime: TypeAlias = Callable[[Any], Callable[[np.ndarray], np.ndarray]]

TOLERANCE = 1e-5
LOWER = [("float16", 0.99999), ("bfloat16", 0.9998), ("int8", 0.999)]
RUNTIMES = [in_onnxruntime, pytest.param(in_openvino, marks=pytest.mark.exhaustive)]

# What has no graph yet. A family that is added later is complete when it has one.
REFUSED = (
    "Bert",
    "M2M100",
    "MCT",
    "RelativeBert",
    "T5",
)


def refused(error: InputError) -> str:
    """Which of those it is; the message must name it."""
    (name,) = [name for name in REFUSED if f" {name} " in str(error)]
    return name


def assert_near(graphs: np.ndarray, towers: np.ndarray) -> None:
    assert graphs.dtype == np.float32
    assert graphs.shape == towers.shape
    assert np.abs(graphs - towers).max() <= TOLERANCE * np.abs(towers).max()


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    unit = [part / np.linalg.norm(part.astype(np.float64), axis=1, keepdims=True) for part in (x, y)]
    return np.asarray((unit[0] * unit[1]).sum(axis=1))


@pytest.mark.parametrize("name", with_record_of("encode_image"))
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_images(name: str, runtime: Runtime) -> None:
    model, _ = load(name)
    try:
        graph = image_graph(model)
    except InputError as error:
        pytest.skip(f"refused: {refused(error)}")
    computed = runtime(graph)
    pixels = np.random.default_rng(1).integers(0, 256, (3, *model.preprocess.sides, 3), np.uint8)
    for batch in (pixels, pixels[:1]):
        assert_near(computed(batch), model.encode_image(batch))


@pytest.mark.parametrize("name", with_record_of("encode_text"))
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_texts(name: str, runtime: Runtime) -> None:
    model, golden = load(name)
    try:
        graph = text_graph(model)
    except InputError as error:
        pytest.skip(f"refused: {refused(error)}")
    computed = runtime(graph)
    ids, config = golden["text"], model.config.text
    assert config is not None
    lengths = {max(length, config.least_length) for length in (ids.shape[1], int(config.lengths(ids)[0]))}
    for length in lengths:
        for batch in (ids[:, :length], ids[:1, :length]):
            embeddings = computed(batch.astype(np.int64))
            assert_near(embeddings, model.encode_text(batch))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", with_record_of("encode_text"))
@pytest.mark.parametrize("runtime", [in_onnxruntime, in_openvino])
@pytest.mark.parametrize(("precision", "cosine"), LOWER)
def test_texts_in_lower_precision(name: str, runtime: Runtime, precision: Any, cosine: float) -> None:
    model, golden = load(name)
    try:
        graph = text_graph(model, precision=precision)
    except InputError as error:
        pytest.skip(f"refused: {refused(error)}")
    assert cosines(runtime(graph)(golden["text"].astype(np.int64)), golden["encode_text"]).min() > cosine


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", with_record_of("encode_image"))
@pytest.mark.parametrize("runtime", [in_onnxruntime, in_openvino])
@pytest.mark.parametrize(("precision", "cosine"), LOWER)
def test_images_in_lower_precision(name: str, runtime: Runtime, precision: Any, cosine: float) -> None:
    model, _ = load(name)
    try:
        graph = image_graph(model, precision=precision)
    except InputError as error:
        pytest.skip(f"refused: {refused(error)}")
    pixels = np.random.default_rng(1).integers(0, 256, (3, *model.preprocess.sides, 3), np.uint8)
    assert cosines(runtime(graph)(pixels), model.encode_image(pixels)).min() > cosine


def test_no_family_is_said_to_be_refused_that_has_a_graph() -> None:
    seen = set()
    for key, graph_of in (("encode_image", image_graph), ("encode_text", text_graph)):
        for name in with_record_of(key):
            try:
                graph_of(load(name)[0])
            except InputError as error:
                seen.add(refused(error))
    assert seen == set(REFUSED)
