"""A ViTamin's convolutional stages; what they compute is compared in tests/families/test_parity.py."""

from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families import timm
from numpyclip.families.config_file import Section
from numpyclip.model.vision.mbconv import MBConvStages
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.model.vision.vit import VisionTransformer

FAMILIES = Path(__file__).parents[2] / "golden" / "families"


def test_a_patch_is_a_square_of_sixteen_pixels() -> None:
    model, _ = numpyclip.load(FAMILIES / "timm-vitamin")
    assert isinstance(model.visual, VisionTransformer)
    assert isinstance(model.visual.stem, MBConvStages)
    for y, x in (16, 16), (32, 64):
        assert model.visual.stem(np.zeros((2, 3, y, x), np.float32)).shape == (24, 2, y * x // 256)


def test_bytes_and_normalised_pixels_are_the_same_to_it() -> None:
    model, preprocess = numpyclip.load(FAMILIES / "timm-vitamin")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    normalised = ((pixels / 255 - preprocess.mean) / preprocess.std).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_allclose(model.encode_image(pixels), model.encode_image(normalised), rtol=1e-4, atol=1e-5)


def test_images_are_of_whole_patches() -> None:
    options = {"timm_model_name": "vitamin_base_224", "timm_pool": "", "image_size": 232}
    with pytest.raises(UnsupportedCheckpointError, match=r"expected multiples of 16 in vision_cfg.image_size"):
        timm.describe(Section(Path(), "vision_cfg", options))


def test_without_positions_images_may_have_another_size_than_the_name_says() -> None:
    """As ViTamin-XL-384 in OpenCLIP's table, whose images are 256 pixels wide."""
    options = {"timm_model_name": "vitamin_xlarge_384", "timm_pool": "", "image_size": 256}
    config = timm.describe(Section(Path(), "vision_cfg", options))
    assert isinstance(config, VisionTransformerConfig)
    assert config.tokens == 256
