from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.families.openai import describe, measure
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import ResNetConfig, VisionTransformerConfig
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read


@pytest.fixture
def vit(checkpoints: Path) -> Checkpoint:
    return read(checkpoints / "vit-torchscript.pt")


@pytest.fixture
def resnet(checkpoints: Path) -> Checkpoint:
    return read(checkpoints / "resnet-torchscript.pt")


def changed(checkpoint: Checkpoint, **arrays: np.ndarray | None) -> Checkpoint:
    """A copy with some tensors replaced, or removed where None is given; `__` stands for a dot."""
    new = {name.replace("__", "."): array for name, array in arrays.items()}
    merged = {**checkpoint.arrays, **new}
    return Checkpoint(checkpoint.path, {name: array for name, array in merged.items() if array is not None})


def test_a_vision_transformer_is_measured_from_its_shapes(vit: Checkpoint) -> None:
    config = measure(vit, "quick_gelu")
    assert config.embed_dim == 48
    assert config.vision == VisionTransformerConfig(
        image_size=32, patch_size=8, width=128, layers=1, heads=2, mlp_width=512, activation="quick_gelu"
    )
    assert config.text == TextConfig(
        context_length=12, vocab_size=96, width=64, layers=2, heads=1, mlp_width=256, activation="quick_gelu"
    )


def test_a_resnet_is_measured_from_its_shapes(resnet: Checkpoint) -> None:
    config = measure(resnet, "quick_gelu")
    assert config.vision == ResNetConfig(image_size=64, width=8, layers=(2, 1, 1, 1), heads=4)
    assert config.text is not None
    assert config.text.heads == 2  # width 130: a whole division by 64


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("input_resolution", 64),
        ("context_length", 77),
        ("vocab_size", 49408),
        ("vocab_size", float("nan")),
        ("vocab_size", 96.5),
    ],
)
def test_a_recorded_size_that_contradicts_the_shapes_is_an_error_that_names_both(
    vit: Checkpoint, name: str, recorded: float
) -> None:
    with pytest.raises(CheckpointError, match=rf"'{name}' is recorded as {recorded}.*make it"):
        measure(changed(vit, **{name: np.array(recorded)}), "quick_gelu")


def test_a_picture_may_be_larger_than_its_patches(vit: Checkpoint, resnet: Checkpoint) -> None:
    """openai/CLIP takes such models too: what is left over at the edge is cut off."""
    assert measure(changed(vit, input_resolution=np.array(39)), "quick_gelu").preprocess.size == 32
    assert measure(changed(resnet, input_resolution=np.array(70)), "quick_gelu").preprocess.size == 64


def test_an_empty_tensor_is_refused(vit: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="none of them empty"):
        measure(changed(vit, visual__conv1__weight=np.zeros((128, 3, 0, 0), np.float32)), "quick_gelu")


def test_a_missing_tensor_is_named(vit: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="tensor 'text_projection' is missing"):
        measure(changed(vit, text_projection=None), "quick_gelu")


def test_a_missing_block_is_named(vit: Checkpoint) -> None:
    gap = {name: None for name in vit.arrays if name.startswith("transformer.resblocks.0.")}
    with pytest.raises(CheckpointError, match=r"block 'transformer.resblocks.0' is missing"):
        measure(changed(vit, **gap), "quick_gelu")


def test_positions_that_are_no_square_and_one_are_refused(vit: Checkpoint) -> None:
    with pytest.raises(UnsupportedCheckpointError, match="has 16 rows; expected a square number and one"):
        measure(changed(vit, visual__positional_embedding=np.zeros((16, 128), np.float32)), "quick_gelu")


def test_a_width_below_one_head_is_refused(vit: Checkpoint) -> None:
    with pytest.raises(UnsupportedCheckpointError, match="width of 32 cannot be cut"):
        measure(changed(vit, token_embedding__weight=np.zeros((96, 32), np.float32)), "quick_gelu")


def test_a_tensor_of_other_dimensions_is_named(vit: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match=r"'visual.conv1.weight' has shape \(3,\); expected 4 dimensions"):
        measure(changed(vit, visual__conv1__weight=np.zeros(3, np.float32)), "quick_gelu")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("text_model.embeddings.token_embedding.weight", "transformers"),
        ("visual.trunk.patch_embed.proj.weight", "timm"),
        ("text.transformer.resblocks.0.ln_1.weight", "text tower of its own"),
        ("logit_bias", "SigLIP"),
    ],
)
def test_another_family_is_recognised_and_named(vit: Checkpoint, name: str, family: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=family):
        measure(changed(vit, **{name: np.zeros(1, np.float32)}), "quick_gelu")


IMAGE, TEXT = "visual.", ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")


def _part(checkpoint: Checkpoint, begin: str | tuple[str, ...], drop: str = "") -> Checkpoint:
    arrays = {name.removeprefix(drop): array for name, array in checkpoint.arrays.items() if name.startswith(begin)}
    return Checkpoint(checkpoint.path, arrays)


