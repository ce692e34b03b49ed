"""The base class of image towers, and the choice of one by its config."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from numpyclip.images.preprocess import Preprocess, Size, in_pixels
from numpyclip.model.expected_tensors import Tensors
from numpyclip.model.ops import Array
from numpyclip.model.token_stages import TokenStage, TokenStages
from numpyclip.model.vision.vision_config import ConvNeXtConfig, FastViTConfig, ResNetConfig, VisionConfig
from numpyclip.model.weight_reader import WeightReader
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class VisionTower(ABC):
    """From images to embeddings."""

    config: Any
    preprocess: Preprocess

    @staticmethod
    @abstractmethod
    def tensors(checkpoint: Checkpoint, config: Any, embed_dim: int) -> Tensors:
        """List the tensors that a checkpoint holds for this tower."""

    @classmethod
    @abstractmethod
    def read(cls, weights: WeightReader, config: Any, preprocess: Preprocess) -> VisionTower:
        """Read the weights of this tower."""

    @abstractmethod
    def __call__(self, image: NDArray[Any]) -> Array:
        """Embed images: (b, 3, y, x), or (b, y, x, 3) of uint8 -> (b, e)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({in_pixels(self.input_resolution)}, {self.output_dim} dimensions)"

    @property
    def input_resolution(self) -> Size:
        """Side of a square image in pixels, or height and width; towers with `flexible` positions take any shape."""
        resolution: Size = self.config.image_size
        return resolution

    @property
    @abstractmethod
    def output_dim(self) -> int:
        """Length of embeddings."""

    @property
    @abstractmethod
    def stages(self) -> TokenStages:
        """Layers, last norm and projection of its tokens."""

    @abstractmethod
    def tokens(self, image: NDArray[Any], stage: TokenStage) -> Array:
        """Compute its patches, in rows and columns, or all tokens of a transformer: (b, ...) -> (b, y, x, d)."""


def vision_tower(config: VisionConfig) -> type[VisionTower]:
    """Return the kind of tower that a configuration describes; others are not even imported."""
    if isinstance(config, ResNetConfig):
        from numpyclip.model.vision.resnet import ModifiedResNet

        return ModifiedResNet
    if isinstance(config, ConvNeXtConfig):
        from numpyclip.model.vision.convnext import ConvNeXt

        return ConvNeXt
    if isinstance(config, FastViTConfig):
        from numpyclip.model.vision.fastvit import FastViT

        return FastViT
    from numpyclip.model.vision.vit import VisionTransformer

    return VisionTransformer
