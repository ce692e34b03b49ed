"""The bounds on what an untrusted file may take, by its size."""

import pytest

from numpyclip.errors import CorruptCheckpointError
from numpyclip.weights.budget import Budget, inflated_limit


@pytest.mark.parametrize(
    ("file_size", "objects", "inflated"),
    [(0, 2**25, 2**24), (2**20, 2**25 + 2**18, 2**24 + 3 * 2**20), (2**32, 2**25 + 2**30, 2**24 + 3 * 2**32)],
)
def test_what_a_file_may_take_grows_with_its_size(file_size: int, objects: int, inflated: int) -> None:
    assert Budget(file_size).left == objects
    assert inflated_limit(file_size) == inflated


def test_the_error_says_how_much_a_file_of_its_size_may_take() -> None:
    with pytest.raises(CorruptCheckpointError, match=r"^x\.pt: .* more than 33816576 bytes"):
        Budget(2**20).refuse("x.pt")
