"""The preprocessing of images by transformers' `preprocessor_config.json` or `processor_config.json`."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import MAX_PATCHES, MAX_SIDE, Section, read_config_file
from numpyclip.families.transformers_options import finish_image_processor
from numpyclip.images.preprocess import MEAN, STD, Interpolation, Preprocess, Size, in_pixels, size_of

# The defaults of the classes that config files name.
CLIP = Preprocess(224, profile="transformers", mean=MEAN, std=STD)
SIGLIP = replace(CLIP, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize_mode="squash")
SIGLIP2 = replace(SIGLIP, size=256, interpolation="bilinear", resize_mode="patches", patch_size=16)
FG_CLIP_2 = replace(SIGLIP2, patch_counts=(128, 256, 576, 784, 1024))
_VIT = replace(SIGLIP, interpolation="bilinear")
_BLIP = replace(CLIP, resize_mode="squash")


@dataclass(frozen=True)
class _Defaults:
    """What a class does by default; `squares`: a size that is one number is that of both sides, not the short one."""

    preprocess: Preprocess
    squares: bool = False
    size: int = 224


_CLASSES = {
    "CLIP": _Defaults(CLIP),
    "ChineseCLIP": _Defaults(CLIP),
    "Bit": _Defaults(CLIP),
    "Siglip": _Defaults(SIGLIP),
    "Siglip2": _Defaults(SIGLIP2),
    "Fgclip2": _Defaults(FG_CLIP_2),
    "ViT": _Defaults(_VIT, squares=True),
    "Blip": _Defaults(_BLIP, squares=True, size=384),
}

_CLASS = re.compile(r"(\w+?)(ImageProcessor(Fast|Pil)?|FeatureExtractor)", re.ASCII)
RESAMPLE: dict[int, Interpolation] = {  # Pillow's numbers
    0: "nearest",
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
    4: "box",
    5: "hamming",
}


def read_preprocess(folder: Path, default: Preprocess) -> Preprocess:
    """Read the preprocessing of a model in a folder; CheckpointError if it contradicts the model's image size.

    The default, of that size, is for what the config file leaves out.
    """
    section = _find(folder)
    if section is None:
        return default
    section.ignore("processor_class", "do_convert_rgb", "_valid_processor_keys")
    section.ignore("data_format", "input_data_format", "return_tensors", "device", "disable_grouping")
    section.ignore("auto_map", "image_seq_length", "pad_size")  # the last are of other classes
    section.expect(do_pad=False, use_square_size=False)
    defaults = _class(section, _Defaults(default))
    if defaults.preprocess.resize_mode == "patches":
        preprocess = _patches(section, defaults.preprocess)
    else:
        preprocess = _sizes(section, defaults, default.size)
    preprocess = replace(
        preprocess,
        mean=section.channels("image_mean", preprocess.mean),
        std=section.deviations("image_std", preprocess.std),
        interpolation=_interpolation(section, preprocess.interpolation),
        scale=section.factor("rescale_factor", preprocess.scale),
    )
    if not section.get("do_rescale", bool, True):
        preprocess = replace(preprocess, scale=1.0)
    if not section.get("do_normalize", bool, True):
        preprocess = replace(preprocess, mean=(0.0,) * 3, std=(1.0,) * 3)
    finish_image_processor(section)
    if preprocess.patch_size != default.patch_size:
        raise CheckpointError(
            f"{section.path}: {'makes' if preprocess.patch_size else 'does not make'} images of any shape; expected "
            f"{f'patches of {default.patch_size}' if default.patch_size else 'squares'}, as config.json says."
        )
    if preprocess.size != default.size and default.patch_size is None:
        raise CheckpointError(
            f"{section.path}: makes images of {in_pixels(preprocess.sides)}; "
            f"expected {in_pixels(default.sides)}, which config.json says the model takes."
        )
    return preprocess


def read_transform(section: Section, default: Preprocess) -> Preprocess:
    """Read the options that OpenCLIP's transform of images has, and jina-clip's, which is like it."""
    return replace(
        default,
        mean=section.channels("mean", MEAN),
        std=section.deviations("std", STD),
        interpolation=section.one_of(
            "interpolation", {"bicubic": "bicubic", "random": "bicubic", "bilinear": "bilinear"}, "bicubic"
        ),
        resize_mode=section.one_of(
            "resize_mode", {"shortest": "shortest", "squash": "squash", "longest": "longest"}, "shortest"
        ),
        fill=section.get("fill_color", int, 0),
    )


def _find(folder: Path) -> Section | None:
    """Find the config; that in the processor's, where transformers 5 puts it, takes precedence."""
    if (folder / "processor_config.json").exists():
        processor = read_config_file(folder / "processor_config.json")
        if "image_processor" in processor:
            return processor.section("image_processor")
    if (folder / "preprocessor_config.json").exists():
        return read_config_file(folder / "preprocessor_config.json")
    return None


