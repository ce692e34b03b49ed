"""Vision transformers of timm: what their names stand for, and that no option is mistaken unnoticed."""

import json
import math
import re
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families import timm, timm_convolutional, timm_trunks
from numpyclip.families.config_file import Section
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG, files_at
from numpyclip.families.tensor_names import translator
from numpyclip.model.transformer_config import RopeConfig
from numpyclip.model.vision.tower import vision_tower
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.runtime import prepared, weight_store
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.published import architecture, architectures
from numpyclip.weights.read import read
from tests.families.altered import FAMILIES, error_of
from tests.model.golden import assert_close

WEIGHTS = "open_clip_model.safetensors"
SIZES: dict[str, tuple[int, int]] = json.loads((FAMILIES.parent / "timm.json").read_text("ascii"))


def describe(**options: Any) -> VisionTransformerConfig:
    config = timm.describe(Section(Path("description.json"), "vision_cfg", options))
    assert isinstance(config, VisionTransformerConfig)
    return config


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit_base_patch16_siglip_224", {"heads": 12, "mlp_width": 3072, "activation": "gelu", "eps": 1e-6}),
        ("vit_base_patch32_siglip_256", {"patch_size": 32, "activation": "gelu_tanh"}),
        ("vit_large_patch16_siglip_384", {"width": 1024, "layers": 24, "activation": "gelu"}),
        ("vit_large_patch16_siglip_512", {"width": 1024, "layers": 24, "activation": "gelu_tanh"}),
        ("vit_so400m_patch14_siglip_384", {"heads": 16, "mlp_width": 4304, "activation": "gelu", "cost": 729}),
        ("vit_so400m_patch16_siglip_512", {"heads": 16, "mlp_width": 4304, "activation": "gelu_tanh"}),
        (
            "vit_giantopt_patch16_siglip_256",
            {"width": 1536, "heads": 16, "pool.kind": "map"},
        ),
        ("vit_pe_core_tiny_patch16_384", {"width": 192, "heads": 3, "pool.heads": 8, "cost": 577}),
        ("vit_pe_core_gigantic_patch14_448", {"mlp_width": 8960, "pool.mlp_width": 6144, "cost": 1024}),
        ("eva_giant_patch14_224", {"heads": 16, "mlp_width": 6144, "biased": "qv", "rope": None, "eps": 1e-6}),
        ("eva02_base_patch16_clip_224", {"mlp_width": 2048, "rope": RopeConfig(side=14, reference=16)}),
        ("eva02_large_patch14_clip_336", {"mlp_width": 2730, "rope": RopeConfig(side=24, reference=16)}),
        ("eva02_enormous_patch14_clip_224", {"mlp_width": 15360, "post_norm": True, "gated": False}),
        ("vit_large_patch14_clip_224.openai", {"eps": 1e-5, "norm_before": True, "stem.patch_bias": False}),
        ("vit_base_mci_224", {"stem.width": 192, "class_position": False, "stem.patch_bias": True}),
        ("vit_medium_patch16_gap_256", {"biased": "", "layer_scale": True, "cost": 256}),
        ("vit_base_patch16_224.augreg_in21k", {"stem.patch_bias": True, "norm_before": False, "registers": 0}),
        ("vit_large_patch14_clip_quickgelu_336", {"activation": "quick_gelu", "eps": 1e-5}),
        ("vit_base_patch14_reg4_dinov2.lvd142m", {"registers": 4, "class_position": False, "layer_scale": True}),
        ("vit_so150m_patch16_reg4_map_256", {"pool.patches_only": True, "mlp_width": 2304, "cost": 260}),
        ("vitamin_xlarge_256.datacomp1b_clip", {"positions": False, "heads": 16, "gate": "gelu", "mlp_norm": True}),
        ("naflexvit_so400m_patch16_siglip", {"position_grid": 16, "position_kind": "bilinear", "mlp_width": 4304}),
        ("naflexvit_base_patch16_gap.e300_s576_in1k", {"registers": 4, "position_kind": "bicubic", "pool.kind": "avg"}),
        ("vitamin_large2_384", {"stem.width": 160, "stem.widths": (160, 320), "stem.layers": (2, 4), "cost": 576}),
    ],
)
def test_a_name_tells_what_timm_s_registry_does(name: str, expected: dict[str, Any]) -> None:
    known = re.findall(r"_(\d{3})", name)
    config = describe(
        timm_model_name=name, image_size=int(known[-1]) if known else 224, timm_pool="", timm_proj="linear"
    )
    assert {option: attrgetter(option)(config) for option in expected} == expected


