"""Vision transformers for images of any shape."""

import numpy as np
import pytest

from numpyclip.graph import image_graph
from tests.families.test_parity import load
from tests.graph.runtime import in_onnxruntime


@pytest.mark.parametrize("kind", ["pixels", "pixel_values"])
def test_positions_are_interpolated_in_the_graph(kind: str) -> None:
    """To more and to fewer patches than there are positions, also in one row or column."""
    model, _ = load("transformers-siglip2")
    side = model.preprocess.patch_size or 0
    computed = in_onnxruntime(image_graph(model, pixels=kind))  # type: ignore[arg-type]
    for rows, columns in ((1, 1), (1, 9), (2, 1), (3, 3), (4, 7), (13, 2)):
        shape = (2, rows * side, columns * side, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        if kind == "pixel_values":
            pixels = (pixels.transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float32)
        embeddings = model.encode_image(pixels)
        np.testing.assert_allclose(computed(pixels), embeddings, atol=1e-5 * np.abs(embeddings).max())