def _class(section: Section, default: _Defaults) -> _Defaults:
    """Return the defaults of the named class: `CLIPImageProcessorFast`, say, or, long ago, `CLIPFeatureExtractor`."""
    section.ignore("feature_extractor_type")  # the older name of the next
    for option in ("image_processor_type", "feature_extractor_type"):
        if option in section:
            match = _CLASS.fullmatch(section.get(option, str))
            if match is None or match[1] not in _CLASSES:
                raise section.unsupported(option, f"expected {' or '.join(_CLASSES)}, before ImageProcessor")
            return _CLASSES[match[1]]
    return default


def _sizes(section: Section, defaults: _Defaults, size: Size) -> Preprocess:
    """Read the size after resizing, of the short side or of both, and that of the crop; `size` is the model's."""
    default = defaults.preprocess
    squash, resized = _resized(section, defaults)
    crop = _crop(section, default.resize_mode == "shortest")
    if not section.get("do_resize", bool, True):
        return replace(default, size=crop or size, resize_mode="crop" if crop else "none")
    if not (crop or squash):
        raise section.unsupported("do_center_crop", "expected true where the short side is resized")
    return replace(
        default,
        size=crop or resized,
        resize_mode="squash" if squash else "shortest",
        short_side=resized if crop and crop != resized else None,
    )


def _crop(section: Section, default: bool) -> Size | None:
    """Read the size of the crop, None if there is none."""
    if not section.get("do_center_crop", bool, default):
        section.ignore("crop_size")
        return None
    if not section.is_section("crop_size"):
        return section.sides("crop_size", 224, MAX_SIDE)
    return _of_sides(section.section("crop_size"))


def _resized(section: Section, defaults: _Defaults) -> tuple[bool, Size]:
    """Read whether both sides are resized, and to what; else what the short side becomes."""
    squares = section.get("default_to_square", bool, defaults.squares)
    if section.is_section("size"):
        options = section.section("size")
        squash = "shortest_edge" not in options
        if squash:
            return True, _of_sides(options)
        size = options.size("shortest_edge", most=MAX_SIDE)
        options.finish()
        return False, size
    if "size" in section:
        return squares or section.is_list("size"), section.sides("size", 0, MAX_SIDE)
    return defaults.preprocess.resize_mode == "squash", defaults.size


def _of_sides(options: Section) -> Size:
    height, width = options.size("height", most=MAX_SIDE), options.size("width", most=MAX_SIDE)
    options.finish()
    return size_of(height, width)


def _patches(section: Section, default: Preprocess) -> Preprocess:
    """Read the number and the size of patches."""
    patch_size = section.size("patch_size", default.patch_size)
    most = section.size("max_num_patches", 256, MAX_PATCHES)
    section.expect(do_resize=True)
    side = math.isqrt(most)
    is_dynamic = bool(default.patch_counts) and section.get("dynamic_max_patches", bool, True)
    if not is_dynamic:
        default = replace(default, patch_counts=() if side * side == most else (most,))  # `size` tells a square alone
    return replace(default, size=side * patch_size, patch_size=patch_size)


def _interpolation(section: Section, default: Interpolation) -> Interpolation:
    if "resample" not in section:
        return default
    resample = section.json["resample"]
    if type(resample) is not int or resample not in RESAMPLE:  # of strings the processors make different things
        known = ", ".join(f"{number} ({name})" for number, name in RESAMPLE.items())
        raise section.unsupported("resample", f"expected one of Pillow's numbers: {known}")
    section.ignore("resample")
    return RESAMPLE[resample]
