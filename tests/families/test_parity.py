"""Every family, end to end: what the real library computed from the very folder that it wrote.

Recorded by tools/make_golden.py in float64; see tests/model/golden.py for the tolerance.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from tests.model.golden import assert_close

FAMILIES = Path(__file__).parents[1] / "golden" / "families"
NAMES = sorted(folder.name for folder in FAMILIES.iterdir() if folder.is_dir())


@cache
def load(name: str) -> tuple[CLIP, dict[str, Any]]:
    with np.load(FAMILIES / f"{name}.npz") as golden:
        return numpyclip.load(FAMILIES / name)[0], dict(golden)


def with_record_of(key: str) -> list[str]:
    names = []
    for name in NAMES:
        with np.load(FAMILIES / f"{name}.npz") as golden:
            if key in golden:
                names.append(name)
    return names


@pytest.mark.parametrize("name", with_record_of("encode_image"))
def test_embeddings_of_pictures_equal_the_library_s(name: str) -> None:
    model, golden = load(name)
    assert_close(model.encode_image(golden["image"]), golden["encode_image"])
    assert model.visual.output_dim == golden["encode_image"].shape[1]


@pytest.mark.parametrize("name", with_record_of("encode_image"))
def test_a_picture_with_nan_is_embedded_as_nan_and_changes_no_other(name: str) -> None:
    """Without a warning, either, which the tests take for an error."""
    model, golden = load(name)
    pixels = golden["image"]
    if pixels.dtype == np.uint8:  # Apple's, whose pixels are neither centred nor scaled
        pixels = pixels.transpose(0, 3, 1, 2) / np.float32(255)
    pixels = np.concatenate([pixels[:1], pixels])
    pixels[0, :, 5:9, 5:9] = np.nan
    embeddings = model.encode_image(pixels)
    assert np.isnan(embeddings[0]).all()
    assert_close(embeddings[1:], golden["encode_image"])


@pytest.mark.parametrize("name", with_record_of("encode_text"))
def test_embeddings_of_texts_equal_the_library_s(name: str) -> None:
    model, golden = load(name)
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])


@pytest.mark.parametrize("name", with_record_of("logits_per_image"))
def test_logits_equal_the_library_s(name: str) -> None:
    model, golden = load(name)
    logits, _ = model(golden["image"], golden["text"])
    assert_close(logits, golden["logits_per_image"])
