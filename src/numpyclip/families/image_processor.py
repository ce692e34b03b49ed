"""The preprocessing of images by transformers' `preprocessor_config.json` or `processor_config.json`."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import MAX_SIDE, Section, read_config_file
from numpyclip.images.preprocess import MEAN, STD, Preprocess

# The defaults of the classes that config files name.
CLIP = Preprocess(224, profile="transformers", mean=MEAN, std=STD)
SIGLIP = replace(CLIP, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize_mode="squash")
SIGLIP2 = replace(SIGLIP, size=256, interpolation="bilinear", resize_mode="patches", patch_size=16)
_CLASSES = {"CLIP": CLIP, "ChineseCLIP": CLIP, "Siglip": SIGLIP, "Siglip2": SIGLIP2}

_Interpolation: TypeAlias = Literal["bilinear", "bicubic"]
_MAX_PATCHES = 4096  # four times the largest number that a published model was trained with
RESAMPLE: dict[int, _Interpolation] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def read_preprocess(folder: Path, default: Preprocess) -> Preprocess:
    """Read the preprocessing of a model in a folder; CheckpointError if it contradicts the model's image size.

    The default, of that size, is for what the config file leaves out.
    """
    section = _find(folder)
    if section is None:
        return default
    section.ignore("processor_class", "do_convert_rgb", "_valid_processor_keys")
    section.ignore("data_format", "input_data_format", "return_tensors", "device", "disable_grouping")
    section.expect(do_resize=True, do_rescale=True, rescale_factor=1 / 255, do_normalize=True)
    section.expect(do_pad=False, default_to_square=False, use_square_size=False)
    preprocess = _class(section, default)
    preprocess = (_patches if preprocess.resize_mode == "patches" else _sizes)(section, preprocess)
    preprocess = replace(
        preprocess,
        mean=section.channels("image_mean", preprocess.mean),
        std=section.deviations("image_std", preprocess.std),
        interpolation=_interpolation(section, preprocess.interpolation),
    )
    section.finish()
    if preprocess.patch_size != default.patch_size:
        raise CheckpointError(
            f"{section.path}: {'makes' if preprocess.patch_size else 'does not make'} images of any shape; expected "
            f"{f'patches of {default.patch_size}' if default.patch_size else 'squares'}, as config.json says."
        )
    if preprocess.size != default.size and default.patch_size is None:
        raise CheckpointError(
            f"{section.path}: makes images of {preprocess.size} by {preprocess.size} pixels; "
            f"expected {default.size} by {default.size}, which config.json says the model takes."
        )
    return preprocess


def _find(folder: Path) -> Section | None:
    """Find the config; that in the processor's, where transformers 5 puts it, takes precedence."""
    if (folder / "processor_config.json").exists():
        processor = read_config_file(folder / "processor_config.json")
        if "image_processor" in processor:
            return processor.section("image_processor")
    if (folder / "preprocessor_config.json").exists():
        return read_config_file(folder / "preprocessor_config.json")
    return None


def _class(section: Section, default: Preprocess) -> Preprocess:
    """Return the defaults of the named class: `CLIPImageProcessorFast`, say, or, long ago, `CLIPFeatureExtractor`."""
    classes = {
        f"{name}{suffix}": preprocess
        for name, preprocess in _CLASSES.items()
        for suffix in ("ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor")
    }
    section.ignore("feature_extractor_type")  # the older name of the next
    for option in ("image_processor_type", "feature_extractor_type"):
        if option in section:
            return section.one_of(option, classes, "")
    return default


def _sizes(section: Section, default: Preprocess) -> Preprocess:
    """Read the size after resizing, of the short side or of both, and that of the crop."""
    squash = default.resize_mode == "squash"
    side = 224
    if section.is_section("size"):
        options = section.section("size")
        squash = "shortest_edge" not in options
        side = _square(options) if squash else options.size("shortest_edge", most=MAX_SIDE)
        options.finish()
    elif "size" in section:
        squash, side = False, section.size("size", most=MAX_SIDE)
    if not section.get("do_center_crop", bool, default.resize_mode == "shortest"):
        section.ignore("crop_size")
        if not squash:
            raise section.unsupported("do_center_crop", "expected true where the short side is resized")
        return replace(default, size=side, resize_mode="squash")
    crop = _square(section.section("crop_size")) if section.is_section("crop_size") else section.size("crop_size", 224)
    return replace(
        default,
        size=crop,
        resize_mode="squash" if squash else "shortest",
        short_side=None if side == crop else side,
    )


def _patches(section: Section, default: Preprocess) -> Preprocess:
    """Read the number and the size of patches."""
    patch_size = section.size("patch_size", default.patch_size)
    most = section.size("max_num_patches", 256, _MAX_PATCHES)
    if math.isqrt(most) ** 2 != most:
        raise section.unsupported("max_num_patches", "expected a square number")
    return replace(default, size=math.isqrt(most) * patch_size, patch_size=patch_size)


def _square(section: Section) -> int:
    height, width = section.size("height", most=MAX_SIDE), section.size("width", most=MAX_SIDE)
    if height != width:
        raise section.unsupported("width", f"expected {height}, as the height is")
    section.finish()
    return height


def _interpolation(section: Section, default: _Interpolation) -> _Interpolation:
    if "resample" not in section:
        return default
    resample = section.get("resample", int)
    if resample not in RESAMPLE:
        raise section.unsupported("resample", "expected 2 (bilinear) or 3 (bicubic)")
    return RESAMPLE[resample]