@pytest.mark.parametrize("name", [name for name in SIZES if not name.startswith("fastvit")])
def test_every_model_has_as_many_numbers_as_timm_s(name: str) -> None:
    """At its true size, recorded by tools/check_timm.py, which compares names and shapes too; FastViT's need a file."""
    image_size, numbers = SIZES[name]
    config = timm.describe(
        Section(Path(name), "", {"timm_model_name": name, "image_size": image_size, "timm_pool": ""})
    )
    tensors = vision_tower(config).tensors(Checkpoint(Path(name), {}), config, 64)
    assert sum(math.prod(shape) for _, shape in tensors) == numbers


def test_all_models_are_those_that_were_compared() -> None:
    assert sorted([*timm_trunks.names(), *timm_convolutional.NAMES]) == list(SIZES)


def test_the_message_about_other_models_names_all_that_are_supported() -> None:
    patterns = re.findall(r"\w+\*\w*\*?|\w+_\d+", timm_trunks.SUPPORTED)
    named = (*patterns, "vit_*", "deit*", "convnext_*")
    unnamed = [name for name in SIZES if not any(fnmatch(name, pattern) for pattern in named)]
    assert unnamed == ["eva_large_patch14_196", "eva_large_patch14_336", "flexivit_base", "flexivit_large",
                       "flexivit_small"]  # fmt: skip
    with pytest.raises(
        UnsupportedCheckpointError, match=r"vision_cfg.timm_model_name is 'vit_giant_patch14_dinov2'; .* or "
    ) as caught:
        describe(timm_model_name="vit_giant_patch14_dinov2")
    assert len(str(caught.value)) < 600
    sizes = re.findall(r"(?:convnext| )(_\w+)", timm_trunks.SUPPORTED)
    assert [f"convnext{size}" for size in sizes] == [
        name for name in timm_convolutional.NAMES if name.startswith("convnext")
    ]
    with pytest.raises(UnsupportedCheckpointError, match=r"convnext_atto'; .* Names near it: .*convnext_tiny"):
        describe(timm_model_name="convnext_atto")


# What is wrong → by how much the embeddings of pictures move.
MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("timm-siglip", {"heads": 2}),
    ("timm-siglip", {"activation": "quick_gelu"}),
    ("timm-siglip_tanh", {"heads": 12}),
    ("timm-siglip_tanh", {"pool.heads": 8}),
    ("timm-pe", {"rope": None}),
    ("timm-pe", {"rope": RopeConfig(side=5, reference=14, columns_first=True)}),
    ("timm-pe", {"rope": RopeConfig(side=5, reference=14, offset=1)}),
    ("timm-pe", {"rope": RopeConfig(side=5, reference=5, offset=1, columns_first=True)}),
    ("timm-pe", {"pool.heads": 3}),
    ("timm-pe_gigantic", {"rope": RopeConfig(side=4, reference=32)}),  # without a class token no offset is seen
    ("timm-pe_gigantic", {"pool.heads": None}),
    ("timm-eva02", {"rope": None}),
    ("timm-eva02", {"rope": RopeConfig(side=4, reference=4)}),
    ("timm-eva02", {"rope": RopeConfig(side=4, reference=16, columns_first=True)}),
    ("timm-eva02", {"heads": 2}),
    ("timm-eva01", {"heads": 2}),
    ("timm-eva01_mean", {"pool.norm_after": False}),
    ("timm-clip", {"heads": 2}),
    ("timm-clip", {"pool.kind": "avg"}),
    ("timm-clip_mean", {"pool.norm_after": True}),
    ("timm-mci", {"heads": 2}),
    ("timm-gap", {"pool.norm_after": True}),
    ("timm-vitamin", {"gate": "silu"}),
    ("timm-vitamin", {"heads": 2}),
    ("timm-clip_quickgelu", {"activation": "gelu"}),
    ("timm-siglip_gap", {"pool.norm_after": True}),
    ("timm-registers", {"heads": 2}),
    ("timm-registers_map", {"pool.patches_only": False}),
    ("timm-plain_map", {"pool.patches_only": False}),
    ("timm-naflex", {"position_kind": "bicubic"}),
    ("timm-naflex", {"activation": "quick_gelu"}),
    ("timm-naflex_gap", {"pool.norm_after": False}),
    ("timm-naflex_gap", {"position_kind": "bilinear"}),
    ("timm-naflex_map", {"pool.patches_only": False}),
]


