"""Copies that must be found, and look-alikes that must not."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, PictureError
from numpyclip.images.rgb import on_white
from numpyclip.tasks.duplicates import find_duplicates

ALBUM = Path(__file__).parents[2] / "docs" / "pictures" / "album"


def drawing(name: str, side: int) -> Image.Image:
    with Image.open(ALBUM / f"{name}.png") as image:
        return on_white(image).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def rose(tmp_path: Path) -> Path:
    """A drawing, larger than its source so that JPEG leaves it in peace."""
    drawing("rose", 160).save(tmp_path / "rose.png")
    return tmp_path / "rose.png"


def kinds(model: CLIP | None, *paths: Path) -> list[list[tuple[str, str]]]:
    return [[(Path(copy.path).name, copy.kind) for copy in group] for group in find_duplicates(model, paths)]


def test_drawings_of_an_album_are_all_different(tiny: CLIP) -> None:
    assert find_duplicates(tiny, sorted(ALBUM.iterdir())) == []


def test_the_same_bytes_and_the_same_pixels_are_told_apart(tiny: CLIP, rose: Path) -> None:
    again, other = rose.with_name("z.png"), rose.with_name("a.bmp")
    again.write_bytes(rose.read_bytes())
    Image.open(rose).save(other)
    os.utime(rose, (1, 1))
    expected = [[("a.bmp", "best"), ("rose.png", "pixels"), ("z.png", "pixels")]]  # the largest file is the best
    assert kinds(tiny, rose, again, other) == kinds(None, rose, again, other) == expected
    assert kinds(None, again, rose) == [[("rose.png", "best"), ("z.png", "file")]]  # the older one


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("jpeg.jpg", lambda image: image),
        ("half.png", lambda image: image.resize((80, 80), Image.Resampling.BICUBIC)),
        ("odd.webp", lambda image: image.resize((113, 113), Image.Resampling.BILINEAR)),
        ("brighter.png", lambda image: ImageEnhance.Brightness(image).enhance(1.05)),
        ("darker.png", lambda image: ImageEnhance.Brightness(image).enhance(0.95)),
    ],
)
def test_a_picture_saved_again_is_near(tiny: CLIP, rose: Path, name: str, change: object) -> None:
    changed = rose.with_name(name)
    change(Image.open(rose)).save(changed)  # type: ignore[operator]
    assert sorted(kind for _, kind in kinds(tiny, rose, changed)[0]) == ["best", "near"]
    assert kinds(None, rose, changed) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.rotate(180),
        lambda image: image.crop((20, 20, 140, 140)),
        lambda image: Image.merge("RGB", image.split()[::-1]),
    ],
)
def test_turned_cropped_and_recoloured_pictures_are_not(tiny: CLIP, rose: Path, change: object) -> None:
    changed = rose.with_name("changed.png")
    change(Image.open(rose)).save(changed)  # type: ignore[operator]
    assert kinds(tiny, rose, changed) == []


def test_a_small_spot_makes_a_difference(tiny: CLIP, rose: Path) -> None:
    """Hands of a clock are few pixels: neither the hash nor the embedding has to see them."""
    image = Image.open(rose)
    image.paste((0, 0, 0), (0, 0, 12, 12))
    image.save(rose.with_name("spot.png"))
    assert kinds(tiny, rose, rose.with_name("spot.png")) == []


def test_the_best_copy_has_the_most_pixels(tiny: CLIP, rose: Path) -> None:
    large, small = rose.with_name("large.jpg"), rose.with_name("small.png")
    drawing("rose", 320).save(large, quality=90)
    drawing("rose", 90).save(small)
    (group,) = kinds(tiny, small, rose, large)
    assert group[0] == ("large.jpg", "best")
    assert set(group[1:]) == {("small.png", "near"), ("rose.png", "near")}


def test_groups_stand_in_the_order_of_the_files(tiny: CLIP, tmp_path: Path) -> None:
    paths = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("sun.png", "horse.png"):
            paths.append(tmp_path / folder / name)
            paths[-1].write_bytes((ALBUM / name).read_bytes())
    assert [{Path(copy.path).name for copy in group} for group in find_duplicates(tiny, paths)] == [
        {"sun.png"},
        {"horse.png"},
    ]


def test_a_file_is_no_copy_of_itself_by_another_name(tiny: CLIP, rose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deletes copies would delete the picture."""
    link = rose.with_name("link.png")
    link.symlink_to(rose)
    monkeypatch.chdir(rose.parent)
    assert find_duplicates(tiny, [rose, link, "rose.png", f"./{rose.name}"]) == []


