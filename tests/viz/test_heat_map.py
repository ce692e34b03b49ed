import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError
from numpyclip.viz.heat_map import COLOURS, colours, overlay


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Colours of sRGB in OKLab (https://bottosson.github.io/posts/oklab/)."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(
        linear
        @ np.array(
            [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
             [0.0883024619, 0.2817188376, 0.6299787005]]
        ).T
    )  # fmt: skip
    lab: np.ndarray = cones @ np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    ).T  # fmt: skip
    return lab


def test_steps_of_the_colours_look_equally_far_apart() -> None:
    lab = oklab(COLOURS)
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.15
    assert (np.diff(lab[:, 0]) > 0.02).all()  # lighter all the way, so that it is readable in grey too


def test_levels_between_two_colours_are_mixed_and_others_clipped() -> None:
    levels = np.array([0, 1 / 32, 1 / 16, 1, -3, 7], np.float32)
    expected = [COLOURS[0], (COLOURS[0] + COLOURS[1]) / 2, COLOURS[1], COLOURS[-1], COLOURS[0], COLOURS[-1]]
    np.testing.assert_allclose(colours(levels), expected, atol=1e-3)


def test_hot_is_light_cold_is_dark_and_what_is_not_seen_is_pale() -> None:
    heat = np.array([[np.nan, -5, 0, 5]], np.float32)
    drawn = np.asarray(overlay(Image.new("RGB", (4, 1), "black"), heat))[0].astype(float)
    assert drawn[0].tolist() == [166, 166, 166]
    np.testing.assert_allclose(drawn[[1, 3]], 0.6 * COLOURS[[0, -1]], atol=1)
    np.testing.assert_allclose(drawn[2], 0.6 * COLOURS[8], atol=1)


@pytest.mark.parametrize("value", [0.0, np.nan, 3.0])
def test_the_same_everywhere_is_cold_or_unseen_without_a_warning(value: float) -> None:
    drawn = overlay(Image.new("L", (3, 2), 255), np.full((2, 3), value, np.float32))
    assert drawn.size == (3, 2)
    assert len(set(drawn.getcolors() or [])) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_are_drawn_on_white(mode: str) -> None:
    drawn = overlay(Image.new(mode, (5, 4)), np.zeros((4, 5), np.float32))
    assert (drawn.mode, drawn.size) == ("RGB", (5, 4))


@pytest.mark.parametrize(("width", "height"), [(3, 4), (4, 3)])
def test_heat_of_another_shape_is_refused(width: int, height: int) -> None:
    with pytest.raises(InputError, match="expected"):
        overlay(Image.new("RGB", (width, height)), np.zeros((width, height), np.float32))
