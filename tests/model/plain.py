"""The plain way to compute both towers: one row per token, every step written out, nothing prepared or left out.

It is the oracle of the fast way. That it is right itself is tested against what openai/CLIP computes at every stage.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from numpyclip.model import ops
from numpyclip.model.config import EPS, CLIPConfig, ResNetConfig, VisionTransformerConfig
from numpyclip.model.ops import Array
from numpyclip.weights.checkpoint import Checkpoint

Stages = Iterator[tuple[str, Array]]  # names as in openai/CLIP's modules; the last is the embedding


def vision_stages(checkpoint: Checkpoint, config: CLIPConfig, image: Array) -> Stages:
    if isinstance(config.vision, ResNetConfig):
        yield from resnet_stages(checkpoint, config.vision, image)
    else:
        assert isinstance(config.vision, VisionTransformerConfig)
        yield from transformer_stages(checkpoint, config, config.vision, image)


def transformer_stages(
    checkpoint: Checkpoint, config: CLIPConfig, vision: VisionTransformerConfig, image: Array
) -> Stages:
    w, p = checkpoint.take, vision.patch_size
    b, c, y, x_ = image.shape
    patches = image.reshape(b, c, y // p, p, x_ // p, p).transpose(0, 2, 4, 1, 3, 5).reshape(b, -1, c * p * p)
    x = patches @ w("visual.conv1.weight").reshape(vision.width, -1).T
    yield "visual.conv1", x
    first = np.broadcast_to(w("visual.class_embedding"), (b, 1, vision.width))
    x = np.concatenate([first, x], axis=1) + w("visual.positional_embedding")
    x = layer_norm(checkpoint, "visual.ln_pre", x)
    yield "visual.ln_pre", x
    for index in range(vision.layers):
        name = f"visual.transformer.resblocks.{index}"
        x = block(checkpoint, name, x, vision.heads, vision.activation)
        yield name, x
    x = layer_norm(checkpoint, "visual.ln_post", x[:, 0])
    yield "visual.ln_post", x
    yield "embedding", x @ w("visual.proj")


def text_stages(checkpoint: Checkpoint, config: CLIPConfig, ids: np.ndarray) -> Stages:
    text = config.text
    assert text is not None
    n = ids.shape[1]
    x = checkpoint.take("token_embedding.weight")[ids] + checkpoint.take("positional_embedding")[:n]
    for index in range(text.layers):
        name = f"transformer.resblocks.{index}"
        x = block(checkpoint, name, x, text.heads, text.activation, ops.causal_mask(n))
        yield name, x
    x = layer_norm(checkpoint, "ln_final", x)
    yield "ln_final", x
    yield "embedding", x[np.arange(len(ids)), ids.argmax(axis=1)] @ checkpoint.take("text_projection")


def layer_norm(checkpoint: Checkpoint, name: str, x: Array) -> Array:
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(EPS))
    y: Array = x * checkpoint.take(f"{name}.weight") + checkpoint.take(f"{name}.bias")
    return y


def linear(checkpoint: Checkpoint, name: str, x: Array) -> Array:
    y: Array = x @ checkpoint.take(f"{name}.weight").T + checkpoint.take(f"{name}.bias")
    return y


def block(checkpoint: Checkpoint, name: str, x: Array, heads: int, activation: str, mask: Array | None = None) -> Array:
    y = layer_norm(checkpoint, f"{name}.ln_1", x)
    qkv = y @ checkpoint.take(f"{name}.attn.in_proj_weight").T + checkpoint.take(f"{name}.attn.in_proj_bias")
    q, k, v = np.split(qkv, 3, axis=-1)
    x = x + linear(checkpoint, f"{name}.attn.out_proj", attention(q, k, v, heads, mask))
    y = linear(checkpoint, f"{name}.mlp.c_fc", layer_norm(checkpoint, f"{name}.ln_2", x))
    return x + linear(checkpoint, f"{name}.mlp.c_proj", quick_gelu(y) if activation == "quick_gelu" else gelu(y))


def attention(q: Array, k: Array, v: Array, heads: int, mask: Array | None = None) -> Array:
    b, n, d = q.shape
    q, k, v = (part.reshape(b, -1, heads, d // heads).swapaxes(1, 2) for part in (q, k, v))
    scores = q * np.float32(1 / math.sqrt(d // heads)) @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = scores + mask
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed: Array = powers / powers.sum(axis=-1, keepdims=True) @ v
    joined: Array = mixed.swapaxes(1, 2).reshape(b, n, d)
    return joined


def quick_gelu(x: Array) -> Array:
    y: Array = np.float32(0.5) * x * (np.float32(1) + np.tanh(np.float32(0.851) * x))
    return y


def gelu(x: Array) -> Array:
    y: Array = np.float32(0.5) * x * (np.float32(1) + ops.erf(x * np.float32(math.sqrt(0.5))))
    return y


def resnet_stages(checkpoint: Checkpoint, vision: ResNetConfig, image: Array) -> Stages:
    x = image.transpose(0, 2, 3, 1)  # (b, y, x, 3)
    for i in (1, 2, 3):
        x = relu(
            batch_norm(checkpoint, f"visual.bn{i}", convolve(checkpoint, f"visual.conv{i}", x, 2 if i == 1 else 1))
        )
        yield f"visual.relu{i}", x
    x = average_pool(x)
    yield "visual.avgpool", x
    for stage, count in enumerate(vision.layers, start=1):
        for index in range(count):
            x = bottleneck(checkpoint, f"visual.layer{stage}.{index}", x, stride=2 if stage > 1 and index == 0 else 1)
        yield f"visual.layer{stage}", x
    name = "visual.attnpool"
    x = x.reshape(len(x), -1, x.shape[-1])
    x = np.concatenate([x.mean(axis=1, keepdims=True), x], axis=1) + checkpoint.take(f"{name}.positional_embedding")
    q, k, v = (linear(checkpoint, f"{name}.{part}_proj", x) for part in "qkv")
    x = linear(checkpoint, f"{name}.c_proj", attention(q[:, :1], k, v, vision.heads)[:, 0])
    yield name, x
    yield "embedding", x


def bottleneck(checkpoint: Checkpoint, name: str, x: Array, stride: int) -> Array:
    y = relu(batch_norm(checkpoint, f"{name}.bn1", convolve(checkpoint, f"{name}.conv1", x)))
    y = relu(batch_norm(checkpoint, f"{name}.bn2", convolve(checkpoint, f"{name}.conv2", y)))
    y = y if stride == 1 else average_pool(y)
    y = batch_norm(checkpoint, f"{name}.bn3", convolve(checkpoint, f"{name}.conv3", y))
    if f"{name}.downsample.0.weight" in checkpoint:
        x = x if stride == 1 else average_pool(x)
        x = batch_norm(checkpoint, f"{name}.downsample.1", convolve(checkpoint, f"{name}.downsample.0", x))
    return relu(y + x)


def batch_norm(checkpoint: Checkpoint, name: str, x: Array) -> Array:
    weight, bias, mean, variance = (
        checkpoint.take(f"{name}.{field}") for field in ("weight", "bias", "running_mean", "running_var")
    )
    y: Array = (x - mean) / np.sqrt(variance + np.float32(EPS)) * weight + bias
    return y


def relu(x: Array) -> Array:
    y: Array = np.maximum(x, np.float32(0))
    return y


def convolve(checkpoint: Checkpoint, name: str, x: Array, stride: int = 1) -> Array:
    """(b, y, x, c) -> (b, y / stride, x / stride, e), with a border of zeros if the window is 3 by 3."""
    weight = checkpoint.take(f"{name}.weight")  # (e, c, size, size)
    size = weight.shape[-1]
    border = size // 2
    padded = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    y = np.zeros((len(x), rows, columns, len(weight)), np.float32)
    for i in range(size):
        for j in range(size):
            part: Any = padded[:, i : i + x.shape[1] : stride, j : j + x.shape[2] : stride]
            y += part @ weight[:, :, i, j].T
    return y


def average_pool(x: Array) -> Array:
    b, rows, columns, c = x.shape
    whole = x[:, : rows // 2 * 2, : columns // 2 * 2]
    y: Array = whole.reshape(b, rows // 2, 2, columns // 2, 2, c).mean(axis=(2, 4))
    return y
