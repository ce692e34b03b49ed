"""What a description says of a convolutional tower of timm."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families import timm
from numpyclip.families.config_file import Section
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG, files_at
from numpyclip.families.timm_convolutional import NAMES, describe, without_single_pixels
from numpyclip.model.vision.tower import vision_tower
from numpyclip.model.vision.vision_config import ConvNeXtConfig
from numpyclip.weights.checkpoint import Checkpoint
from tests.families.altered import FAMILIES, error_of

Config = dict[str, Any]


def squeezing(*widths: int) -> dict[str, np.ndarray]:
    """The tensors whose shapes are measured: of the layers that weigh channels."""
    names = ["stages.2.downsample.proj.0", "stages.3.downsample.proj.0", "final_conv"]
    hidden = {
        f"visual.trunk.{name}.se.fc1.weight": (h, 1) for name, h in zip(names[-len(widths) :], widths, strict=True)
    }
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in hidden.items()}


HEAD = {"visual.head.proj.weight": np.broadcast_to(np.float32(0), (1, 1))}
FC = {f"visual.trunk.head.fc.{part}": np.broadcast_to(np.float32(0), (1, 1)) for part in ("weight", "bias")}


@pytest.mark.parametrize(
    ("name", "embed_dim", "arrays", "tensors", "numbers"),
    [
        ("convnext_tiny", 1024, HEAD, 181, 28606560),
        ("convnext_small", 512, HEAD, 343, 49847904),
        ("convnext_base", 640, HEAD, 343, 88221824),
        ("convnext_large", 768, HEAD, 343, 197409984),
        ("convnext_xlarge", 1024, HEAD, 343, 350245120),
        ("convnext_xxlarge", 1024, HEAD, 379, 846543744),
        ("fastvit_mci0", 512, {**squeezing(64, 128, 64), **FC}, 670, 11457664),
        ("fastvit_mci1", 512, {**squeezing(64, 128, 64), **FC}, 1228, 21630976),
        ("fastvit_mci2", 512, {**squeezing(80, 160, 80), **FC}, 1344, 35939712),
        ("fastvit_mci3", 768, {**squeezing(192), **FC}, 1313, 125401152),
        ("fastvit_mci4", 768, {**squeezing(256), **FC}, 1345, 322013696),
    ],
)
def test_a_name_stands_for_as_many_tensors_and_numbers_as_in_timm(
    name: str, embed_dim: int, arrays: dict[str, np.ndarray], tensors: int, numbers: int
) -> None:
    """Counted in the towers that open_clip 3.3.0 builds with timm 1.0.31, without `num_batches_tracked`."""
    config = describe(Section(Path("config"), "", {"image_size": 256}), name, "avg", "linear")
    found = dict(vision_tower(config).tensors(Checkpoint(Path("forged"), arrays), config, embed_dim))
    assert len(found) == tensors
    assert sum(int(np.prod(shape)) for shape in found.values()) == numbers
    assert config.cost == 256


def test_only_the_largest_convnext_adds_more_to_variances() -> None:
    for name in NAMES:
        config = describe(Section(Path("config"), "", {}), name, "avg", "linear")
        if isinstance(config, ConvNeXtConfig):
            assert config.eps == (1e-5 if name == "convnext_xxlarge" else 1e-6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FAMILIES / "open_clip-fastvit", tmp_path / "model"))


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / OPEN_CLIP_CONFIG).read_text("utf-8"))
    kwargs = config["model_cfg"]["vision_cfg"]["timm_model_kwargs"]
    for option, value in changes.items():
        (
            kwargs
            if option in ("layers", "embed_dims", "norm_eps", "novelty", "head_hidden_size")
            else config["model_cfg"]["vision_cfg"]
        )[option] = value
    (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(config), "utf-8")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timm_model_name", "fastvit_t8"),
        ("timm_model_name", "convnext_nano"),  # norms and MLPs of another kind
        ("timm_pool", "max"),
        ("timm_proj", "conv"),
        ("head_hidden_size", 64),
        ("timm_patch_drop", 0.5),
        ("novelty", 1),
        ("layers", [1, 1, 1]),
        ("layers", [0, 1, 1, 1]),
        ("embed_dims", [8, 16, 16, 40]),
        ("embed_dims", [8, 16, 24, 96]),
        ("image_size", [56, 0]),
    ],
)
def test_an_option_that_is_not_supported_is_named(folder: Path, option: str, value: object) -> None:
    edit(folder, **{option: value})
    with pytest.raises(UnsupportedCheckpointError, match=f"vision_cfg.(timm_model_kwargs.)?{option}") as caught:
        recognize(files_at(folder))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("size", [4, 31])
def test_a_picture_of_which_a_convnext_would_leave_nothing_is_refused(tmp_path: Path, size: int) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-convnext", tmp_path / "model"))
    edit(folder, image_size=size)
    with pytest.raises(UnsupportedCheckpointError, match=r"image_size is [0-9]+; expected 32 or more"):
        recognize(files_at(folder))


@pytest.mark.parametrize("name", ["open_clip-convnext", "open_clip-fastvit"])
@pytest.mark.parametrize("size", [2049, 2**24, [2**20, 2**20]])
def test_pictures_so_large_that_one_would_fill_the_memory_are_refused(tmp_path: Path, name: str, size: object) -> None:
    """No tensor says how large pictures are, so that a description may say anything."""
    folder = Path(shutil.copytree(FAMILIES / name, tmp_path / "model"))
    edit(folder, image_size=size)
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg.image_size is .*; expected .*1\.\.2048"):
        recognize(files_at(folder))


@pytest.mark.parametrize("eps", [-1e-5, float("nan")])
def test_a_convnext_with_an_impossible_eps_is_refused(tmp_path: Path, eps: float) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-convnext", tmp_path / "model"))
    edit(folder, norm_eps=eps)
    with pytest.raises(UnsupportedCheckpointError, match=r"timm_model_kwargs.norm_eps is .*; expected"):
        recognize(files_at(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": [2, 1, 2, 1]},
        {"layers": [1, 1, 1, 1]},
        {"embed_dims": [8, 16, 16, 32]},
        {"timm_model_name": "fastvit_mci3", "layers": [2, 1, 1, 1, 1], "embed_dims": [8, 16, 16, 64, 64]},
        {"timm_proj": "mlp"},
    ],
)
def test_a_description_that_contradicts_the_tensors_is_an_error(folder: Path, changes: Config) -> None:
    edit(folder, **changes)
    with pytest.raises(CheckpointError, match=r"has shape .*; expected \(|is missing|ha(s|ve) no place|expected 2 dim"):
        numpyclip.load(folder)


def test_the_size_of_pictures_is_free(folder: Path) -> None:
    edit(folder, image_size=33)
    model, _ = numpyclip.load(folder)
    assert model.encode_image(np.zeros((1, 3, 33, 33), np.float32)).shape == (1, 24)


def test_maps_of_one_pixel_lose_their_shape_and_nothing_is_copied() -> None:
    shapes = {"a": (4, 3, 1, 1), "b": (4, 1, 1), "c": (4, 1, 7, 7), "d": (1, 1), "e": (4,), "f": ()}
    checkpoint = Checkpoint(Path("forged"), {name: np.zeros(shape, np.float16) for name, shape in shapes.items()})
    viewed = without_single_pixels(checkpoint)
    assert {name: array.shape for name, array in viewed.arrays.items()} == {**shapes, "a": (4, 3), "b": (4,)}
    assert all(np.shares_memory(array, checkpoint.arrays[name]) for name, array in viewed.arrays.items())


NAMES_WITH_TAGS = ("convnext_base.clip_laion2b", "fastvit_mci0.apple_mclip", "convnext_large_mlp.clip_laion2b_augreg")


@pytest.mark.parametrize("name", NAMES_WITH_TAGS)
def test_a_tag_says_how_a_tower_was_trained_and_changes_nothing(name: str) -> None:
    def described(name: str) -> object:
        options = {"timm_model_name": name, "timm_pool": "avg", "image_size": 256}
        return timm.describe(Section(Path("config"), "", options))

    assert described(name) == described(name.partition(".")[0])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("open_clip-convnext-abs_attn", {"pool": "rot_attn"}),
        ("open_clip-fastvit-rot_attn", {"pool": "abs_attn"}),
        ("open_clip-fastvit-rot_attn", {"has_head": False}),
        ("open_clip-convnext-large_mlp", {"hidden": False}),
    ],
)
def test_another_head_is_noticed_by_the_tensors(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"visual\.(trunk\.)?head"):
        error_of(name, "vision", **options)


def test_attention_pooling_needs_heads_of_one_width() -> None:
    options = {
        "timm_model_name": "convnext_tiny",
        "timm_pool": "abs_attn",
        "timm_model_kwargs": {"dims": [8, 8, 8, 40]},
    }
    with pytest.raises(UnsupportedCheckpointError, match="timm_pool is 'abs_attn'; expected 'avg': 40 channels"):
        timm.describe(Section(Path("config"), "", options))


def test_a_vision_transformer_has_no_map_to_attend_to() -> None:
    options = {"timm_model_name": "vit_base_patch16_224", "timm_pool": "abs_attn"}
    with pytest.raises(UnsupportedCheckpointError, match="timm_pool is 'abs_attn'; expected 'avg' or 'token'"):
        timm.describe(Section(Path("config"), "", options))


def test_without_a_projection_the_width_is_that_of_the_last_stage(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-convnext", tmp_path / "model"))
    edit(folder, timm_pool="avg", timm_proj="none")
    with pytest.raises(UnsupportedCheckpointError, match="embed_dim is 24; expected 40"):
        recognize(files_at(folder))
