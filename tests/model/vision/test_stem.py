from pathlib import Path

import numpy as np

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.stem import ConvStem
from numpyclip.runtime.weight_store import WeightStore
from numpyclip.weights.checkpoint import Checkpoint

RANDOM = np.random.default_rng(3)
EPS = 1e-5


def strided(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A convolution, square after square, side by side: (c, y, x), (e, c, p, p) -> (e, y / p, x / p)."""
    p = weight.shape[-1]
    out = np.empty((len(weight), x.shape[1] // p, x.shape[2] // p))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = np.einsum("ecij,cij->e", weight, x[:, i * p : i * p + p, j * p : j * p + p])
    return out


def test_the_stem_is_two_convolutions_of_squares_side_by_side() -> None:
    arrays: dict[str, Array] = {
        name: RANDOM.normal(0, 0.25, shape).astype(np.float32) for name, shape in ConvStem.tensors("stem", 6)
    }
    for layer in ("stem.0", "stem.1"):
        arrays[f"{layer}.bn.running_var"] = np.abs(arrays[f"{layer}.bn.running_var"]) + np.float32(0.1)
    preprocess = Preprocess(32, mean=(0.1, 0.2, 0.3), std=(0.3, 0.2, 0.1))
    stem = ConvStem.read(WeightStore(Checkpoint(Path("file"), arrays)), "stem", preprocess)
    pixels = RANDOM.integers(0, 256, (2, 3, 32, 48)).astype(np.float32)
    ours = stem(feature_maps.patches(pixels, 16))  # (6 2 2, 2, 6)
    mean, std = (np.array(values).reshape(3, 1, 1) for values in (preprocess.mean, preprocess.std))
    for picture in range(2):
        x = (pixels[picture].astype(float) / 255 - mean) / std
        for layer in ("stem.0", "stem.1"):
            x = strided(x, arrays[f"{layer}.conv.weight"].astype(float))
            norm = {part: arrays[f"{layer}.bn.{part}"].astype(float).reshape(-1, 1, 1) for part in NORM}
            x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + EPS) * norm["weight"] + norm["bias"]
            x = ops.gelu(x.astype(np.float32)).astype(float)
        expected = x.reshape(6, 2, 2, 3, 2).transpose(0, 2, 4, 1, 3).reshape(6 * 4, 6)
        np.testing.assert_allclose(ours[:, picture], expected, atol=1e-5 * np.abs(expected).max())


NORM = ("weight", "bias", "running_mean", "running_var")
