"""Which tensors a checkpoint holds for a model of measured sizes: the names and shapes of openai/CLIP's state dict."""

from collections.abc import Iterator

from numpyclip.model.config import RESNET_STRIDE, CLIPConfig, ResNetConfig, TextConfig, VisionTransformerConfig
from numpyclip.weights.checkpoint import Checkpoint

Shape = tuple[int, ...]


def tensors(checkpoint: Checkpoint, config: CLIPConfig) -> dict[str, Shape]:
    """List all tensors that the model takes, with their shapes."""
    vision = config.vision
    if isinstance(vision, VisionTransformerConfig):
        tower = _vision_transformer(vision, config.embed_dim)
    else:
        tower = _resnet(vision, config.embed_dim)
    # One number: of shape () in openai/CLIP, (1,) in some of OpenCLIP's.
    one = checkpoint.arrays["logit_scale"].shape if "logit_scale" in checkpoint else ()
    return {"logit_scale": one if one == (1,) else (), **dict(tower), **dict(_text(config.text, config.embed_dim))}


def _vision_transformer(vision: VisionTransformerConfig, embed_dim: int) -> Iterator[tuple[str, Shape]]:
    d, p = vision.width, vision.patch_size
    yield "visual.conv1.weight", (d, 3, p, p)
    yield "visual.class_embedding", (d,)
    yield "visual.positional_embedding", ((vision.image_size // p) ** 2 + 1, d)
    yield from _norm("visual.ln_pre", d)
    yield from _transformer("visual.transformer", vision)
    yield from _norm("visual.ln_post", d)
    yield "visual.proj", (d, embed_dim)


def _text(text: TextConfig, embed_dim: int) -> Iterator[tuple[str, Shape]]:
    yield "token_embedding.weight", (text.vocab_size, text.width)
    yield "positional_embedding", (text.context_length, text.width)
    yield from _transformer("transformer", text)
    yield from _norm("ln_final", text.width)
    yield "text_projection", (text.width, embed_dim)


def _transformer(name: str, config: VisionTransformerConfig | TextConfig) -> Iterator[tuple[str, Shape]]:
    d, hidden = config.width, config.mlp_width
    for index in range(config.layers):
        block = f"{name}.resblocks.{index}"
        yield from _norm(f"{block}.ln_1", d)
        yield f"{block}.attn.in_proj_weight", (3 * d, d)
        yield f"{block}.attn.in_proj_bias", (3 * d,)
        yield from _linear(f"{block}.attn.out_proj", d, d)
        yield from _norm(f"{block}.ln_2", d)
        yield from _linear(f"{block}.mlp.c_fc", d, hidden)
        yield from _linear(f"{block}.mlp.c_proj", hidden, d)


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
