"""CLIP to read: both towers in plain NumPy, one line per step, and beside each line the shape of what it makes.

This is the model of "Learning Transferable Visual Models From Natural Language Supervision" (Radford et al., 2021),
with the names of openai/CLIP. One tower turns images into vectors, another turns texts into vectors, and training has
made the vectors of an image and of its caption point the same way. That is all of CLIP:

    image_features = encode_image(w, image)  # image: float32 (b, 3, H, W), as `preprocess` returns it
    text_features = encode_text(w, ids)  # ids: integers (b, n), as `tokenize` returns them
    probabilities = softmax(np.exp(w["logit_scale"]) * similarity(image_features, text_features))

The weights `w` are a mapping of openai/CLIP's names to float32 arrays; all sizes are inferred from their shapes. The
file of the model `tiny` is such a mapping (`numpyclip.weights.read.read` takes the arrays out of any other format):

    w = {name: array.astype(np.float32) for name, array in np.load("tiny.npz").items()}

Nothing is precomputed, shared or skipped, so it is slow. `numpyclip.load` computes the same, faster: tests compare it
with this module, and this module with openai/CLIP, at every stage. docs/how-clip-works.md walks through it.

Letters of the shapes:

    b   images or texts in a batch     H, W   rows and columns of an image or of a feature map
    n   tokens of each                 c      channels of it
    d   width of a token               s      side of a convolution's window
    h   heads of attention             p      side of a patch of the vision transformer
    k   width of a head, d / h         e      dimensions of the embedding, the same for both towers

A prime marks another number of the same kind: (b, c, H, W) -> (b, c', H', W').
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = [
    "attention",
    "attention_pool",
    "attention_weights",
    "average_pool",
    "batch_norm",
    "blocks",
    "bottleneck",
    "clip",
    "convolve",
    "encode_image",
    "encode_text",
    "gelu",
    "image_stages",
    "join_heads",
    "layer_norm",
    "linear",
    "mlp",
    "modified_resnet",
    "query_key_value",
    "quick_gelu",
    "relu",
    "residual_attention_block",
    "similarity",
    "softmax",
    "split_heads",
    "text_stages",
    "vision_transformer",
]

Array = NDArray[Any]
Weights = Mapping[str, Array]
Activation = Callable[[Array], Array]
Stages = Iterator[tuple[str, Array]]  # names as in openai/CLIP's modules; the last is "embedding"

EPS = 1e-5  # added to every variance before its root is taken
HEAD_WIDTH = 64  # OpenAI's models have one head for every 64 of width


def __dir__() -> list[str]:
    return __all__


# 1. Layers, on tokens (b, n, d)


def linear(w: Weights, name: str, x: Array) -> Array:
    """Multiply every token by a matrix, and add a bias."""
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]  # (..., d) (d, d') -> (..., d')


def layer_norm(w: Weights, name: str, x: Array) -> Array:
    """Give every token mean 0 and variance 1, then a learned scale and shift (Ba et al., 2016)."""
    x = x - x.mean(axis=-1, keepdims=True)  # (..., d)
    x = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + EPS)  # (..., d)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]  # (..., d)


def quick_gelu(x: Array) -> Array:
    """Pass positive numbers and suppress negative ones: x sigmoid(1.702 x), the activation of OpenAI's models."""
    return x * (1 + np.tanh(0.851 * x)) / 2  # (..., d): sigmoid(y) is (1 + tanh(y / 2)) / 2, and tanh cannot overflow


def gelu(x: Array) -> Array:
    """Do the same with the normal distribution: x Φ(x), the activation of most other models."""
    erf = np.vectorize(math.erf, otypes=[np.float32])
    return x * (1 + erf(x / math.sqrt(2))) / 2  # (..., d)


def softmax(x: Array) -> Array:
    """Turn scores into probabilities: positive numbers that sum to 1 along the last axis."""
    x = np.exp(x - x.max(axis=-1, keepdims=True))  # (..., n): less the largest score, so that exp cannot overflow
    return x / x.sum(axis=-1, keepdims=True)  # (..., n)


# 2. The transformer (Vaswani et al., 2017), on tokens (b, n, d)


