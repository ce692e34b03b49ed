import hashlib
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.errors import PictureError
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.images.metadata import ImageMetadata


def test_an_image_is_known_by_its_content(bird: Path) -> None:
    data, state = bird.read_bytes(), FileState.of(bird)
    found = ImageMetadata.of(data, str(bird), state)
    with Image.open(bird) as image:
        assert found == ImageMetadata(hashlib.sha256(data).digest(), Exif(*image.size), state)
    assert state.is_here
    assert not NO_FILE.is_here


def test_what_is_no_image_is_named() -> None:
    with pytest.raises(PictureError, match=r"^a\.jpg: cannot be read as an image"):
        ImageMetadata.of(b"no image", "a.jpg")
