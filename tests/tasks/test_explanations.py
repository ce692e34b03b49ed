"""Heat maps, by a fake model that measures how red a picture is in one corner, and by real towers of every kind."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.preprocess import Preprocess
from numpyclip.tasks.explanations import best_views, explain
from tests.picture_files import ORIENTATION

FAMILIES = Path(__file__).parents[1] / "golden" / "families"


class Sees:
    """Embeds a crop as the share of white in each of its quadrants; a text is the number of a quadrant."""

    def __init__(self, **how: Any) -> None:
        self.preprocess = Preprocess(64, **how)
        self.most = 0

    def embed_pixels(self, crops: list[np.ndarray]) -> np.ndarray:
        self.most = max(self.most, len(crops))
        white = np.stack(crops).astype(np.float32)[..., 0] / 255
        height, width = (side // 2 for side in white.shape[1:])
        quarters = [white[:, y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
        shares: np.ndarray = np.stack([quarter.mean(axis=(1, 2)) for quarter in quarters], axis=1)
        shares[shares == 0] = 1e-9  # would be the embedding of damaged weights
        return shares

    def embed_texts(self, texts: str | list[str]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[int(text) for text in texts]]


def fake(**how: Any) -> CLIP:
    return cast(CLIP, Sees(**how))


def spotted(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", (width, height), "black")
    image.paste("white", box)
    return image


def hottest(heat: np.ndarray) -> tuple[int, int]:
    y, x = np.unravel_index(np.nanargmax(heat), heat.shape)
    return int(x), int(y)


@pytest.mark.parametrize("quarter", range(4))
def test_what_the_text_is_about_is_hottest(quarter: int) -> None:
    x, y = 32 * (quarter % 2), 32 * (quarter // 2)
    image = spotted(64, 64, (x + 8, y + 8, x + 24, y + 24))
    heat = explain(fake(), image, str(quarter))
    assert heat.shape == (64, 64)
    assert heat.dtype == np.float32
    means = heat.reshape(2, 32, 2, 32).mean(axis=(1, 3)).ravel()
    assert means.argmax() == quarter
    assert x + 4 <= hottest(heat)[0] < x + 28
    assert y + 4 <= hottest(heat)[1] < y + 28


def test_the_exact_heat_of_the_smallest_grid() -> None:
    """Four cells a side, of one pixel each. A single white one, of which the model sees a sixteenth of a quadrant."""

    class Corner(Sees):
        def embed_pixels(self, crops: list[np.ndarray]) -> np.ndarray:
            return np.array([[1.0 if crop[0, 0, 0] == 255 else 1e-9] for crop in crops], np.float32)

        def embed_texts(self, texts: str | list[str]) -> np.ndarray:
            return np.ones((1, 1), np.float32)

    model = Corner()
    model.preprocess = Preprocess(4)
    heat = explain(cast(CLIP, model), spotted(4, 4, (0, 0, 1, 1)), "0", grid=4)
    # A cell lies in 2 by 2 windows that hide it and 4 by 4 that show it. Along a side, so many of the first hide the
    # corner too: 2, 1, 0, 0; and of the second show it: 4, 3, 2, 1.
    hidden = np.outer([2, 1, 0, 0], [2, 1, 0, 0]) / 4
    shown = np.outer([4, 3, 2, 1], [4, 3, 2, 1]) / 16
    expected = hidden + shown  # a hidden corner has cosine 0 in place of 1: hiding by -(1 - hidden)
    np.testing.assert_allclose(heat, expected - expected.mean(), atol=1e-6)


def test_heat_is_in_pixels_of_the_picture_and_nan_outside_of_the_crop() -> None:
    image = spotted(400, 100, (160, 10, 180, 30))  # the crop is 150..250
    heat = explain(fake(), image, "0")
    assert heat.shape == (100, 400)
    assert np.isnan(heat[:, :150]).all()
    assert np.isnan(heat[:, 250:]).all()
    assert np.isfinite(heat[:, 150:250]).all()
    x, y = hottest(heat)
    assert 155 <= x < 190
    assert 5 <= y < 40


@pytest.mark.parametrize("mode", ["squash", "longest", "patches"])
def test_heat_covers_all_of_a_picture_that_is_seen_whole(mode: str) -> None:
    image = spotted(120, 60, (80, 40, 100, 50))
    model = fake(resize_mode=mode, patch_size=16 if mode == "patches" else None)
    heat = explain(model, image, "3")
    assert np.isfinite(heat).all()
    x, y = hottest(heat)
    assert 70 <= x < 120
    assert 30 <= y < 60


@pytest.mark.parametrize("size", [(1, 1), (5000, 20), (3, 700)])
def test_pictures_of_any_shape_have_a_map(size: tuple[int, int]) -> None:
    heat = explain(fake(), Image.new("RGB", size, "white"), "0")
    assert heat.shape == size[::-1]
    side = min(size)
    assert np.isfinite(heat).sum() == pytest.approx(side * side, abs=2 * side)
    assert np.abs(heat[np.isfinite(heat)]).max() < 1e-6  # one colour: no place matters


def test_maps_turn_with_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned to the right
    spotted(80, 60, (16, 6, 30, 20)).save(tmp_path / "a.png", exif=exif)
    heat = explain(fake(), tmp_path / "a.png", "1")
    assert heat.shape == (80, 60)
    x, y = hottest(heat)
    assert x > 30
    assert y < 40


def test_transparent_pictures_have_a_map() -> None:
    assert np.isfinite(explain(fake(), Image.new("RGBA", (20, 20), (9, 9, 9, 0)), "0")).all()


def test_several_texts_give_the_maps_that_each_gives() -> None:
    image = spotted(64, 64, (8, 8, 24, 24))
    both = explain(fake(), image, ["0", "2"])
    assert both.shape == (2, 64, 64)
    for text, heat in zip(("0", "2"), both, strict=True):
        np.testing.assert_allclose(heat, explain(fake(), image, text), atol=1e-6)


def test_batches_bound_what_is_made_at_once_and_change_nothing() -> None:
    image, model = spotted(64, 64, (8, 8, 24, 24)), Sees()
    heat = explain(cast(CLIP, model), image, "0", batch_size=5)
    assert model.most == 5
    np.testing.assert_array_equal(heat, explain(fake(), image, "0"))


def test_windows_are_counted() -> None:
    seen: list[int] = []

    def watched(windows: Any) -> Any:
        for window in windows:
            seen.append(window)
            yield window

    explain(fake(), Image.new("RGB", (9, 9)), "0", grid=5, progress=watched)
    assert seen == list(range(6 * 6 + 8 * 8))


@pytest.mark.parametrize("grid", [3, 65, 8.0, True, "8", -1])
def test_a_grid_that_is_none_is_refused(grid: Any) -> None:
    with pytest.raises(InputError, match="grid is"):
        explain(fake(), Image.new("RGB", (9, 9)), "0", grid=grid)


@pytest.mark.parametrize(
    "name", ["open_clip-convnext", "open_clip-fastvit", "open_clip-first_token", "timm-siglip", "timm-eva02"]
)
def test_every_kind_of_tower_can_be_explained(name: str) -> None:
    model, _ = numpyclip.load(str(FAMILIES / name))
    texts = SimpleNamespace(embedded=np.random.default_rng(0).standard_normal((1, model.config.embed_dim), np.float32))
    looking = SimpleNamespace(
        embed_texts=lambda _: texts.embedded, embed_pixels=model.embed_pixels, preprocess=model.preprocess
    )
    noise = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    heat = explain(cast(CLIP, looking), noise, "anything", grid=4)
    assert heat.shape == (50, 70)
    assert np.nanstd(heat) > 0


def test_the_embedded_model_finds_a_drawing_beside_nothing(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    image = Image.new("RGB", (64, 64), "white")
    image.paste(emoji["bird"].resize((32, 32)), (32, 16))
    heat = explain(tiny, image, "bird")
    assert heat[:, 32:].mean() > heat[:, :32].mean()
    np.testing.assert_array_equal(heat, explain(tiny, image, "bird"))


def test_a_view_is_explained_within_its_tile_and_others_are_refused(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    wide = Image.new("RGB", (200, 64), "white")
    wide.paste(emoji["bird"], (136, 0))
    assert best_views(tiny, wide, ["a bird"], ("crop", "tiles")) == ["right"]
    assert best_views(tiny, wide, "a bird", "crop") == ["crop"]
    heat = explain(tiny, wide, "a bird", grid=4, view="right")
    np.testing.assert_array_equal(heat[:, 136:], explain(tiny, wide.crop((136, 0, 200, 64)), "a bird", grid=4))
    assert np.isnan(heat[:, :136]).all()
    np.testing.assert_array_equal(explain(tiny, wide, "a bird", grid=4, view=""), explain(tiny, wide, "a bird", grid=4))
    with pytest.raises(InputError, match=r"has no view 'top'; expected one of crop, pad, squash, left"):
        explain(tiny, wide, "a bird", view="top")