@pytest.mark.parametrize(("name", "options"), MISTAKES)
def test_an_option_that_shapes_do_not_tell_moves_the_result(name: str, options: dict[str, Any]) -> None:
    assert error_of(name, "vision", **options) > 1e-3


@pytest.mark.parametrize(
    ("name", "options"),
    [("timm-siglip", {"activation": "gelu_tanh"}), ("timm-siglip_tanh", {"activation": "gelu"})],
)
def test_the_two_nearest_activations_are_told_apart(name: str, options: dict[str, Any]) -> None:
    """They differ by 5e-4 at most, anywhere; the tolerance is 2e-6."""
    assert error_of(name, "vision", **options) > 5e-5


KINDS = pytest.mark.parametrize("name", ["timm-pe", "timm-eva02", "timm-eva02_enormous", "timm-mci", "timm-vitamin"])


@KINDS
def test_what_an_earlier_process_prepared_gives_the_very_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_LEAST_BYTES", 1)
    image = np.load(FAMILIES / f"{name}.npz")["image"]
    expected = numpyclip.load(FAMILIES / name)[0].encode_image(image)
    monkeypatch.setattr(weight_store, "save_prepared", None)  # what would be called to prepare again
    np.testing.assert_array_equal(numpyclip.load(FAMILIES / name)[0].encode_image(image), expected)


@KINDS
def test_low_memory_gives_the_same(name: str) -> None:
    found = recognize(files_at(FAMILIES / name))
    model = CLIP.read(found.checkpoint, found.config, found.tokenizer, low_memory=True)
    with np.load(FAMILIES / f"{name}.npz") as golden:
        assert_close(model.encode_image(golden["image"]), golden["encode_image"])


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("timm_pool", "abs_attn", "'avg' or 'token' or 'map'"),
        ("timm_pool", "", "'avg' or 'token' or 'map'"),
        ("timm_proj", "conv", "'linear', 'mlp', 'none' or null"),
        ("timm_model_kwargs", {"qk_norm": True}, "not supported"),
        ("timm_model_kwargs", {"img_size": 64}, "vision_cfg.image_size, which is 32"),
        ("timm_model_kwargs", {"num_heads": 5}, "a divisor of the width, 768"),
        ("timm_model_kwargs", {"num_heads": 384}, "cut into the heads"),
        ("timm_model_kwargs", {"embed_dim": 2**40}, "expected 1.."),
        ("timm_model_kwargs", {"mlp_ratio": float("nan")}, "a finite number"),
        ("timm_model_kwargs", {"mlp_ratio": -1}, "1e-06 or more, below 65536"),
    ],
)
def test_an_option_that_is_not_supported_is_named(option: str, value: object, expected: str) -> None:
    options = {"timm_model_name": "eva02_base_patch16_clip_224", "image_size": 32, "timm_pool": "token"}
    with pytest.raises(UnsupportedCheckpointError, match=rf"{option}.*{re.escape(expected)}"):
        describe(**{**options, "timm_proj": None, option: value})


