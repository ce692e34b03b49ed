"""Options of a description one by one, as untrusted files may have them."""

from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.config_file import MAX_SIDE, Section, read_config_file
from numpyclip.images.preprocess import STD


def section(**options: Any) -> Section:
    return Section(Path("config.json"), "vision_cfg", options)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "config.json").write_text(f'{{"scale": {number}}}')
    with pytest.raises(UnsupportedCheckpointError, match=r"scale is (nan|-?inf); expected a finite number"):
        read_config_file(tmp_path / "config.json").get("scale", float)


@pytest.mark.parametrize("eps", [0, 0.0, 1e-12, 1e-5, 0.5])
def test_eps_is_small_and_not_negative(eps: float) -> None:
    assert section(eps=eps).eps("eps", 1e-6) == eps
    assert section().eps("eps", 1e-6) == 1e-6


@pytest.mark.parametrize("eps", [-1e-9, -1, 1, 1.0, 1e30, float("nan"), float("inf"), "1e-5", True])
def test_an_eps_that_no_norm_can_add_is_refused(eps: Any) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=r"config.json: vision_cfg.eps is .*; expected "):
        section(eps=eps).eps("eps", 1e-6)


@pytest.mark.parametrize("value", [0, 0.0, -0.5, 1e-300, float("nan"), float("inf"), 10**400])
def test_a_deviation_that_pixels_cannot_be_divided_by_is_refused(value: float) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg.std is .*; expected 3 numbers"):
        section(std=[0.5, value, 0.5]).deviations("std", STD)
    assert section(std=[0.5, 1, 255]).deviations("std", STD) == (0.5, 1.0, 255.0)
    assert section().deviations("std", STD) == STD


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), "0", None])
def test_a_mean_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg.mean is .*; expected 3 numbers"):
        section(mean=[0.5, value, 0.5]).channels("mean", STD)


@pytest.mark.parametrize("side", [MAX_SIDE + 1, [MAX_SIDE + 1] * 2])
def test_a_side_has_a_bound_where_there_is_one(side: Any) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=rf"image_size is .*; expected .*1..{MAX_SIDE}"):
        section(image_size=side).sides("image_size", 224, MAX_SIDE)
    assert section(image_size=[64, 64]).sides("image_size", 224, MAX_SIDE) == 64


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("pool_type", "text_config.pool_type is 3"),
        ("a\n\x1b[2J\ud800", r"text_config.'a\n\x1b[2J\ud800' is 3"),
        ("a" * 999, f"text_config.'{'a' * 200}'... is 3"),
    ],
)
def test_an_option_is_named_as_it_is_or_quoted(option: str, shown: str) -> None:
    described = Section(Path("config.json"), "text_config", {option: 3})
    with pytest.raises(UnsupportedCheckpointError) as caught:
        described.finish()
    assert caught.value.args[0] == f"config.json: {shown}; this option is not supported."


def test_the_name_of_a_section_within_sections_is_quoted_and_cut_too() -> None:
    described = Section(Path("config.json"), "", {"a\n": {"b" * 999: {"c": 3}}})
    within = described.section("a\n").section("b" * 999)
    with pytest.raises(UnsupportedCheckpointError) as caught:
        within.finish()
    assert caught.value.args[0] == f"config.json: 'a\\n'.'{'b' * 200}'....c is 3; this option is not supported."
