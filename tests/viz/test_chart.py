import io

import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.viz.chart import bar_chart
from numpyclip.viz.fonts import Line
from tests.picture_files import ORIENTATION
from tests.viz.conftest import Drawn

PURPLE, OTHER, TRACK = (0x8C, 0x0C, 0x6E), (0xC9, 0xA3, 0xC0), (0xEE, 0xEE, 0xEE)


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


def test_labels_and_shares_stand_above_their_bars(drawn_lines: Drawn) -> None:
    chart = bar_chart(Image.new("RGB", (8, 8)), [("a", 0.5), ("b" * 99, 0.25)])
    assert chart.size == (256 + 320 + 48, 288)
    top = 16 + (256 - 88) // 2
    assert drawn_lines[:2] == [
        ("50.0%", 608, top + 12, "#222222", "rm"),
        ("a", 288, top + 12, "#222222", "lm"),
    ]
    text, *where = drawn_lines[3]
    assert where == [288, top + 44 + 12, "#222222", "lm"]
    assert 320 - 70 - 16 - 20 < Line.of(text, 15).width <= 320 - Line.of("25.0%", 15).width - 16


def test_bars_lie_on_tracks_and_only_the_first_stands_out() -> None:
    chart = np.asarray(bar_chart(Image.new("RGB", (8, 8)), [("a", 0.5), ("b", 0.25), ("c", 1e-9)]))
    top = 16 + (256 - 3 * 44) // 2
    for number, colour in enumerate([PURPLE, OTHER, TRACK]):
        rows = np.flatnonzero((chart[:, 300] == colour).all(axis=1))
        assert (rows.min(), rows.max()) == (top + 44 * number + 24, top + 44 * number + 34)
        assert tuple(chart[rows[5], 607]) == TRACK
        across = np.flatnonzero((chart[rows[5], 280:] != 255).any(axis=1)) + 280
        assert (across.min(), across.max()) == (288, 608)
    assert not (chart == PURPLE).all(axis=2)[top + 40 :].any()


def test_the_picture_is_centred_beside_the_bars() -> None:
    chart = np.asarray(bar_chart(Image.new("RGB", (8, 4), "blue"), [("a", 0.5)]))
    rows, columns = np.nonzero((chart == (0, 0, 255)).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16 + 64, 16 + 191, 16, 16 + 255)
    chart = np.asarray(bar_chart(Image.new("RGB", (4, 8), "blue"), [("a", 0.5)]))
    rows, columns = np.nonzero((chart == (0, 0, 255)).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 16 + 255, 16 + 64, 16 + 191)


def test_short_bars_are_round() -> None:
    chart = np.asarray(bar_chart(Image.new("RGB", (8, 8)), [("a", 6 / 320)]))
    bar = (chart == PURPLE).all(axis=2)
    assert np.flatnonzero(bar.any(axis=0)).tolist() == list(range(288, 295))
    assert bar.any(axis=1).sum() == 11
    assert bar[:, 288].sum() < 9  # its corners are cut
    long = (np.asarray(bar_chart(Image.new("RGB", (8, 8)), [("a", 1)])) == PURPLE).all(axis=2)
    assert long[:, 288].sum() < 9


@pytest.mark.parametrize(
    ("options", "across"), [([], 64), ([DecodeOptions()], 64), ([DecodeOptions(orient=False)], 256)]
)
def test_the_picture_is_turned_as_exif_says(options: list[DecodeOptions], across: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    file = io.BytesIO()
    Image.new("RGB", (40, 10), "blue").save(file, "PNG", exif=exif)
    chart = bar_chart(file.getvalue(), [("a", 1)], *options)
    assert length(chart, 16 + 128, (0, 0, 255)) == across


def test_two_hundred_bars_are_drawn() -> None:
    assert bar_chart(Image.new("RGB", (8, 8)), [("a", 0)] * 200).height == 200 * 44 + 32
    with pytest.raises(InputError, match="there are 201 labels to draw; expected 1 to 200"):
        bar_chart(Image.new("RGB", (8, 8)), [("a", 0)] * 201)
