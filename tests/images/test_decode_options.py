"""What pictures may be decoded, and how, unless another value is passed."""

from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.images.decode_options import DEFAULTS, DRAFT, MAX_PIXELS, DecodeOptions


def test_pictures_are_turned_whole_and_may_lack_their_ends() -> None:
    assert (
        DecodeOptions(orient=True, draft=False, max_pixels=MAX_PIXELS, strict_files=False, develop_raw=False)
        == DEFAULTS
    )
    assert DecodeOptions(draft=True) == DRAFT
    assert MAX_PIXELS >= 200_000_000  # what phones make


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "1"])
def test_some_pixels_are_allowed(wrong: Any) -> None:
    assert DecodeOptions(max_pixels=1).max_pixels == 1
    with pytest.raises(InputError, match=r"^max_pixels is .*; expected an integer above 0"):
        DecodeOptions(max_pixels=wrong)
