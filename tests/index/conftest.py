"""A folder of pictures, and an index of it."""

from pathlib import Path

import pytest
from PIL import Image

from numpyclip.index import Index
from numpyclip.model.clip import CLIP


@pytest.fixture
def photos(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """Six pictures in two folders."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, (name, picture) in enumerate(sorted(emoji.items())[:6]):
        picture.save(folder / ("more" if number % 2 else ".") / f"{name}.png")
    return folder


@pytest.fixture
def index(tmp_path: Path, tiny: CLIP) -> Index:
    return Index(tmp_path / "index", tiny, create=True)
