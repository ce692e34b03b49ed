"""An index of a few drawings, one of them with EXIF data, and one with a name that is no text."""

from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index

NAMES = ("bird", "house", "camera")


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image]) -> Path:
    folder = tmp_path_factory.mktemp("drawings")
    (folder / "sub").mkdir()
    for name in NAMES:
        exif = Image.Exif()
        exif[0x0132] = "2020:05:01 12:00:00"  # DateTime
        exif[0x010E] = "a secret of the owner"
        emoji[name].save(folder / f"{name}.jpg", exif=exif, quality=95)
    emoji["butterfly"].save(folder / "sub" / b"na\xffme.png".decode("utf-8", "surrogateescape"))
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, drawings: Path, tiny: CLIP) -> str:
    place = str(tmp_path_factory.mktemp("index") / "store")
    with Index(place, tiny, create=True) as index:
        with index.adding():
            index.begin()
            index.store.remember_model(tiny.fingerprint, '{"model": "tiny"}')
        index.update([drawings])
        index.add_texts(["a bird"])
    return place
