"""What tests of several adapters need."""

from collections.abc import Sequence
from typing import Any

import pytest

from numpyclip.dual_encoder.clip import CLIP


@pytest.fixture
def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of images that are embedded together."""
    sizes: list[int] = []
    embed_pixels = CLIP.embed_pixels

    def counted(model: CLIP, pixels: Sequence[Any]) -> Any:
        sizes.append(len(pixels))
        return embed_pixels(model, pixels)

    monkeypatch.setattr(CLIP, "embed_pixels", counted)
    return sizes
