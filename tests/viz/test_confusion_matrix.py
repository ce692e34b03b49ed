import numpy as np
import pytest

from numpyclip.viz.confusion_matrix import confusion_matrix
from numpyclip.viz.fonts import Line
from tests.viz.conftest import Drawn


@pytest.mark.parametrize("n", [1, 2, 30, 500])
def test_a_confusion_is_drawn_at_every_size(n: int) -> None:
    counts = np.zeros((n, n), np.int64)
    counts[0, n - 1] = 3
    picture = confusion_matrix(counts, [f"label {i} " * (i % 9 + 1) for i in range(n)])
    assert picture.mode == "RGB"
    assert max(picture.size) < 4400
    colours = {colour for _, colour in picture.getcolors(2**24) or []}
    assert (8, 48, 107) in colours  # all of the first row is in one cell


def test_names_of_any_letters_are_drawn() -> None:
    assert confusion_matrix(np.eye(2, dtype=np.int64), ["\u732b", "caf\u00e9 \U0001f600"]).size


def test_counts_stand_in_their_cells_white_on_what_is_dark(drawn_lines: Drawn) -> None:
    picture = confusion_matrix(np.array([[3, 1], [2, 2]]), ["a", "b"])
    names = [line for line in drawn_lines if not line[0].isdigit()]
    margin = picture.width - 2 * 36 - 8
    assert names == [
        ("a", margin - 6, margin + 18, "black", "rm"),
        ("a", 0, 18, "white", "lm"),
        ("b", margin - 6, margin + 54, "black", "rm"),
        ("b", 0, 18, "white", "lm"),
    ]
    assert [line for line in drawn_lines if line[0].isdigit()] == [
        ("3", margin + 18, margin + 18, "white", "mm"),
        ("1", margin + 54, margin + 18, "black", "mm"),
        ("2", margin + 18, margin + 54, "black", "mm"),
        ("2", margin + 54, margin + 54, "black", "mm"),
    ]


def test_cells_are_dark_by_their_share_of_the_row() -> None:
    picture = confusion_matrix(np.array([[1, 3], [0, 0]]), ["a", "b"])
    margin = picture.width - 2 * 36 - 8
    assert picture.size == (margin + 80, margin + 80)
    corners = [picture.getpixel((margin + 36 * j + 2, margin + 36 * i + 2)) for i in range(2) for j in range(2)]
    assert corners == [(193, 203, 218), (70, 100, 144), (255, 255, 255), (255, 255, 255)]
    frame = [picture.getpixel(place) for place in ((margin - 1, margin - 1), (margin + 72, margin + 72))]
    assert frame == [(128, 128, 128)] * 2
    assert picture.getpixel((margin + 73, margin + 73)) == (255, 255, 255)


def test_names_are_turned_above_the_columns_and_end_at_the_matrix() -> None:
    picture = confusion_matrix(np.zeros((2, 2), np.int64), ["wide and long", "i"])
    margin = picture.width - 2 * 36 - 8
    above = np.asarray(picture.convert("L"))[: margin - 1, margin:] < 128
    first, second = above[:, :36], above[:, 36:72]
    assert first.any(axis=1).sum() > 5 * second.any(axis=1).sum() > 0
    assert margin - 10 <= np.flatnonzero(first.any(axis=1)).max() < margin - 1
    assert np.flatnonzero(first.any(axis=1)).min() >= 0
    assert abs(np.flatnonzero(first.any(axis=0)).mean() - 18) < 3
    beside = np.asarray(picture.convert("L"))[margin:, : margin - 1] < 128
    assert beside[:36].any(axis=0).sum() > 5 * beside[36:72].any(axis=0).sum() > 0
    assert margin - 12 <= np.flatnonzero(beside.any(axis=0)).max() < margin - 4


@pytest.mark.parametrize(("n", "cell", "named"), [(11, 36, True), (40, 10, True), (41, 9, False), (401, 1, False)])
def test_cells_shrink_until_there_is_no_room_for_names(
    monkeypatch: pytest.MonkeyPatch, n: int, cell: int, named: bool
) -> None:
    monkeypatch.setattr("numpyclip.viz.confusion_matrix._MOST_SIDE", 400)
    picture = confusion_matrix(np.zeros((n, n), np.int64), ["x"] * n)
    width = int(Line.of("x", min(cell // 2, 14)).width) + 12 + 8 if named else 0
    assert picture.size == (n * cell + width, n * cell + width)
