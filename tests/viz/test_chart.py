import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError
from numpyclip.viz.chart import bar_chart

PURPLE = (0x8C, 0x0C, 0x6E)


def length(chart: Image.Image, y: int, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(chart)[y] == colour).all(axis=1).sum())


def first_bar(probability: float) -> int:
    chart = bar_chart(Image.new("RGB", (8, 8)), [("a", probability)])
    return max(length(chart, y, PURPLE) for y in range(chart.height))


@pytest.mark.parametrize(("probability", "pixels"), [(1, 321), (0.5, 161), (0.25, 81), (0.0, 0)])
def test_bars_are_as_long_as_the_probability(probability: float, pixels: int) -> None:
    assert first_bar(probability) == pytest.approx(pixels, abs=1)


def test_charts_grow_with_the_number_of_bars() -> None:
    heights = [bar_chart(np.zeros((4, 4), np.uint8), [("x", 0.1)] * n).height for n in (1, 5, 6, 10)]
    assert heights == [288, 288, 296, 472]


@pytest.mark.parametrize("size", [(1, 1), (5000, 20)])
def test_pictures_of_any_shape_are_drawn(size: tuple[int, int]) -> None:
    chart = bar_chart(Image.new("RGB", size, (0, 0, 255)), [("x" * 300, 1e-9), ("日本\u202e", 0.3)])
    assert (np.asarray(chart)[:, :272] == (0, 0, 255)).all(axis=2).any()


@pytest.mark.parametrize("bars", [[], [("a", 1.2)], [("a", -0.1)], [("a", float("nan"))], [("a", 0.1)] * 201])
def test_wrong_bars_are_refused(bars: list[tuple[str, float]]) -> None:
    with pytest.raises(InputError):
        bar_chart(Image.new("RGB", (4, 4)), bars)