@pytest.mark.parametrize("drop", ["", IMAGE], ids=["within a CLIP", "saved by itself"])
@pytest.mark.parametrize("model", ["vit", "resnet"])
def test_an_image_tower_alone_is_that_of_the_whole(request: pytest.FixtureRequest, model: str, drop: str) -> None:
    whole: Checkpoint = request.getfixturevalue(model)
    found, expected = describe(_part(whole, IMAGE, drop), "quick_gelu"), measure(whole, "quick_gelu")
    assert found.config == replace(expected, text=None)
    image = np.ones((1, 3, *expected.preprocess.sides), np.float32)
    alone = CLIP.read(found.checkpoint, found.config, found.tokenizer)
    both = CLIP.read(whole, expected, found.tokenizer)
    assert np.array_equal(alone.encode_image(image), both.encode_image(image))
    with pytest.raises(InputError, match="no tower for texts"):
        alone.embed_texts("a")


def test_a_text_tower_alone_is_that_of_the_whole(vit: Checkpoint) -> None:
    found, expected = describe(_part(vit, TEXT), "quick_gelu"), measure(vit, "quick_gelu")
    assert found.config == replace(expected, vision=None, preprocess=found.config.preprocess)
    ids = np.arange(24).reshape(2, 12)
    alone = CLIP.read(found.checkpoint, found.config, found.tokenizer)
    assert np.array_equal(alone.encode_text(ids), CLIP.read(vit, expected, found.tokenizer).encode_text(ids))
    with pytest.raises(InputError, match="no tower for images"):
        alone.embed_pixels([np.zeros((224, 224, 3), np.uint8)])


def test_a_tower_alone_may_lack_its_projection(vit: Checkpoint) -> None:
    image = measure(changed(_part(vit, IMAGE), visual__proj=None), "gelu")
    text = measure(changed(_part(vit, TEXT), text_projection=None), "gelu")
    assert isinstance(image.vision, VisionTransformerConfig) and text.text is not None
    assert (image.embed_dim, image.vision.projection) == (128, None)
    assert (text.embed_dim, text.text.projection) == (64, None)
    with pytest.raises(CheckpointError, match=r"tensor 'visual\.proj' is missing"):
        measure(changed(vit, visual__proj=None), "gelu")


@pytest.mark.parametrize("file", ["open_clip_config.json", "config.json"])
def test_a_file_whose_config_file_is_beside_it_is_to_be_read_with_that(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("{}")
    checkpoint = Checkpoint(tmp_path / "model.safetensors", {"embeddings.token_embedding.weight": np.ones((2, 2))})
    expected = f"model.safetensors: does not have the tensors .*; pass the folder {tmp_path}, whose {file} describes it"
    with pytest.raises(UnsupportedCheckpointError, match=expected):
        measure(checkpoint, "gelu")


def test_what_is_no_clip_is_told(vit: Checkpoint) -> None:
    resnet = Checkpoint(vit.path, dict.fromkeys(["conv1.weight", "layer1.0.conv1.weight", "fc.weight"], np.ones(1)))
    with pytest.raises(UnsupportedCheckpointError, match=r"not a CLIP: looks like a ResNet classifier \(3 tensors: '"):
        measure(resnet, "gelu")
    with pytest.raises(UnsupportedCheckpointError, match=r"not a CLIP: has none of its tensors \(1 tensor: 'a'\);"):
        measure(Checkpoint(vit.path, {"a": np.ones(1)}), "gelu")
    with pytest.raises(UnsupportedCheckpointError, match=r"not a CLIP: looks like LoRA weights, which change another"):
        measure(changed(vit, visual__lora_A=np.ones(1)), "gelu")
    parts = dict.fromkeys(["image.visual.proj", "words.text_projection"], np.ones(1))
    with pytest.raises(UnsupportedCheckpointError, match=r"'image\.visual\.proj' has a prefix that others do not have"):
        measure(Checkpoint(vit.path, parts), "gelu")


def test_half_a_model_is_never_taken_for_a_tower(vit: Checkpoint) -> None:
    """CoOp calls the image tower `image_encoder`, without the rest of the prefix."""
    text = {name: array for name, array in vit.arrays.items() if not name.startswith("visual.")}
    for name in ("image_encoder.class_embedding", "clip.visual.conv1.weight"):
        with pytest.raises(
            UnsupportedCheckpointError, match=rf"'{name}' is of the image tower, but has another prefix"
        ):
            describe(replace(vit, arrays=text, left_out=(name,)), "gelu")
        with pytest.raises(UnsupportedCheckpointError, match="is of the image tower"):
            describe(replace(vit, arrays={**text, name: np.ones(8)}), "gelu")


def test_a_head_beside_an_image_tower_is_left_out(vit: Checkpoint) -> None:
    bare = {name.removeprefix("visual."): array for name, array in vit.arrays.items() if name.startswith("visual.")}
    found = describe(replace(vit, arrays={**bare, "head.weight": np.ones((3, 8))}), "gelu")
    assert "head.weight" in found.checkpoint and "visual.proj" in found.checkpoint


def test_a_whole_stable_diffusion_is_no_text_tower(vit: Checkpoint) -> None:
    text = {name: array for name, array in vit.arrays.items() if not name.startswith("visual.")}
    with pytest.raises(UnsupportedCheckpointError, match="a whole Stable Diffusion"):
        describe(replace(vit, arrays=text, left_out=("model.diffusion_model.out.2.bias",)), "gelu")