def split_heads(x: Array) -> Array:
    """Cut the width of every token into heads, which attend independently of each other."""
    b, n, d = x.shape
    h = d // HEAD_WIDTH
    return x.reshape(b, n, h, d // h).swapaxes(1, 2)  # (b, n, d) -> (b, n, h, k) -> (b, h, n, k)


def join_heads(x: Array) -> Array:
    """Put the heads of every token side by side again."""
    b, h, n, k = x.shape
    return x.swapaxes(1, 2).reshape(b, n, h * k)  # (b, h, n, k) -> (b, n, h, k) -> (b, n, d)


def attention_weights(q: Array, k: Array, mask: Array | float = 0.0) -> Array:
    """Return how much every query attends to every key: each row sums to 1."""
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (b, h, n, k) (b, h, k, n') -> (b, h, n, n')
    return softmax(scores + mask)  # (b, h, n, n')


def attention(q: Array, k: Array, v: Array, mask: Array | float = 0.0) -> Array:
    """Give every query the mean of the values, weighted by how much it attends to their keys."""
    q, k, v = split_heads(q), split_heads(k), split_heads(v)  # (b, h, n, k) (b, h, n', k) (b, h, n', k)
    x = attention_weights(q, k, mask) @ v  # (b, h, n, n') (b, h, n', k) -> (b, h, n, k)
    return join_heads(x)  # (b, h, n, k) -> (b, n, d)


def query_key_value(w: Weights, name: str, x: Array) -> list[Array]:
    """Make a query, a key and a value of every token: what it looks for, what it is found by, what it passes on."""
    qkv = x @ w[f"{name}.in_proj_weight"].T + w[f"{name}.in_proj_bias"]  # (b, n, d) (d, 3 d) -> (b, n, 3 d)
    return np.split(qkv, 3, axis=-1)  # three of (b, n, d)


def mlp(w: Weights, name: str, x: Array, activation: Activation) -> Array:
    """Compute on each token independently, in four times its width."""
    x = activation(linear(w, f"{name}.c_fc", x))  # (b, n, d) -> (b, n, 4 d)
    return linear(w, f"{name}.c_proj", x)  # (b, n, 4 d) -> (b, n, d)


def residual_attention_block(
    w: Weights, name: str, x: Array, activation: Activation, mask: Array | float = 0.0
) -> Array:
    """Add to every token what attention gathers from the others, then what the MLP computes of that."""
    q, k, v = query_key_value(w, f"{name}.attn", layer_norm(w, f"{name}.ln_1", x))  # three of (b, n, d)
    x = x + linear(w, f"{name}.attn.out_proj", attention(q, k, v, mask))  # (b, n, d)
    return x + mlp(w, f"{name}.mlp", layer_norm(w, f"{name}.ln_2", x), activation)  # (b, n, d)


def blocks(w: Weights, prefix: str) -> list[str]:
    """Name the blocks of a sequence in their order: prefix.0, prefix.1, ..."""
    depth = prefix.count(".") + 1
    count = len({name.split(".")[depth] for name in w if name.startswith(f"{prefix}.")})
    return [f"{prefix}.{i}" for i in range(count)]


# 3. Layers, on feature maps (b, c, H, W)


def convolve(w: Weights, name: str, x: Array, stride: int = 1, padding: int = 0) -> Array:
    """Multiply every window of s by s pixels by one matrix."""
    weight = w[f"{name}.weight"]  # (c', c, s, s)
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))  # (b, c, H + 2 padding, W + 2 padding)
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]  # (b, c, H', W', s, s)
    return np.einsum("bcyxij,ecij->beyx", windows, weight, optimize=True)  # (b, c', H', W')


def batch_norm(w: Weights, name: str, x: Array) -> Array:
    """Normalise every channel by the mean and variance that it had in training (Ioffe and Szegedy, 2015)."""
    fields = ("running_mean", "running_var", "weight", "bias")
    mean, variance, weight, bias = (w[f"{name}.{field}"][:, np.newaxis, np.newaxis] for field in fields)  # (c, 1, 1)
    return (x - mean) / np.sqrt(variance + EPS) * weight + bias  # (b, c, H, W)


def relu(x: Array) -> Array:
    """Replace negative numbers by 0."""
    return np.maximum(x, 0)  # (b, c, H, W)


