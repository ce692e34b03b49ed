"""What preprocessor_config.json says, in all its forms."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families.image_processor import CLIP, SIGLIP, read_preprocess
from numpyclip.images.preprocess import Preprocess

OLD = {
    "crop_size": 336,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 336,
}
NEW = {
    **OLD,
    "crop_size": {"height": 336, "width": 336},
    "do_convert_rgb": True,
    "do_rescale": True,
    "image_processor_type": "CLIPImageProcessor",
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 336},
}
SQUASHED = {
    "do_convert_rgb": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "SiglipProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 336, "width": 336},
}
CLIP_336 = replace(CLIP, size=336)


def read(folder: Path, options: dict[str, Any], default: Preprocess = CLIP_336) -> Preprocess:
    (folder / "preprocessor_config.json").write_text(json.dumps(options))
    return read_preprocess(folder, default)


@pytest.mark.parametrize("options", [OLD, NEW, {**NEW, "image_processor_type": "CLIPImageProcessorFast"}])
def test_both_forms_of_clip_s_are_read(tmp_path: Path, options: dict[str, Any]) -> None:
    assert read(tmp_path, options) == Preprocess(336, profile="transformers")


def test_options_without_effect_are_read(tmp_path: Path) -> None:
    without = {"do_pad": False, "default_to_square": False, "use_square_size": False, "return_tensors": "np"}
    assert read(tmp_path, {**NEW, **without}) == CLIP_336
    for option in without:
        assert read(tmp_path, {**NEW, option: None}) == CLIP_336


def test_siglip_s_is_read(tmp_path: Path) -> None:
    half = (0.5, 0.5, 0.5)
    expected = Preprocess(
        336, profile="transformers", mean=half, std=half, interpolation="bilinear", resize_mode="squash"
    )
    assert read(tmp_path, SQUASHED, replace(SIGLIP, size=336)) == expected


def test_what_is_left_out_is_what_the_class_does_that_is_named(tmp_path: Path) -> None:
    default = replace(SIGLIP, size=224)
    assert read(tmp_path, {}, default) == default
    assert read(tmp_path, {"image_processor_type": "CLIPImageProcessor"}, default) == CLIP
    assert read(tmp_path, {"image_processor_type": "SiglipImageProcessor"}, CLIP) == default


def test_without_a_file_the_family_s_own_way_counts(tmp_path: Path) -> None:
    assert read_preprocess(tmp_path, CLIP_336) == CLIP_336


def test_the_description_of_the_whole_processor_counts_first(tmp_path: Path) -> None:
    nested = {"image_processor": SQUASHED, "processor_class": "SiglipProcessor"}
    (tmp_path / "processor_config.json").write_text(json.dumps(nested))
    assert read(tmp_path, NEW).resize_mode == "squash"
    (tmp_path / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')
    assert read(tmp_path, NEW).resize_mode == "shortest"


def test_a_resize_to_more_than_the_crop_is_kept_apart(tmp_path: Path) -> None:
    found = read(tmp_path, {**NEW, "size": {"shortest_edge": 380}})
    assert (found.size, found.short_side) == (336, 380)
    assert read(tmp_path, NEW).short_side is None


def test_a_resize_to_less_than_the_crop_or_to_a_larger_square_is_kept_apart_too(tmp_path: Path) -> None:
    found = read(tmp_path, {**NEW, "size": 300})
    assert (found.size, found.short_side, found.resize_mode) == (336, 300, "shortest")
    found = read(tmp_path, {**NEW, "size": {"height": 400, "width": 400}})
    assert (found.size, found.short_side, found.resize_mode) == (336, 400, "squash")


def test_a_crop_that_cuts_nothing_is_none(tmp_path: Path) -> None:
    for crop in (True, False):
        found = read(tmp_path, {**NEW, "size": {"height": 336, "width": 336}, "do_center_crop": crop})
        assert (found.size, found.resize_mode, found.short_side) == (336, "squash", None)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"do_resize": False}, "do_resize"),
        ({"do_rescale": False}, "do_rescale"),
        ({"do_normalize": False}, "do_normalize"),
        ({"do_center_crop": False}, "do_center_crop"),
        ({"do_center_crop": 1}, "do_center_crop"),
        ({"do_pad": True}, "do_pad"),
        ({"default_to_square": True}, "default_to_square"),
        ({"use_square_size": True}, "use_square_size"),
        ({"resample": 1}, "resample"),
        ({"resample": "bicubic"}, "resample"),
        ({"rescale_factor": 1.0}, "rescale_factor"),
        ({"size": {"longest_edge": 336}}, "height"),
        ({"size": {"shortest_edge": 336, "longest_edge": 400}}, "size.longest_edge"),
        ({"size": {"height": 336, "width": 300}}, "size.width"),
        ({"size": "large"}, "size"),
        ({"crop_size": {"height": 336, "width": 300}}, "crop_size.width"),
        ({"crop_size": [336, 336]}, "crop_size"),
        ({"size": {"shortest_edge": 2049}}, "size.shortest_edge"),
        ({"size": {"height": 2**24, "width": 2**24}}, "size.height"),
        ({"size": 2049}, "size is 2049"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_mean": [0.5, float("nan"), 0.5]}, "image_mean"),
        ({"image_std": [0.5, 0.0, 0.5]}, "image_std"),
        ({"image_processor_type": "ViTImageProcessor"}, "image_processor_type"),
        ({"sharpen": 2}, "sharpen"),
    ],
)
def test_an_option_that_is_not_supported_is_named(tmp_path: Path, options: dict[str, Any], name: str) -> None:
    with pytest.raises(CheckpointError, match=name) as caught:
        read(tmp_path, {**NEW, **options})
    assert "preprocessor_config.json" in str(caught.value)
    assert isinstance(caught.value, UnsupportedCheckpointError) or "is missing" in str(caught.value)


def test_pictures_of_another_size_than_the_model_takes_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="makes images of 336 by 336 pixels; expected 224 by 224"):
        read(tmp_path, NEW, CLIP)
