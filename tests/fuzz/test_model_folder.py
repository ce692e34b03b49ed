"""Config files of untrusted model folders: a model that computes, or a documented error, in bounded memory."""

import json
import random
import shutil
import tracemalloc
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpyclip
from numpyclip.errors import MissingPackageError, NumPyCLIPError
from tests.fuzz.json_changes import changed, damaged

FAMILIES = Path(__file__).parents[1] / "golden" / "families"
FOLDERS = (
    "jina-clip-v2",
    "nomic-embed-text-v1",
    "nomic-vision",
    "open_clip-quickgelu",
    "open_clip-coca",
    "timm-siglip",
    "timm-pe",
    "transformers-clip",
    "transformers-siglip2",
)
FILES = sorted(path for name in FOLDERS for path in (FAMILIES / name).glob("*.json"))
MEMORY = 2**27  # bytes; the models have up to 1.5 million parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@cache
def content(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def read(folder: Path, path: Path, data: bytes) -> None:
    """Load and use a model with a file replaced; anything but a documented error goes through."""
    shutil.rmtree(folder)
    shutil.copytree(path.parent, folder)
    (folder / path.name).write_bytes(data)
    tracemalloc.start()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            model, preprocess = numpyclip.load(folder, low_memory=True)
            if model.config.vision is not None and max(preprocess.sides) <= 256:
                model.encode_image(np.zeros((1, 3, *preprocess.sides), np.float32))
            if model.config.text is not None:
                model.encode_text(np.ones((1, model.context_length), int))
            repr(model)
    except NumPyCLIPError as error:
        assert len(str(error)) < 1000
        assert not isinstance(error, MissingPackageError)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY


@given(path=st.sampled_from(FILES), chance=st.randoms(use_true_random=False))
def test_a_changed_option_is_computed_or_refused(folder: Path, path: Path, chance: random.Random) -> None:
    read(folder, path, changed(content(path), chance))


@given(path=st.sampled_from(FILES), chance=st.randoms(use_true_random=False))
def test_damaged_config_files_are_computed_or_refused(folder: Path, path: Path, chance: random.Random) -> None:
    read(folder, path, damaged(path.read_bytes(), chance))


@pytest.mark.exhaustive
def test_thousands_of_changes_are_computed_or_refused(folder: Path) -> None:
    for seed in range(3000):
        chance = random.Random(seed)
        path = chance.choice(FILES)
        read(folder, path, changed(content(path), chance) if seed % 4 else damaged(path.read_bytes(), chance))
