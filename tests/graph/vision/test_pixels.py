"""Both forms of the input, in towers whose weights normalise pixels and in those that must see normalised ones."""

import numpy as np
import pytest

from numpyclip.graph import image_graph
from tests.families.test_parity import load
from tests.graph.runtime import run


@pytest.mark.parametrize(
    "name", ["open_clip-convnext", "open_clip-fastvit", "open_clip-worldwide_text", "timm-vitamin"]
)
def test_both_forms_give_the_same(name: str) -> None:
    model, _ = load(name)
    preprocess = model.preprocess
    pixels = np.random.default_rng(0).integers(0, 256, (2, *preprocess.sides, 3), np.uint8)
    mean, std = (np.array(part, np.float32) for part in (preprocess.mean, preprocess.std))
    values = ((pixels * np.float32(preprocess.scale) - mean) / std).transpose(0, 3, 1, 2)
    embeddings = model.encode_image(pixels)
    found = run(image_graph(model, pixels="pixel_values"), values)
    np.testing.assert_allclose(found, embeddings, atol=1e-5 * np.abs(embeddings).max())


def test_pixels_are_normalised_once_and_only_where_the_weights_cannot() -> None:
    """A convolution that is zero-padded needs normalised pixels; another undoes what the input has had."""
    for name, kind, expected in (
        ("open_clip-worldwide_text", "pixels", ["Transpose", "Cast", "Sub", "Mul", "Conv"]),
        ("open_clip-worldwide_text", "pixel_values", ["Conv"]),
        ("open_clip-convnext", "pixels", ["Transpose", "Cast", "Conv"]),
        ("open_clip-convnext", "pixel_values", ["Mul", "Add", "Conv"]),
    ):
        kinds = [node.op_type for node in image_graph(load(name)[0], pixels=kind).graph.node]  # type: ignore[arg-type]
        assert kinds[: len(expected)] == expected
