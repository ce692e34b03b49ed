"""A small CLIP, for which every layout has a place."""

from pathlib import Path

import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from tests.random_clip import write_random_clip


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in OpenAI's layout."""
    return write_random_clip(tmp_path_factory.mktemp("weights") / "random.npz")


@pytest.fixture(scope="session")
def model(weights: Path) -> CLIP:
    """The model in it."""
    loaded, _ = numpyclip.load(weights, activation="quick_gelu")
    return loaded
