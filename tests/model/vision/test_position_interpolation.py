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
