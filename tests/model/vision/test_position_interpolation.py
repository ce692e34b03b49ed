"""Resizing places, by hand; tests/families/test_siglip2.py compares it with PyTorch's."""

import numpy as np

from numpyclip.model.vision.position_interpolation import interpolate_positions


def test_the_square_that_was_learned_stays_as_it_is() -> None:
    square = np.arange(18, dtype=np.float32).reshape(2, 9)
    assert interpolate_positions(square, 3, 3) is square


def test_rows_are_resized_apart_from_columns() -> None:
    square = np.array([[0, 0, 4, 4]], np.float32)  # two rows of two columns
    assert interpolate_positions(square, 1, 3).tolist() == [[2, 2, 2]]
    assert interpolate_positions(square, 4, 1).tolist() == [[0, 1, 3, 4]]


def test_a_single_column_differs_from_row_to_row() -> None:
    """PyTorch 2.14 makes its rows all alike on the CPU, unless the same numbers lie otherwise in memory."""
    square = np.arange(48, dtype=np.float32).reshape(3, 16) ** 2
    turned = square.reshape(3, 4, 4).swapaxes(1, 2).reshape(3, 16)
    for rows in (3, 4, 9):
        column = interpolate_positions(square, rows, 1)
        np.testing.assert_allclose(column, interpolate_positions(turned, 1, rows), rtol=1e-6)
        assert (np.diff(column) > 0).all()


def test_fewer_places_are_means_of_their_neighbourhood() -> None:
    line = np.tile(np.array([0, 0, 0, 8], np.float32), 4)[np.newaxis]
    # triangles two places to either side of 1 and 3: weights 3, 3, 1 of 7 (and their mirror image)
    np.testing.assert_allclose(interpolate_positions(line, 1, 2), [[8 * 0 / 7, 8 * 3 / 7]], rtol=1e-6)


def test_what_all_places_have_in_common_stays() -> None:
    square = np.full((3, 16), 2.5, np.float32)
    np.testing.assert_allclose(interpolate_positions(square, 7, 3), np.full((3, 21), 2.5), rtol=1e-6)


def test_cubic_weights_are_those_of_pytorch() -> None:
    """Recorded from `interpolate(..., mode="bicubic", antialias=True)`: one side grows, or shrinks, or stays."""
    square = np.array([[0, 1, 4, 9, 16, 25, 36, 49, 64]], np.float32)
    recorded = {
        (2, 5): [1.85005, 2.85095, 4.92456, 8.20712, 10.15, 26.07247, 30.23266, 38.05458, 47.08545, 52.18762],
        (4, 3): [-0.47015, 0.21642, 2.90299, 3.74649, 8.08606, 14.42563, 19.70907, 29.3695, 41.02993, 37.41045,
                 50.72388, 66.03732],
    }  # fmt: skip
    for sides, expected in recorded.items():
        np.testing.assert_allclose(interpolate_positions(square, *sides, "bicubic")[0], expected, atol=2e-5)
