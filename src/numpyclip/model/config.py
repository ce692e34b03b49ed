"""The checkpoint is the config: every size is measured from the shapes of tensors.

What shapes cannot tell follows openai/CLIP's `build_model`: heads are 64 wide, norms add 1e-5.
The activation must be told (see `numpyclip.loader`).
"""

import math
import re
from dataclasses import dataclass

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.weights.checkpoint import SIZE_RECORDS, Activation, Checkpoint

HEAD_WIDTH = 64
EPS = 1e-5  # of every layer norm and batch norm
RESNET_STRIDE = 32  # pixels of the picture behind one position of the last feature map


@dataclass(frozen=True)
class VisionTransformerConfig:
    """Sizes of a vision transformer; `image_size` and `patch_size` in pixels."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    mlp_width: int

    @property
    def columns(self) -> int:
        """Tokens of a picture."""
        return (self.image_size // self.patch_size) ** 2 + 1


@dataclass(frozen=True)
class ResNetConfig:
    """Sizes of a modified ResNet; `image_size` in pixels, `layers` counts the blocks of its four stages."""

    image_size: int
    width: int
    layers: tuple[int, int, int, int]
    heads: int

    @property
    def columns(self) -> int:
        """Pixels of a picture in the second of the four stages."""
        return (self.image_size // 8) ** 2


@dataclass(frozen=True)
class TextConfig:
    """Sizes of a text transformer; `context_length` in tokens."""

    context_length: int
    vocab_size: int
    width: int
    layers: int
    heads: int
    mlp_width: int


@dataclass(frozen=True)
class CLIPConfig:
    """Sizes of a whole model, and the activation of its transformers."""

    embed_dim: int
    vision: VisionTransformerConfig | ResNetConfig
    text: TextConfig
    activation: Activation


def measure(checkpoint: Checkpoint, activation: Activation) -> CLIPConfig:
    """Measure a model from the shapes of its tensors.

    Raises
    ------
    CheckpointError
        If a tensor is missing, or two of them contradict each other.
    UnsupportedCheckpointError
        If the tensors are those of another architecture.
    """
    _refuse_foreign(checkpoint)
    embed_dim = checkpoint.shape("text_projection", 2)[1]
    is_transformer = "visual.proj" in checkpoint
    vision = _measure_transformer(checkpoint) if is_transformer else _measure_resnet(checkpoint)
    config = CLIPConfig(embed_dim, vision, _measure_text(checkpoint), activation)
    _compare_with_record(checkpoint, config)
    return config


_FOREIGN = {  # a name that marks another family → what it is
    "text_model.": "the transformers library's layout",
    "vision_model.": "the transformers library's layout",
    "visual.trunk.": "OpenCLIP with a vision tower of timm",
    "text.": "OpenCLIP with a text tower of its own",
    "text_decoder.": "CoCa",
    "logit_bias": "SigLIP",
}


def _refuse_foreign(checkpoint: Checkpoint) -> None:
    for name in checkpoint.arrays:
        for mark, family in _FOREIGN.items():
            if name.startswith(mark):
                raise UnsupportedCheckpointError(
                    f"{checkpoint.path}: tensor '{name}' belongs to {family}; expected the names of openai/CLIP. "
                    "Only OpenAI's architectures are supported so far."
                )


def _measure_transformer(checkpoint: Checkpoint) -> VisionTransformerConfig:
    width, _, patch_size, _ = checkpoint.shape("visual.conv1.weight", 4)
    grid = _grid(checkpoint, "visual.positional_embedding")
    return VisionTransformerConfig(
        image_size=patch_size * grid,
        patch_size=patch_size,
        width=width,
        layers=count_blocks(checkpoint, "visual.transformer.resblocks"),
        heads=_heads(checkpoint, width),
        mlp_width=_mlp_width(checkpoint, "visual.transformer.resblocks"),
    )


def _measure_resnet(checkpoint: Checkpoint) -> ResNetConfig:
    width = checkpoint.shape("visual.layer1.0.conv1.weight", 4)[0]
    stages = [count_blocks(checkpoint, f"visual.layer{stage}") for stage in (1, 2, 3, 4)]
    return ResNetConfig(
        image_size=RESNET_STRIDE * _grid(checkpoint, "visual.attnpool.positional_embedding"),
        width=width,
        layers=(stages[0], stages[1], stages[2], stages[3]),
        heads=_heads(checkpoint, width * 32),
    )


def _measure_text(checkpoint: Checkpoint) -> TextConfig:
    vocab_size, width = checkpoint.shape("token_embedding.weight", 2)
    return TextConfig(
        context_length=checkpoint.shape("positional_embedding", 2)[0],
        vocab_size=vocab_size,
        width=width,
        layers=count_blocks(checkpoint, "transformer.resblocks"),
        heads=_heads(checkpoint, width),
        mlp_width=_mlp_width(checkpoint, "transformer.resblocks"),
    )


def count_blocks(checkpoint: Checkpoint, prefix: str) -> int:
    """Count blocks ``prefix.0.``, ``prefix.1.``, ...; a gap is an error."""
    pattern = re.compile(re.escape(prefix) + r"\.([0-9]{1,4})\.")
    found = {int(match[1]) for name in checkpoint.arrays if (match := pattern.match(name))}
    if not found or found != set(range(len(found))):
        missing = min(set(range(len(found) + 1)) - found)
        raise CheckpointError(
            f"{checkpoint.path}: block '{prefix}.{missing}' is missing; found {len(found)} blocks under '{prefix}'."
        )
    return len(found)


def _grid(checkpoint: Checkpoint, name: str) -> int:
    """Side of the square of positions that a table with one extra row stands for."""
    rows = checkpoint.shape(name, 2)[0]
    side = math.isqrt(max(rows - 1, 0))
    if side == 0 or side * side + 1 != rows:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: tensor '{name}' has {rows} rows; expected a square number and one."
        )
    return side


def _heads(checkpoint: Checkpoint, width: int) -> int:
    heads = width // HEAD_WIDTH
    if heads == 0 or width % heads:
        raise UnsupportedCheckpointError(
            f"{checkpoint.path}: a width of {width} cannot be cut into {heads} heads of about {HEAD_WIDTH}."
        )
    return heads


def _mlp_width(checkpoint: Checkpoint, prefix: str) -> int:
    return checkpoint.shape(f"{prefix}.0.mlp.c_fc.weight", 2)[0]


def _compare_with_record(checkpoint: Checkpoint, config: CLIPConfig) -> None:
    """Compare the measured sizes with those that the file, or a description beside it, records."""
    vision, text = config.vision, config.text
    step = vision.patch_size if isinstance(vision, VisionTransformerConfig) else RESNET_STRIDE
    recorded = {
        **checkpoint.described,
        **{name: checkpoint.arrays[name].tolist() for name in SIZE_RECORDS if name in checkpoint},
    }
    measured = {
        "model_cfg.embed_dim": config.embed_dim,
        "vision_cfg.width": vision.width,
        "vision_cfg.layers": vision.layers if isinstance(vision.layers, int) else list(vision.layers),
        "vision_cfg.patch_size": step if isinstance(vision, VisionTransformerConfig) else None,
        "text_cfg.width": text.width,
        "text_cfg.layers": text.layers,
        **dict.fromkeys(("text_cfg.context_length", "context_length"), text.context_length),
        **dict.fromkeys(("text_cfg.vocab_size", "vocab_size"), text.vocab_size),
        **dict.fromkeys(("vision_cfg.image_size", "input_resolution"), vision.image_size),
    }
    for name, size in measured.items():
        found = recorded.get(name, size)
        if name in ("vision_cfg.image_size", "input_resolution") and isinstance(found, int):
            found = found // step * step  # a rest at the edge is cut off by the first convolution, or the last pool
        if found != size:
            raise CheckpointError(
                f"{checkpoint.path}: '{name}' is recorded as {recorded[name]!r:.60}, "
                f"but the shapes of the tensors make it {size}."
            )
