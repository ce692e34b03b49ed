"""Branches added up: the one convolution must do what all of them do, each written out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops, reparameterize
from numpyclip.model.ops import Array
from numpyclip.model.vision import feature_maps
from numpyclip.weights.checkpoint import Checkpoint

Wide = NDArray[np.float64]
RANDOM = np.random.default_rng(5)


def checkpoint_of(tensors: expected.Tensors) -> Checkpoint:
    """Random tensors, with variances that are positive."""
    arrays = {name: RANDOM.standard_normal(shape).astype(np.float32) for name, shape in tensors}
    for name, array in arrays.items():
        if name.endswith("running_var"):
            np.abs(array, out=array)
    return Checkpoint(Path("forged"), arrays)


def norm(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    weight, bias, mean, var = (
        checkpoint.arrays[f"{name}.{field}"].astype(float).reshape(-1, 1, 1, 1)
        for field in ("weight", "bias", "running_mean", "running_var")
    )
    y: Wide = (x - mean) / np.sqrt(var + 1e-5) * weight + bias
    return y


def convolve(weight: Wide, x: Wide) -> Wide:
    """Weights (e, c, k, k), or (e, 1, k, k) of channels by themselves, written out in float64."""
    k = weight.shape[2]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))
    dense = weight.shape[1] == len(x)
    repeated = windows if dense else np.repeat(windows, len(weight) // len(x), axis=0)
    y: Wide = np.einsum("cyxbij,ecij->eyxb" if dense else "eyxbij,ecij->eyxb", repeated, weight)
    return y


def normed(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    weight = checkpoint.arrays[f"{name}.conv.weight"].astype(float)
    return norm(checkpoint, f"{name}.bn", convolve(weight.reshape(*weight.shape[:2], *(weight.shape[2:] or (1, 1))), x))


def mobile_one(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    y = normed(checkpoint, f"{name}.conv_kxk.0", x)
    if f"{name}.conv_scale.conv.weight" in checkpoint:
        y = y + normed(checkpoint, f"{name}.conv_scale", x)
    if f"{name}.identity.weight" in checkpoint:
        y = y + norm(checkpoint, f"{name}.identity", x)
    return y


def rep_mixer(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    scale = checkpoint.arrays[f"{name}.layer_scale.gamma"].astype(float).reshape(-1, 1, 1, 1)
    y: Wide = x + scale * (mobile_one(checkpoint, f"{name}.mixer", x) - norm(checkpoint, f"{name}.norm.identity", x))
    return y


def large_kernel(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    y: Wide = normed(checkpoint, f"{name}.large_conv", x) + normed(checkpoint, f"{name}.small_conv", x)
    return y


def position(checkpoint: Checkpoint, name: str, x: Wide) -> Wide:
    weight, bias = (checkpoint.arrays[f"{name}.pos_enc.{part}"].astype(float) for part in ("weight", "bias"))
    y: Wide = x + convolve(weight, x) + bias.reshape(-1, 1, 1, 1)
    return y


Kind = tuple[expected.Tensors, reparameterize.Prepare, Callable[[Checkpoint, str, Wide], Wide]]
KINDS: dict[str, Callable[[], Kind]] = {
    "dense, 3 by 3": lambda: (
        reparameterize.mobile_one("at", (6, 4, 3, 3), scale=True, identity=False),
        reparameterize.add_mobile_one,
        mobile_one,
    ),
    "dense, one pixel": lambda: (
        reparameterize.mobile_one("at", (4, 4), scale=False, identity=True),
        reparameterize.add_mobile_one,
        mobile_one,
    ),
    "by channel": lambda: (
        reparameterize.mobile_one("at", (4, 1, 3, 3), scale=True, identity=True),
        reparameterize.add_mobile_one,
        mobile_one,
    ),
    "by channel, two outputs": lambda: (
        reparameterize.mobile_one("at", (8, 1, 3, 3), scale=True, identity=False),
        reparameterize.add_mobile_one,
        mobile_one,
    ),
    "mixer": lambda: (
        reparameterize.rep_mixer("at", (4, 1, 3, 3), scale=True),
        reparameterize.add_rep_mixer,
        rep_mixer,
    ),
    "large kernel": lambda: (reparameterize.large_kernel("at", 8), reparameterize.add_large_kernel, large_kernel),
    "position": lambda: (reparameterize.position("at", 4), reparameterize.add_position, position),
}


def apply(weight: Array, bias: Array, x: Array) -> Array:
    if weight.ndim == 2:
        return ops.linear(x, weight, bias)
    if weight.shape[1] == 1:
        return feature_maps.convolve_channels(x, weight[:, 0], bias)
    return feature_maps.convolve3x3(x, weight.reshape(len(weight), -1), bias)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_of_branches_does_what_all_of_them_do(kind: str) -> None:
    tensors, add, written_out = KINDS[kind]()
    checkpoint = checkpoint_of(tensors)
    x = RANDOM.standard_normal((4, 9, 6, 2)).astype(np.float32)
    expected = written_out(checkpoint, "at", x.astype(float))
    result = apply(*reparameterize.fuse(checkpoint, "at", add), x)
    assert result.dtype == np.float32
    assert np.abs(result - expected).max() <= 2e-6 * np.abs(expected).max()


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, make in KINDS.items() for name, _ in make()[0]])
def test_every_tensor_of_every_branch_counts(kind: str, name: str) -> None:
    tensors, add, _ = KINDS[kind]()
    checkpoint = checkpoint_of(tensors)
    before = reparameterize.fuse(checkpoint, "at", add)
    other = Checkpoint(checkpoint.path, {**checkpoint.arrays, name: checkpoint.arrays[name] * np.float32(1.5)})
    after = reparameterize.fuse(other, "at", add)
    assert any(np.abs(new - old).max() > 1e-3 for new, old in zip(after, before, strict=True))


def test_the_checkpoint_is_left_alone() -> None:
    for make in KINDS.values():
        tensors, add, _ = make()
        checkpoint = checkpoint_of(tensors)
        before = {name: array.copy() for name, array in checkpoint.arrays.items()}
        reparameterize.fuse(checkpoint, "at", add)
        assert all(np.array_equal(array, before[name]) for name, array in checkpoint.arrays.items())


def test_what_is_one_already_is_listed_and_taken_as_it_is() -> None:
    one = reparameterize.either(Checkpoint(Path("f"), {}), "at", (4, 1, 7, 7), reparameterize.position("at", 4))
    assert [name for name, _ in one] == ["at.pos_enc.weight", "at.pos_enc.bias"]
    expected = np.ones((4, 1, 7, 7), np.float32), np.ones(4, np.float32)
    arrays = dict(zip(("at.reparam_conv.weight", "at.reparam_conv.bias"), expected, strict=True))
    checkpoint = Checkpoint(Path("f"), arrays)
    one = reparameterize.either(checkpoint, "at", (4, 1, 7, 7), reparameterize.position("at", 4))
    assert dict(one) == {"at.reparam_conv.weight": (4, 1, 7, 7), "at.reparam_conv.bias": (4,)}
    for taken, array in zip(reparameterize.fuse(checkpoint, "at", reparameterize.add_position), expected, strict=True):
        assert np.array_equal(taken, array)
