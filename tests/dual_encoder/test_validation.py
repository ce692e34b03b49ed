"""What models take, to the last id and side."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.validation import by_shape, captions, checked_embeddings, checked_image, checked_text
from numpyclip.errors import InputError
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.text_config import TextConfig

CONFIG = TextConfig(
    width=8, layers=1, heads=1, mlp_width=32, activation="gelu", context_length=4, vocab_size=10, causal=False
)


def test_ids_from_the_first_to_the_last_are_taken() -> None:
    ids = np.array([[0, 9, 0, 9]])
    assert checked_text(ids, CONFIG) is ids
    assert checked_text(ids.tolist(), CONFIG).tolist() == ids.tolist()
    assert checked_text(np.zeros((0, 4), np.uint8), CONFIG).shape == (0, 4)
    for wrong, found in ((-1, "-1..0"), (10, "0..10")):
        with pytest.raises(InputError, match=rf"ids are in {found}; expected 0\.\.9"):
            checked_text(np.array([[0, wrong, 0, 0]]), CONFIG)


@pytest.mark.parametrize("shape", [(1, 3), (1, 5), (4,), (1, 1, 4)])
def test_texts_are_as_long_as_all_positions_where_tokens_look_ahead(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected integers of shape \(n, 4\)"):
        checked_text(np.zeros(shape, np.int32), CONFIG)


def test_texts_may_be_shorter_where_they_do_not() -> None:
    causal = replace(CONFIG, causal=True)
    for length in (1, 4):
        assert checked_text(np.zeros((2, length), np.int32), causal).shape == (2, length)
    for length in (0, 5):
        with pytest.raises(InputError, match="expected integers"):
            checked_text(np.zeros((2, length), np.int32), causal)
    for dtype in (np.float32, np.bool_):
        with pytest.raises(InputError, match="expected integers"):
            checked_text(np.zeros((2, 4), dtype), causal)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pixels_are_floats_with_channels_first_or_bytes_with_channels_last(dtype: Any) -> None:
    preprocess = Preprocess(8)
    floats = np.zeros((2, 3, 8, 8), dtype)
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    assert checked_image(floats, preprocess) is floats
    assert checked_image(crops, preprocess) is crops
    for wrong in (floats[0], floats[:, :2], floats[..., :7], floats[:, :, :7], floats.transpose(0, 2, 3, 1),
                  floats.astype(np.int32), crops[0], crops[:, :7], crops[:, :, :7], crops[..., :2],
                  crops.transpose(0, 3, 1, 2), crops.astype(np.uint16)):  # fmt: skip
        with pytest.raises(InputError, match=r"shape \(n, 3, 8, 8\), .* or uint8 of shape \(n, 8, 8, 3\)"):
            checked_image(wrong, preprocess)


def test_pixels_of_whole_patches_have_any_shape() -> None:
    preprocess = Preprocess(8, resize_mode="patches", patch_size=4)
    assert checked_image(np.zeros((1, 3, 4, 12), np.float32), preprocess).shape == (1, 3, 4, 12)
    assert checked_image(np.zeros((1, 12, 4, 3), np.uint8), preprocess).shape == (1, 12, 4, 3)
    with pytest.raises(InputError, match=r"\(n, 3, height, width\), both multiples of 4, made by"):
        checked_image(np.zeros((1, 3, 4, 10), np.float32), preprocess)


def test_embeddings_become_float32_and_have_the_models_length() -> None:
    assert checked_embeddings([[1, 2, 3]], 3, "images").dtype == np.float32
    for wrong in ([1, 2, 3], [[1, 2]], [[[1, 2, 3]]]):
        with pytest.raises(InputError, match=r"^embeddings of images have shape .*; expected \(n, 3\)"):
            checked_embeddings(wrong, 3, "images")
    with pytest.raises(InputError, match=r"^embeddings of texts: got list"):
        checked_embeddings([[1], [2, 3]], 3, "texts")


def test_images_of_one_shape_are_a_group() -> None:
    crops = [np.zeros((side, 8, 3), np.uint8) for side in (8, 4, 8, 12, 4)]
    assert [list(rows) for rows in by_shape(crops)] == [[0, 2], [1, 4], [3]]


def test_labels_are_put_into_every_place_of_the_template() -> None:
    assert captions(["a", "b"]) == ["a", "b"]
    assert captions(iter(["a", "b"]), "{} and {}") == ["a and a", "b and b"]
    for labels in ("a", [], [1]):
        with pytest.raises(InputError, match=r"^labels(:| is) "):
            captions(labels)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="words"):
        captions([], name="words")
    for template in ("no place", 5):
        with pytest.raises(InputError, match=r"expected a string with \{\} where the label goes"):
            captions(["a"], template)  # type: ignore[arg-type]