def test_animations_are_compared_by_their_bytes(tiny: CLIP, rose: Path) -> None:
    first, blank = Image.open(rose), Image.new("RGB", (160, 160), "blue")
    one, other, copy = (rose.with_name(f"{name}.gif") for name in ("one", "other", "copy"))
    first.save(one, save_all=True, append_images=[blank])
    first.save(other, save_all=True, append_images=[first.rotate(90)])
    copy.write_bytes(one.read_bytes())
    assert kinds(tiny, one, other, rose) == []
    assert len(kinds(tiny, one, other, copy)[0]) == 2


def test_pictures_of_sixteen_bits_differ_though_eight_would_not(tmp_path: Path) -> None:
    pixels = np.full((8, 8), 0x1200, np.uint16)
    for name, more in (("a", 0), ("b", 1), ("c", 0)):
        Image.fromarray(pixels + np.uint16(more)).save(tmp_path / f"{name}.png")
    Image.fromarray(pixels).save(tmp_path / "d.tiff")
    (group,) = kinds(None, *(tmp_path / name for name in ("a.png", "b.png", "c.png", "d.tiff")))
    assert {name for name, _ in group} == {"a.png", "c.png", "d.tiff"}


def test_a_palette_and_what_is_transparent_are_seen(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    clear.save(tmp_path / "clear.png")
    Image.new("RGB", (8, 8), "white").save(tmp_path / "white.png")
    Image.new("RGB", (8, 8), "white").convert("P").save(tmp_path / "palette.png")
    (group,) = kinds(None, *sorted(tmp_path.iterdir()))
    assert {name for name, _ in group} == {"white.png", "palette.png"}


def test_what_cannot_be_read_is_raised_or_told(tiny: CLIP, rose: Path) -> None:
    broken, missing = rose.with_name("broken.png"), rose.with_name("missing.png")
    broken.write_bytes(rose.read_bytes()[:90])
    with pytest.raises(PictureError, match=r"broken\.png"):
        find_duplicates(tiny, [rose, broken])
    told: list[PictureError] = []
    assert find_duplicates(tiny, [rose, broken, missing], on_error=told.append) == []
    assert [error.args[0].split(":")[0] for error in told] == [str(broken), str(missing)]


def test_nothing_has_no_duplicates(tiny: CLIP) -> None:
    assert find_duplicates(tiny, []) == []


def test_a_single_path_is_no_letters(tiny: CLIP, rose: Path) -> None:
    assert find_duplicates(tiny, str(rose)) == find_duplicates(tiny, rose) == []
    with pytest.raises(InputError, match="paths: found None"):
        find_duplicates(tiny, None)  # type: ignore[arg-type]


def test_blocks_of_pairs_change_nothing(tiny: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for path in sorted(ALBUM.iterdir()):
        for side in (64, 128):
            paths.append(tmp_path / f"{path.stem}{side}.png")
            drawing(path.stem, side).save(paths[-1])
    expected = find_duplicates(tiny, paths)
    assert len(expected) == len(paths) // 2
    monkeypatch.setattr("numpyclip.tasks.duplicates._ROWS", 3)
    monkeypatch.setattr("numpyclip.tasks.duplicates._PAIRS", 2)
    assert find_duplicates(tiny, paths, batch_size=5) == expected


def test_a_photograph_with_a_second_view_is_no_animation(tmp_path: Path, rose: Path) -> None:
    first = Image.open(rose)
    for name, other in (("a", 90), ("b", 180)):
        first.save(tmp_path / f"{name}.mpo", save_all=True, append_images=[first.rotate(other)])
    ((_, copy),) = kinds(None, tmp_path / "a.mpo", tmp_path / "b.mpo")
    assert copy[1] == "pixels"
