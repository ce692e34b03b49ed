from pathlib import Path

import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP


@pytest.fixture
def path(checkpoints: Path) -> Path:
    return checkpoints / "vit.safetensors"


@pytest.fixture
def by_numpy(path: Path) -> CLIP:
    return numpyclip.load(path, activation="quick_gelu")[0]


@pytest.fixture
def by_engine(path: Path, engine: str) -> CLIP:
    return numpyclip.load(path, activation="quick_gelu", engine=engine)[0]
