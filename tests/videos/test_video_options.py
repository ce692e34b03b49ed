from typing import Any

import pytest

from numpyclip.errors import InputError
from numpyclip.videos.video_options import VideoOptions


@pytest.mark.parametrize("name", ["every", "max_seconds", "max_frames", "max_pixels"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "1", None, True])
def test_numbers_are_above_0(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{name} is "):
        VideoOptions(**{name: value})
