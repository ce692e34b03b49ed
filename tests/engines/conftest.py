from pathlib import Path

import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.selection import ENGINES


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that is installed."""
    name: str = request.param
    pytest.importorskip(name)
    pytest.importorskip("onnx")
    return name


@pytest.fixture
def path(checkpoints: Path) -> Path:
    return checkpoints / "vit.safetensors"


@pytest.fixture
def by_numpy(path: Path) -> CLIP:
    return numpyclip.load(path, activation="quick_gelu")[0]


@pytest.fixture
def by_engine(path: Path, engine: str) -> CLIP:
    return numpyclip.load(path, activation="quick_gelu", engine=engine)[0]
