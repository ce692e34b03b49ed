"""SigLIP 2 for pictures of any shape (NaFlex), against transformers, which pads and masks them in one batch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.errors import CheckpointError, InputError
from numpyclip.families.image_processor import SIGLIP2
from numpyclip.model import ops
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close

NAME = "transformers-siglip2"


def test_pictures_of_any_shape_are_embedded_as_in_transformers() -> None:
    model, golden = load(NAME)
    for index, expected in enumerate(golden["encode_images"]):
        image = golden[f"image_{index}"]
        assert_close(model.encode_image(image), expected[np.newaxis])


def test_pictures_become_the_very_patches_of_transformers() -> None:
    model, golden = load(NAME)
    assert golden["shapes"].tolist() == [[3, 5], [4, 4], [1, 15], [4, 4], [5, 3]]
    for index, (rows, columns) in enumerate(golden["shapes"]):
        pixels = model.preprocess(Image.fromarray(golden[f"picture_{index}"]))
        assert pixels.shape == (3, rows * 8, columns * 8)
        patches = pixels.reshape(3, rows, 8, columns, 8).transpose(1, 3, 2, 4, 0).reshape(rows * columns, -1)
        expected = golden[f"patches_{index}"][: rows * columns]
        assert np.abs(patches - expected).max() < 1e-6  # the same bytes; 1/255 apart would be 8e-3


def test_pictures_of_different_shapes_are_embedded_in_one_batch() -> None:
    model, golden = load(NAME)
    pictures = [golden[f"picture_{index}"] for index in range(5)]
    expected = ops.normalize(golden["embed_images"].astype(np.float32))
    for batch_size in (1, 2, 32):
        assert_close(model.embed_images(pictures, batch_size), expected)


def test_pictures_of_one_height_may_have_different_widths() -> None:
    model, _ = load(NAME)
    pictures = [Image.effect_noise((width, 20), 80) for width in (60, 80, 60)]
    assert [model.preprocess.crop(picture).shape for picture in pictures] == [(16, 48, 3), (16, 64, 3), (16, 48, 3)]
    one_by_one = np.concatenate([model.embed_images(picture) for picture in pictures])
    assert_close(model.embed_images(pictures), one_by_one)


@pytest.mark.parametrize(
    ("height", "width", "patches"),
    [
        # what get_image_size_for_max_num_patches of transformers 5.23 returns
        (480, 640, (14, 18)),
        (640, 480, (18, 14)),
        (1000, 1000, (16, 16)),
        (1, 1000, (1, 256)),
        (3000, 2, (256, 1)),
        (17, 31, (12, 21)),
        (1, 1, (7, 7)),
        (4032, 3024, (18, 14)),
        (1365, 768, (21, 12)),
    ],
)
def test_a_picture_has_as_many_patches_as_are_allowed(height: int, width: int, patches: tuple[int, int]) -> None:
    pixels = SIGLIP2.crop(Image.new("RGB", (width, height)))
    assert pixels.shape == (16 * patches[0], 16 * patches[1], 3)


def test_the_number_of_patches_need_not_be_a_square(tmp_path: Path) -> None:
    folder = shutil.copytree(FAMILIES / NAME, tmp_path / NAME)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "max_num_patches": 50}), "utf-8")
    preprocess = numpyclip.load(folder)[1]
    # what get_image_size_for_max_num_patches of transformers 5.24 returns
    for sides, patches in (((61, 97), (6, 8)), ((83, 50), (9, 5)), ((64, 64), (7, 7)), ((2, 300), (1, 50))):
        assert preprocess(Image.new("RGB", sides[::-1])).shape == (3, 8 * patches[0], 8 * patches[1])


@pytest.mark.parametrize("shape", [(1, 3, 20, 16), (1, 3, 16, 0), (3, 16, 16), (1, 1, 16, 16)])
def test_sides_that_are_no_whole_patches_are_an_error(shape: tuple[int, ...]) -> None:
    model, _ = load(NAME)
    with pytest.raises(
        InputError, match=r"expected floating point of shape \(n, 3, height, width\), both multiples of 8"
    ):
        model.encode_image(np.zeros(shape, np.float32))


def test_a_description_of_squares_does_not_fit(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / NAME, tmp_path / "model"))
    description = folder / "preprocessor_config.json"
    options = json.loads(description.read_text())
    description.write_text(json.dumps({**options, "patch_size": 16}))
    with pytest.raises(CheckpointError, match="expected patches of 8"):
        numpyclip.load(folder)
    for most in (65 * 65, 2**24):  # each patch is a token, and every token looks at all others
        description.write_text(json.dumps({**options, "max_num_patches": most}))
        with pytest.raises(CheckpointError, match=rf"max_num_patches is {most}; expected 1\.\.4096"):
            numpyclip.load(folder)
    description.write_text('{"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}')
    with pytest.raises(CheckpointError, match="does not make images of any shape"):
        numpyclip.load(folder)
    description.write_text(json.dumps({**options, "max_num_patches": 64}))
    assert numpyclip.load(folder)[1].size == 64  # more than there are places; these are resized
