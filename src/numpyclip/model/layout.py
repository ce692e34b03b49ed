"""Which tensors a checkpoint holds for a model of measured sizes: the names and shapes of openai/CLIP's state dict."""

from collections.abc import Iterator

from numpyclip.model.config import (
    RESNET_STRIDE,
    CLIPConfig,
    ResNetConfig,
    TextConfig,
    TransformerConfig,
    VisionTransformerConfig,
)
from numpyclip.model.layers import in_proj_names
from numpyclip.weights.checkpoint import Checkpoint

Shape = tuple[int, ...]


def tensors(checkpoint: Checkpoint, config: CLIPConfig) -> dict[str, Shape]:
    """List all tensors that the model takes, with their shapes.

    Of some there are two forms, of which the checkpoint holds one.
    """
    vision = config.vision
    return {
        **dict(_one_number(checkpoint, "logit_scale")),
        **(dict(_one_number(checkpoint, "logit_bias")) if config.sigmoid else {}),
        **dict(
            _vision_transformer(checkpoint, vision, config.embed_dim)
            if isinstance(vision, VisionTransformerConfig)
            else _resnet(vision, config.embed_dim)
        ),
        **dict(_text(checkpoint, config.text, config.embed_dim)),
    }


def _one_number(checkpoint: Checkpoint, name: str) -> Iterator[tuple[str, Shape]]:
    """Of shape () in openai/CLIP, (1,) in some others."""
    shape = checkpoint.arrays[name].shape if name in checkpoint else ()
    yield name, shape if shape == (1,) else ()


def _vision_transformer(
    checkpoint: Checkpoint, vision: VisionTransformerConfig, embed_dim: int
) -> Iterator[tuple[str, Shape]]:
    d, p = vision.width, vision.patch_size
    yield "visual.conv1.weight", (d, 3, p, p)
    if vision.patch_bias:
        yield "visual.conv1.bias", (d,)
    if vision.class_token:
        yield "visual.class_embedding", (d,)
    yield "visual.positional_embedding", (vision.columns, d)
    if vision.norm_before:
        yield from _norm("visual.ln_pre", d)
    yield from _transformer(checkpoint, "visual.transformer", vision)
    yield from _norm("visual.ln_post", d)
    if vision.pool == "map":
        yield "visual.attn_pool.probe", (1, 1, d)
        yield from _attention(checkpoint, "visual.attn_pool.attn", d)
        yield from _norm("visual.attn_pool.ln_2", d)
        yield from _mlp("visual.attn_pool.mlp", vision)
    if vision.projection:
        yield from _projection(checkpoint, "visual.proj", d, embed_dim)


def _text(checkpoint: Checkpoint, text: TextConfig, embed_dim: int) -> Iterator[tuple[str, Shape]]:
    yield "token_embedding.weight", (text.vocab_size, text.width)
    yield "positional_embedding", (text.context_length, text.width)
    yield from _transformer(checkpoint, "transformer", text)
    yield from _norm("ln_final", text.width)
    if text.projection:
        yield from _projection(checkpoint, "text_projection", text.width, embed_dim)


def _transformer(checkpoint: Checkpoint, name: str, config: TransformerConfig) -> Iterator[tuple[str, Shape]]:
    d = config.width
    for index in range(config.layers):
        block = f"{name}.resblocks.{index}"
        yield from _norm(f"{block}.ln_1", d)
        yield from _attention(checkpoint, f"{block}.attn", d)
        yield from _norm(f"{block}.ln_2", d)
        yield from _mlp(f"{block}.mlp", config)
        if config.layer_scale:
            yield f"{block}.ls_1.gamma", (d,)
            yield f"{block}.ls_2.gamma", (d,)


def _attention(checkpoint: Checkpoint, name: str, d: int) -> Iterator[tuple[str, Shape]]:
    for weight, bias, parts in in_proj_names(checkpoint, name):
        yield weight, (parts * d, d)
        yield bias, (parts * d,)
    yield from _linear(f"{name}.out_proj", d, d)


def _mlp(name: str, config: TransformerConfig) -> Iterator[tuple[str, Shape]]:
    yield from _linear(f"{name}.c_fc", config.width, config.mlp_width)
    yield from _linear(f"{name}.c_proj", config.mlp_width, config.width)


def _projection(checkpoint: Checkpoint, name: str, d: int, embed_dim: int) -> Iterator[tuple[str, Shape]]:
    if f"{name}.weight" not in checkpoint:
        yield name, (d, embed_dim)
        return
    yield f"{name}.weight", (embed_dim, d)
    if f"{name}.bias" in checkpoint:
        yield f"{name}.bias", (embed_dim,)


def _resnet(vision: ResNetConfig, embed_dim: int) -> Iterator[tuple[str, Shape]]:
    channels = [3, vision.width // 2, vision.width // 2, vision.width]
    for i in (1, 2, 3):
        yield from _convolution("visual", f"conv{i}", f"bn{i}", (channels[i], channels[i - 1], 3, 3))
    c = vision.width
    for stage, count in enumerate(vision.layers, start=1):
        width = vision.width * 2 ** (stage - 1)
        for index in range(count):
            block = f"visual.layer{stage}.{index}"
            yield from _convolution(block, "conv1", "bn1", (width, c, 1, 1))
            yield from _convolution(block, "conv2", "bn2", (width, width, 3, 3))
            yield from _convolution(block, "conv3", "bn3", (4 * width, width, 1, 1))
            if index == 0 and (stage > 1 or c != 4 * width):
                yield from _convolution(block, "downsample.0", "downsample.1", (4 * width, c, 1, 1))
            c = 4 * width
    yield "visual.attnpool.positional_embedding", ((vision.image_size // RESNET_STRIDE) ** 2 + 1, c)
    for part in ("q_proj", "k_proj", "v_proj"):
        yield from _linear(f"visual.attnpool.{part}", c, c)
    yield from _linear("visual.attnpool.c_proj", c, embed_dim)


def _linear(name: str, d: int, e: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (e, d)
    yield f"{name}.bias", (e,)


def _norm(name: str, d: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (d,)
    yield f"{name}.bias", (d,)


def _convolution(block: str, conv: str, bn: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{block}.{conv}.weight", shape
    for field in ("weight", "bias", "running_mean", "running_var"):
        yield f"{block}.{bn}.{field}", shape[:1]