def test_images_of_any_size_have_a_bound_of_patches() -> None:
    with pytest.raises(UnsupportedCheckpointError, match="patch_size is 1; expected at most 4096 patches of images of"):
        describe(
            timm_model_name="naflexvit_base_patch16_gap",
            image_size=2048,
            timm_pool="avg",
            timm_proj="linear",
            timm_model_kwargs={"patch_size": 1},
        )


def test_without_a_class_token_none_can_speak() -> None:
    with pytest.raises(UnsupportedCheckpointError, match="expected 'avg' or 'map'"):
        describe(timm_model_name="vit_base_patch16_siglip_224", timm_pool="token", timm_proj="none")


def test_a_stem_of_fixed_squares_has_one_patch_size() -> None:
    with pytest.raises(UnsupportedCheckpointError, match="patch_size is 8; expected 16"):
        describe(timm_model_name="vit_base_mci_224", timm_pool="token", timm_model_kwargs={"patch_size": 8})


def test_null_is_not_the_default() -> None:
    """Left out, the projection is a layer without a bias in `head`; null, it is timm's own."""
    base = {"timm_model_name": "vit_large_patch14_clip_224"}
    assert describe(**base).pool.norm_after is False  # a mean, but timm makes the model with a class token's norm
    assert describe(**base, timm_proj=None).pool.norm_after is True


def test_a_projection_of_another_place_is_an_error(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "timm-pe", tmp_path / "model"))
    description = json.loads((folder / OPEN_CLIP_CONFIG).read_text("utf-8"))
    description["model_cfg"]["vision_cfg"]["timm_proj"] = "none"
    (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(description), "utf-8")
    with pytest.raises(UnsupportedCheckpointError, match="embed_dim is 40; expected 48"):
        recognize(files_at(folder))


@pytest.mark.parametrize("name", [folder.name for folder in FAMILIES.glob("timm-*/")])
def test_names_can_be_read_backwards(name: str) -> None:
    """Where one of our names stands for several of timm's, the first is that of a SigLIP model."""
    backwards = translator(tuple((ours, theirs) for theirs, ours in reversed(timm.NAMES)))
    forwards = translator(timm.NAMES)
    names = [name for name in read(FAMILIES / name / WEIGHTS).arrays if name.startswith("visual.")]
    assert all(forwards(backwards(forwards(name))) == forwards(name) for name in names)
    if name in ("timm-siglip", "timm-siglip_tanh"):
        assert [backwards(forwards(name)) for name in names] == names


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Checkpoint:
    checkpoint = read(FAMILIES / name / WEIGHTS)
    arrays = dict(checkpoint.arrays)
    change(arrays)
    return Checkpoint(checkpoint.path, arrays)


def test_tables_of_rotary_embeddings_in_a_file_are_left_out() -> None:
    table = {"visual.trunk.rope.pos_embed": np.zeros((16, 24)), "visual.trunk.rope.bands": np.zeros(3)}
    config = recognize(files_at(FAMILIES / "timm-eva02")).config.vision
    plain = timm.translate(read(FAMILIES / "timm-eva02" / WEIGHTS), config)
    with_table = timm.translate(changed("timm-eva02", lambda arrays: arrays.update(table)), config)
    assert with_table.arrays.keys() == plain.arrays.keys()


def test_two_tensors_for_one_place_are_an_error() -> None:
    norm = {"visual.trunk.fc_norm.weight": np.ones(48, np.float32)}
    config = recognize(files_at(FAMILIES / "timm-eva02")).config.vision
    with pytest.raises(CheckpointError, match=r"'visual.ln_post.weight' is there 2 times"):
        timm.translate(changed("timm-eva02", lambda arrays: arrays.update(norm)), config)


@pytest.mark.parametrize("shape", [(), (17,), (17, 48), (2, 17, 24), (1, 1, 17, 48), (1, 0, 48)])
def test_positions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    found = recognize(files_at(FAMILIES / "timm-eva02"))
    positions = {"visual.trunk.pos_embed": np.zeros(shape, np.float32)}
    raw = changed("timm-eva02", lambda arrays: arrays.update(positions))
    arrays = {name.removeprefix("text."): array for name, array in raw.arrays.items()}
    checkpoint = timm.translate(Checkpoint(raw.path, arrays), found.config.vision)
    if shape == (17, 48):  # ours already: no harm
        CLIP.read(checkpoint, found.config, found.tokenizer)
        return
    with pytest.raises(CheckpointError, match=r"'visual\.positional_embedding' has shape"):
        CLIP.read(checkpoint, found.config, found.tokenizer)


