"""ResNet (He et al., 2016) with three stem convolutions, average pooling for strides, and attention at the end.

As `ModifiedResNet` in clip/model.py of openai/CLIP.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess
from numpyclip.model import expected_tensors as expected
from numpyclip.model import ops
from numpyclip.model.blocks import Blocks
from numpyclip.model.ops import Array
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.vision import feature_maps
from numpyclip.model.vision.attention_pool import AttentionPool
from numpyclip.model.vision.convolution import Convolution, images_first, normalized_innermost
from numpyclip.model.vision.tower import VisionTower
from numpyclip.model.vision.vision_config import RESNET_STRIDE, ResNetConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


def _relu(x: Array) -> Array:
    """Replace negative numbers by 0, in place."""
    return ops.in_pieces(ops.relu, x)


@dataclass(frozen=True, eq=False, repr=False)
class Bottleneck:
    """A residual block: narrow to few channels, convolve, widen."""

    conv1: Convolution
    conv2: Convolution
    conv3: Convolution
    downsample: Convolution | None
    stride: int

    @classmethod
    def read(cls, weights: WeightReader, name: str, stride: int) -> "Bottleneck":
        """Read the weights under a name of the checkpoint."""
        shortcut = f"{name}.downsample.0.weight" in weights.checkpoint
        return cls(
            Convolution.read(weights, f"{name}.conv1", f"{name}.bn1"),
            Convolution.read(weights, f"{name}.conv2", f"{name}.bn2"),
            Convolution.read(weights, f"{name}.conv3", f"{name}.bn3"),
            Convolution.read(weights, f"{name}.downsample.0", f"{name}.downsample.1") if shortcut else None,
            stride,
        )

    def __call__(self, x: Array) -> Array:  # (c, y, x, b) -> (4 width, y / stride, x / stride, b)
        y = _relu(self.conv1(x))
        y = _relu(self.conv2(y))
        if self.stride == 2:
            x, y = feature_maps.average_pool(x), feature_maps.average_pool(y)
        y = self.conv3(y)
        y += x if self.downsample is None else self.downsample(x)
        return _relu(y)


@dataclass(frozen=True, eq=False, repr=False)
class ModifiedResNet(VisionTower):
    """A stem of three convolutions, four stages of blocks, and attention pooling."""

    config: ResNetConfig
    stem: tuple[Convolution, ...]
    blocks: Blocks[Bottleneck]
    attnpool: AttentionPool

    @staticmethod
    def tensors(checkpoint: Checkpoint, config: ResNetConfig, embed_dim: int) -> expected.Tensors:
        """List the tensors of this tower."""
        channels = [3, config.width // 2, config.width // 2, config.width]
        for i in (1, 2, 3):
            yield from expected.convolution("visual", f"conv{i}", f"bn{i}", (channels[i], channels[i - 1], 3, 3))
        c = config.width
        for stage, count in enumerate(config.layers, start=1):
            width = config.width * 2 ** (stage - 1)
            for index in range(count):
                block = f"visual.layer{stage}.{index}"
                yield from expected.convolution(block, "conv1", "bn1", (width, c, 1, 1))
                yield from expected.convolution(block, "conv2", "bn2", (width, width, 3, 3))
                yield from expected.convolution(block, "conv3", "bn3", (4 * width, width, 1, 1))
                if index == 0 and (stage > 1 or c != 4 * width):
                    yield from expected.convolution(block, "downsample.0", "downsample.1", (4 * width, c, 1, 1))
                c = 4 * width
        positions = (config.image_size // RESNET_STRIDE) ** 2
        yield from AttentionPool.tensors(checkpoint, "visual.attnpool", c, embed_dim, positions)

    @classmethod
    def read(cls, weights: WeightReader, config: ResNetConfig, preprocess: Preprocess) -> "ModifiedResNet":
        """Read the weights of this tower."""
        stem = tuple(
            Convolution.read(weights, f"visual.conv{i}", f"visual.bn{i}", stride=2 if i == 1 else 1) for i in (1, 2, 3)
        )
        makers = [
            partial(
                Bottleneck.read, weights, f"visual.layer{stage}.{index}", stride=2 if stage > 1 and index == 0 else 1
            )
            for stage, count in enumerate(config.layers, start=1)
            for index in range(count)
        ]
        pool = AttentionPool.read(weights, "visual.attnpool", config.heads)
        return cls(config, preprocess, stem, weights.blocks(makers), pool)

    @property
    def output_dim(self) -> int:
        """Length of embeddings."""
        return self.attnpool.c_proj.output_dim

    def __call__(self, image: NDArray[Any]) -> Array:  # (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)
        embeddings: Array = self.attnpool(self._feature_map(image)).T
        return embeddings

    @property
    def stages(self) -> TokenStages:
        """Layers and projection of its feature maps: their pixels are projected by attention alone."""
        return TokenStages(layers=len(self.config.layers), has_norm=False, projected_from=None)

    def tokens(self, image: NDArray[Any], stage: TokenStage) -> Array:
        """Compute the feature map of the stem or of a stage: (b, 3, y, x) -> (b, y', x', c)."""
        return images_first(self._feature_map(image, sum(self.config.layers[: stage.layer])))

    def _feature_map(self, image: NDArray[Any], blocks: int | None = None) -> Array:  # -> (c, y', x', b)
        x = normalized_innermost(image, self.preprocess)
        for conv in self.stem:
            x = _relu(conv(x))
        return self.blocks.run(feature_maps.average_pool(x), count=blocks)
