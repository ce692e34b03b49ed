import numpy as np
import pytest

from numpyclip.viz.confusion_matrix import confusion_matrix


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