@pytest.mark.parametrize(
    ("name", "pools"), [("eva_giant_patch14_224", ("avg", "avg")), ("eva02_base_patch16_clip_224", ("tok", "tok"))]
)
def test_a_pool_of_null_is_the_models_own_as_timm_takes_it(name: str, pools: tuple[str, str]) -> None:
    base = {"timm_model_name": name, "timm_pool": None}
    assert (describe(**base).pool.kind, describe(**base, timm_proj=None).pool.kind) == pools


@pytest.mark.parametrize("name", ["convnext_base", "fastvit_mci2", "eva02_base_patch16_clip_224"])
def test_no_pool_at_all_is_refused_where_the_last_layer_is_timms_own(name: str) -> None:
    """timm would keep the whole map of features; with open_clip's own last layer it is the usual pool."""
    options = {"timm_model_name": name, "timm_pool": ""}
    timm.describe(Section(Path("description.json"), "vision_cfg", {**options, "timm_proj": "linear"}))
    with pytest.raises(UnsupportedCheckpointError, match="timm_pool is ''; expected 'avg'"):
        timm.describe(Section(Path("description.json"), "vision_cfg", {**options, "timm_proj": None}))


def test_positions_of_a_naflex_are_interpolated_to_whole_patches() -> None:
    options = {"timm_model_name": "naflexvit_base_patch16_siglip", "timm_pool": "map", "timm_proj": "none"}
    config = describe(**options, image_size=384, image_seq_len=576)
    assert config.tokens == 576
    assert dict(vision_tower(config).tensors(Checkpoint(Path(), {}), config, 768))["visual.positional_embedding"] == (
        256,
        768,
    )
    with pytest.raises(UnsupportedCheckpointError, match=r"expected multiples of 16 in vision_cfg.image_size"):
        describe(**options, image_size=[384, 380])


@pytest.mark.parametrize("name", ["vitamin_xlarge_256", "naflexvit_base_patch16_siglip"])
@pytest.mark.parametrize("size", [2**20, [64, 4096]])
def test_images_so_large_that_one_would_fill_the_memory_are_refused(name: str, size: object) -> None:
    """No tensor says how large they are."""
    with pytest.raises(UnsupportedCheckpointError, match=r"image_size is .*; expected .*1\.\.2048"):
        describe(timm_model_name=name, image_size=size)


def test_every_tower_of_timm_s_in_open_clip_s_table_is_described_without_weights() -> None:
    described = 0
    for name in architectures():
        known = architecture(name)
        assert known is not None
        vision = known.model_cfg["vision_cfg"]
        if "timm_model_name" in vision:
            config = timm.describe(Section(Path(name), "vision_cfg", vision))
            assert config.image_size == known.image_size
            assert vision["timm_model_name"] in SIZES
            described += 1
    assert described > 70


@pytest.mark.parametrize("proj", ["linear", "mlp"])
def test_timm_adds_attention_pooling_only_to_a_model_that_it_builds_with_it(proj: str) -> None:
    options = {"timm_model_name": "eva02_base_patch16_clip_224", "timm_pool": "map"}
    assert describe(**options, timm_proj=None).pool.kind == "map"
    with pytest.raises(UnsupportedCheckpointError, match="timm_pool is 'map'; expected 'avg' or 'token' or ''"):
        describe(**options, timm_proj=proj)


def test_a_ratio_that_was_rounded_down_is_exact_for_another_width() -> None:
    options = {"timm_model_name": "eva02_large_patch14_clip_224", "timm_pool": "token"}
    assert describe(**options).mlp_width == 2730
    assert describe(**options, timm_model_kwargs={"embed_dim": 48, "num_heads": 4}).mlp_width == 128
