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


@pytest.mark.parametrize("option", ["do_resize", "do_rescale", "do_normalize"])
def test_a_step_that_is_null_is_not_done(tmp_path: Path, option: str) -> None:
    assert read(tmp_path, {**NEW, option: None}) == read(tmp_path, {**NEW, option: False})
    assert read(tmp_path, {**NEW, option: None}) != read(tmp_path, NEW)
    with pytest.raises(UnsupportedCheckpointError, match="do_center_crop is None; expected true where the short"):
        read(tmp_path, {**NEW, "do_center_crop": None})


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
        ({"do_resize": 0}, "do_resize"),
        ({"do_rescale": "no"}, "do_rescale"),
        ({"do_normalize": 1}, "do_normalize"),
        ({"do_center_crop": False}, "do_center_crop"),
        ({"do_center_crop": 1}, "do_center_crop"),
        ({"do_pad": True}, "do_pad"),
        ({"default_to_square": 1}, "default_to_square"),
        ({"use_square_size": True}, "use_square_size"),
        ({"resample": 6}, "resample"),
        ({"resample": "bicubic"}, r"resample is 'bicubic'; .* 3 \(bicubic\)"),
        ({"resample": True}, "resample"),
        ({"rescale_factor": 0}, "rescale_factor"),
        ({"rescale_factor": 1e-300}, "rescale_factor"),
        ({"size": {"longest_edge": 336}}, "height"),
        ({"size": {"shortest_edge": 336, "longest_edge": 400}}, "size.longest_edge"),
        ({"size": {"max_height": 336, "max_width": 300}}, "height"),
        ({"size": [336]}, "size"),
        ({"crop_size": {"shortest_edge": 336}}, "height"),
        ({"size": "large"}, "size"),
        ({"size": {"shortest_edge": 2049}}, "size.shortest_edge"),
        ({"size": {"height": 2**24, "width": 2**24}}, "size.height"),
        ({"size": 2049}, "size is 2049"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_mean": [0.5, float("nan"), 0.5]}, "image_mean"),
        ({"image_std": [0.5, 0.0, 0.5]}, "image_std"),
        ({"image_processor_type": "DeiTImageProcessor"}, "image_processor_type .* expected CLIP or .* before"),
        ({"image_processor_type": "CLIP"}, "image_processor_type"),
        ({"crop_pct": 0.875}, "crop_pct"),
        ({"rescale_offset": True}, "rescale_offset"),
    ],
)
def test_an_option_that_is_not_supported_is_named(tmp_path: Path, options: dict[str, Any], name: str) -> None:
    with pytest.raises(CheckpointError, match=name) as caught:
        read(tmp_path, {**NEW, **options})
    assert "preprocessor_config.json" in str(caught.value)
    assert isinstance(caught.value, UnsupportedCheckpointError) or "is missing" in str(caught.value)


@pytest.mark.parametrize("sizes", [{}, {"size": {"height": 336, "width": 300}, "crop_size": [336, 300]}])
def test_images_of_another_size_than_the_model_takes_are_an_error(tmp_path: Path, sizes: dict[str, Any]) -> None:
    made = "300 x 336" if sizes else "336 x 336"
    with pytest.raises(CheckpointError, match=f"makes images of {made} px; expected 224 x 224 px"):
        read(tmp_path, {**NEW, **sizes}, CLIP)


RECTANGLE = replace(CLIP, size=(336, 300))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"do_resize": False}, replace(CLIP_336, resize_mode="crop")),
        ({"do_resize": False, "do_center_crop": False}, replace(CLIP_336, resize_mode="none")),
        (
            {"do_resize": False, "do_center_crop": False, "size": {"height": 9, "width": 9}},
            replace(CLIP_336, resize_mode="none"),
        ),
        ({"do_rescale": False}, replace(CLIP_336, scale=1.0)),
        ({"rescale_factor": 1 / 127.5}, replace(CLIP_336, scale=1 / 127.5)),
        ({"do_normalize": False}, replace(CLIP_336, mean=(0.0,) * 3, std=(1.0,) * 3)),
        ({"do_normalize": False, "image_mean": None}, replace(CLIP_336, mean=(0.0,) * 3, std=(1.0,) * 3)),
        ({"image_mean": 0.5, "image_std": 1}, replace(CLIP_336, mean=(0.5,) * 3, std=(1.0,) * 3)),
        ({"resample": 0}, replace(CLIP_336, interpolation="nearest")),
        ({"resample": 1}, replace(CLIP_336, interpolation="lanczos")),
        ({"resample": 4}, replace(CLIP_336, interpolation="box")),
        ({"resample": 5}, replace(CLIP_336, interpolation="hamming")),
        ({"do_convert_rgb": False}, CLIP_336),
        ({"size": 336}, CLIP_336),
        ({"size": 336, "default_to_square": True}, replace(CLIP_336, resize_mode="squash")),
        ({"size": [336, 336]}, replace(CLIP_336, resize_mode="squash")),
        ({"size": [400, 350]}, replace(CLIP_336, resize_mode="squash", short_side=(400, 350))),
        ({"crop_size": [336, 336]}, CLIP_336),
        ({"license": "mit", "_name_or_path": "x", "do_reduce_labels": False, "crop_pct": None}, CLIP_336),
        ({"crop_size": [336, 300]}, replace(RECTANGLE, short_side=336)),
        ({"crop_size": {"height": 336, "width": 300}, "size": 320}, replace(RECTANGLE, short_side=320)),
        ({"size": {"height": 336, "width": 300}, "do_center_crop": False}, replace(RECTANGLE, resize_mode="squash")),
    ],
)
def test_what_transformers_processors_can_be_told(
    tmp_path: Path, options: dict[str, Any], expected: Preprocess
) -> None:
    assert read(tmp_path, {**NEW, **options}, replace(CLIP_336, size=expected.size)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CLIPImageProcessorPil", CLIP),
        ("BitImageProcessor", CLIP),
        ("ChineseCLIPFeatureExtractor", CLIP),
        ("ViTImageProcessor", replace(SIGLIP, interpolation="bilinear")),
        ("ViTFeatureExtractor", replace(SIGLIP, interpolation="bilinear")),
        ("BlipImageProcessorFast", replace(CLIP, size=384, resize_mode="squash")),
    ],
)
def test_the_defaults_are_those_of_the_class(tmp_path: Path, name: str, expected: Preprocess) -> None:
    assert read(tmp_path, {"image_processor_type": name}, expected) == expected


def test_one_number_is_the_short_side_or_both_as_the_class_says(tmp_path: Path) -> None:
    for name, mode in (("CLIP", "shortest"), ("Bit", "shortest"), ("ViT", "squash"), ("Blip", "squash")):
        options = {"image_processor_type": f"{name}ImageProcessor", "size": 336, "crop_size": 336}
        assert read(tmp_path, options).resize_mode == mode