def average_pool(x: Array, size: int) -> Array:
    """Replace every square of pixels by its mean."""
    b, c, H, W = x.shape
    x = x[:, :, : H // size * size, : W // size * size]  # (b, c, H, W): an incomplete square at the edge is dropped
    return x.reshape(b, c, H // size, size, W // size, size).mean(axis=(3, 5))  # (b, c, H / size, W / size)


# 4. The image tower as a vision transformer (Dosovitskiy et al., 2021): ViT-B/32, ViT-B/16, ViT-L/14


def vision_transformer(w: Weights, image: Array, activation: Activation) -> Stages:
    """Turn the patches of an image into tokens, and let a transformer gather in a class token what they show."""
    x = convolve(w, "visual.conv1", image, stride=w["visual.conv1.weight"].shape[-1])  # (b, d, H / p, W / p): patches
    yield "visual.conv1", x
    b, d, _, _ = x.shape
    x = x.reshape(b, d, -1).swapaxes(1, 2)  # (b, n - 1, d): one token for each patch, row by row
    class_embedding = np.broadcast_to(w["visual.class_embedding"], (b, 1, d))  # (b, 1, d)
    x = np.concatenate([class_embedding, x], axis=1)  # (b, n, d)
    x = x + w["visual.positional_embedding"]  # (b, n, d) (n, d) -> (b, n, d): where in the image the patch was
    x = layer_norm(w, "visual.ln_pre", x)  # (b, n, d)
    yield "visual.ln_pre", x
    for name in blocks(w, "visual.transformer.resblocks"):
        x = residual_attention_block(w, name, x, activation)  # (b, n, d)
        yield name, x
    x = layer_norm(w, "visual.ln_post", x[:, 0])  # (b, d): the class token alone
    yield "visual.ln_post", x
    yield "embedding", x @ w["visual.proj"]  # (b, d) (d, e) -> (b, e)


# 5. The image tower as a ResNet (He et al., 2016), modified in three ways: RN50, RN101, RN50x4, RN50x16, RN50x64, tiny


def bottleneck(w: Weights, name: str, x: Array, stride: int) -> Array:
    """Compute on few channels and add the result to many; modified: pixels are averaged, where ResNet skips some."""
    y = relu(batch_norm(w, f"{name}.bn1", convolve(w, f"{name}.conv1", x)))  # (b, c', H, W)
    y = relu(batch_norm(w, f"{name}.bn2", convolve(w, f"{name}.conv2", y, padding=1)))  # (b, c', H, W)
    y = average_pool(y, stride)  # (b, c', H / stride, W / stride)
    y = batch_norm(w, f"{name}.bn3", convolve(w, f"{name}.conv3", y))  # (b, 4 c', H / stride, W / stride)
    if f"{name}.downsample.0.weight" in w:  # the first block of a layer, where x and y differ in shape
        x = average_pool(x, stride)  # (b, c, H / stride, W / stride)
        x = batch_norm(w, f"{name}.downsample.1", convolve(w, f"{name}.downsample.0", x))  # as y
    return relu(x + y)  # (b, 4 c', H / stride, W / stride)


def attention_pool(w: Weights, name: str, x: Array) -> Array:
    """Let the mean of all pixels attend to each of them; modified: ResNet returns the mean itself."""
    b, d, H, W = x.shape
    x = x.reshape(b, d, H * W).swapaxes(1, 2)  # (b, n - 1, d): one token for each pixel, row by row
    x = np.concatenate([x.mean(axis=1, keepdims=True), x], axis=1)  # (b, n, d)
    x = x + w[f"{name}.positional_embedding"]  # (b, n, d) (n, d) -> (b, n, d)
    q = linear(w, f"{name}.q_proj", x[:, :1])  # (b, 1, d): only the mean has a query
    k = linear(w, f"{name}.k_proj", x)  # (b, n, d)
    v = linear(w, f"{name}.v_proj", x)  # (b, n, d)
    x = attention(q, k, v)[:, 0]  # (b, 1, d) (b, n, d) (b, n, d) -> (b, 1, d) -> (b, d)
    return linear(w, f"{name}.c_proj", x)  # (b, d) -> (b, e)


def modified_resnet(w: Weights, image: Array) -> Stages:
    """Turn an image into ever smaller maps of ever more channels, and attend to their pixels."""
    x = image  # (b, 3, H, W)
    for i, stride in ((1, 2), (2, 1), (3, 1)):  # modified: three small convolutions, where ResNet has a large one
        x = convolve(w, f"visual.conv{i}", x, stride, padding=1)  # (b, c, H / 2, W / 2)
        x = relu(batch_norm(w, f"visual.bn{i}", x))  # (b, c, H / 2, W / 2)
        yield f"visual.relu{i}", x
    x = average_pool(x, 2)  # (b, c, H / 4, W / 4)
    yield "visual.avgpool", x
    for i, stride in ((1, 1), (2, 2), (3, 2), (4, 2)):
        first, *others = blocks(w, f"visual.layer{i}")
        x = bottleneck(w, first, x, stride)  # layer 1: (b, 4 c, H / 4, W / 4), ..., layer 4: (b, 32 c, H / 32, W / 32)
        for name in others:
            x = bottleneck(w, name, x, stride=1)  # the same shape
        yield f"visual.layer{i}", x
    x = attention_pool(w, "visual.attnpool", x)  # (b, 32 c, H / 32, W / 32) -> (b, e)
    yield "visual.attnpool", x
    yield "embedding", x


# 6. The text tower, a transformer like GPT-2 (Radford et al., 2019)


def text_stages(w: Weights, ids: Array, activation: Activation = quick_gelu) -> Stages:
    """Turn ids into tokens, and let a transformer gather in the end-of-text token what the text means."""
    b, n = ids.shape
    x = w["token_embedding.weight"][ids]  # (b, n) -> (b, n, d)
    x = x + w["positional_embedding"][:n]  # (b, n, d) (n, d) -> (b, n, d): where in the text the token is
    mask = np.triu(np.full((n, n), -np.inf, np.float32), k=1)  # (n, n): attention is causal, -inf for later tokens
    for name in blocks(w, "transformer.resblocks"):
        x = residual_attention_block(w, name, x, activation, mask)  # (b, n, d)
        yield name, x
    x = layer_norm(w, "ln_final", x)  # (b, n, d)
    yield "ln_final", x
    x = x[np.arange(b), ids.argmax(axis=1)]  # (b, d): end of text, which has the highest id, has attended to all others
    yield "embedding", x @ w["text_projection"]  # (b, d) (d, e) -> (b, e)


# 7. CLIP


def image_stages(w: Weights, image: Array, activation: Activation = quick_gelu) -> Stages:
    """Yield (name, array) for every stage of the image tower, whichever of the two it is."""
    return vision_transformer(w, image, activation) if "visual.proj" in w else modified_resnet(w, image)


def encode_image(w: Weights, image: Array, activation: Activation = quick_gelu) -> Array:
    """Embed images: (b, 3, H, W) -> (b, e), not normalized, as in openai/CLIP.

    The activation cannot be inferred from the tensors: `quick_gelu` for OpenAI's models, `gelu` for most others.
    """
    return dict(image_stages(w, image, activation))["embedding"]


def encode_text(w: Weights, ids: Array, activation: Activation = quick_gelu) -> Array:
    """Embed texts: (b, n) -> (b, e), not normalized, as in openai/CLIP."""
    return dict(text_stages(w, ids, activation))["embedding"]


def similarity(image_features: Array, text_features: Array) -> Array:
    """Return the cosine of the angle between every image and every text: (b, e) (b', e) -> (b, b')."""
    image_features = image_features / np.linalg.norm(image_features, axis=-1, keepdims=True)  # (b, e)
    text_features = text_features / np.linalg.norm(text_features, axis=-1, keepdims=True)  # (b', e)
    return image_features @ text_features.T  # (b, e) (e, b') -> (b, b')


def clip(w: Weights, image: Array, ids: Array, activation: Activation = quick_gelu) -> tuple[Array, Array]:
    """Return `logits_per_image` (b, b') and `logits_per_text` (b', b): cosines times a learned scale."""
    cosines = similarity(encode_image(w, image, activation), encode_text(w, ids, activation))  # (b, b')
    logits_per_image = np.exp(w["logit_scale"]) * cosines  # (b, b')
    return logits_per_image, logits_per_image.T
