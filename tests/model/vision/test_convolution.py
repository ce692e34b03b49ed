from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.vision.convolution import normalized_innermost, pixels_innermost
from tests.families.test_parity import FAMILIES
from tests.model.golden import assert_close

TOWERS = ["open_clip-convnext", "open_clip-convnext-mlp", "open_clip-fastvit", "open_clip-fastvit-five-stages",
          "open_clip-convnext-abs_attn", "open_clip-convnext-tall", "open_clip-fastvit-rot_attn"]  # fmt: skip


@pytest.mark.parametrize("give", [pixels_innermost, normalized_innermost])
def test_pixels_of_both_forms_are_the_same(give: Callable[..., np.ndarray]) -> None:
    preprocess = Preprocess(5)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), np.uint8)
    normalized = (pixels / 255 - preprocess.mean) / preprocess.std
    result = give(pixels, preprocess)
    assert result.shape == (3, 5, 5, 2)
    assert result.dtype == np.float32
    np.testing.assert_allclose(
        result, give(normalized.transpose(0, 3, 1, 2).astype(np.float32), preprocess), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("name", TOWERS)
def test_pixels_of_both_forms_have_the_same_embedding(name: str) -> None:
    model, _ = numpyclip.load(FAMILIES / name)
    preprocess = model.preprocess
    pixels = np.random.default_rng(0).integers(0, 256, (2, *preprocess.sides, 3), np.uint8)
    normalized = ((pixels / 255 - preprocess.mean) / preprocess.std).transpose(0, 3, 1, 2).astype(np.float32)
    assert_close(model.encode_image(pixels), model.encode_image(normalized))


@pytest.mark.parametrize("name", TOWERS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_picture_s_embedding_does_not_depend_on_the_others(name: str, n: int) -> None:
    model, _ = numpyclip.load(FAMILIES / name)
    image = np.random.default_rng(n).standard_normal((n, 3, *model.preprocess.sides)).astype(np.float32)
    assert_close(model.visual(image), np.concatenate([model.visual(one[np.newaxis]) for one in image]))


@pytest.mark.parametrize("name", TOWERS)
def test_weights_made_at_every_use_or_kept_on_disk_give_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path))
    monkeypatch.setattr("numpyclip.runtime.prepared._LEAST_BYTES", 0)
    model, _ = numpyclip.load(FAMILIES / name)
    image = np.random.default_rng(0).standard_normal((2, 3, *model.preprocess.sides)).astype(np.float32)
    expected = model.encode_image(image)
    assert list(tmp_path.iterdir())
    for low_memory in (True, False):  # the latter finds what was kept
        again, _ = numpyclip.load(FAMILIES / name, low_memory=low_memory)
        np.testing.assert_array_equal(again.visual(image), expected)
