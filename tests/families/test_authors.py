"""Models of Long-CLIP, TinyCLIP and FG-CLIP 2, against their authors' code (tools/golden: authors.py, fg_clip_2.py)."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tools.golden.authors_weights import POSITIONS, positions, pruned

import numpyclip
from numpyclip.errors import CheckpointError, CorruptCheckpointError
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import files_at
from numpyclip.model import ops
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.weights.dtypes import BFloat16, narrow_to_bfloat16
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import unwritten, write_safetensors
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close
from tests.weights.forged import GOLDEN


@pytest.fixture
def vit() -> dict[str, Any]:
    checkpoint = read(GOLDEN / "vit.safetensors")
    return {name: checkpoint.take(name) for name in checkpoint.arrays}


def with_positions(tensors: dict[str, Any]) -> dict[str, Any]:
    first, rest = positions(tensors["positional_embedding"].shape[1])
    return {**tensors, "positional_embedding": first, "positional_embedding_res": rest}


def by_tiny_clips_names(tensors: dict[str, Any], module: str = "") -> dict[str, Any]:
    def rename(name: str) -> str:
        encoder = "_image" if name.startswith("visual.") else "_text"
        return f"_logit_scale.{module}{name}" if name == "logit_scale" else f"{encoder}_encoder.{module}{name}"

    return {rename(name): tensor for name, tensor in tensors.items()}


def write(path: Path, tensors: dict[str, Any]) -> Path:
    np.savez(path, **tensors)
    return path


def compare(path: Path, name: str, **options: Any) -> None:
    model, _ = numpyclip.load(path, **options)
    with np.load(FAMILIES / f"{name}.npz") as golden:
        assert_close(model.encode_image(golden["image"]), golden["encode_image"])
        assert_close(model.encode_text(golden["text"]), golden["encode_text"])


@pytest.mark.parametrize("module", ["", "module."])
def test_long_clip_s_positions_are_those_of_two_tables(tmp_path: Path, vit: dict[str, Any], module: str) -> None:
    path = write(tmp_path / "longclip.npz", {module + name: array for name, array in with_positions(vit).items()})
    compare(path, "authors-long-clip", activation="quick_gelu")
    model, preprocess = numpyclip.load(path, activation="quick_gelu")
    assert (model.context_length, preprocess.size) == (POSITIONS, 32)
    assert model.tokenize(["a"]).shape == (1, POSITIONS)


def test_long_clip_s_tables_must_agree(tmp_path: Path, vit: dict[str, Any]) -> None:
    tensors = with_positions(vit)
    tensors["positional_embedding_res"] = tensors["positional_embedding_res"][:-1]
    with pytest.raises(
        CheckpointError, match=r"'positional_embedding_res' has shape \(247, 64\); expected \(248, 64\)"
    ):
        recognize(files_at(write(tmp_path / "longclip.npz", tensors)))


@pytest.mark.parametrize("module", ["", "module."])
def test_tiny_clip_s_modules_are_towers_with_gelu(tmp_path: Path, vit: dict[str, Any], module: str) -> None:
    path = write(tmp_path / "tinyclip.npz", by_tiny_clips_names(vit, module))
    compare(path, "authors-tiny-clip")
    assert recognize(files_at(path)).tokenizer().name == "open_clip"
    with pytest.raises(
        CheckpointError, match="as all of TinyCLIP's, the activation 'gelu', but 'quick_gelu' was passed"
    ):
        numpyclip.load(path, activation="quick_gelu")


# --- pruned towers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before"), [("_image_encoder", "module.image_encoder_without_ddp"), ("_text", "_text")]
)
def test_tiny_clip_s_pruned_blocks_compute_what_is_left_of_them(tmp_path: Path, now: str, before: str) -> None:
    path = write(tmp_path / "tinyclip.npz", {name.replace(now, before): array for name, array in pruned().items()})
    compare(path, "authors-tiny-clip-pruned")
    config = recognize(files_at(path)).config
    assert isinstance(config.vision, VisionTransformerConfig) and config.text is not None
    assert (config.vision.width, config.vision.heads, config.vision.attention_width) == (100, 3, 192)
    assert (config.text.width, config.text.heads, config.text.attention_width) == (72, 2, 128)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("visual.transformer.resblocks.1.attn.out_proj.weight", (100, 320), r"has shape \(100, 320\); expected up to"),
        ("visual.transformer.resblocks.1.attn.in_proj_weight", (191, 100), r"has shape \(191, 100\); expected up to"),
        ("visual.transformer.resblocks.2.mlp.c_fc.weight", (10,), "expected 2 dimensions"),
        ("visual.transformer.resblocks.900.ln_2.bias", (100,), "differ too much in size; expected at most 8 times"),
    ],
)
def test_pruned_blocks_that_do_not_fit_are_refused(tmp_path: Path, name: str, shape: Any, message: str) -> None:
    tensors = {**pruned(), f"_image_encoder.{name}": np.zeros(shape, np.float32)}
    with pytest.raises(CheckpointError, match=message):
        numpyclip.load(write(tmp_path / "tinyclip.npz", tensors))


FG_CLIP_2 = "authors-fg-clip-2"


def test_pruned_blocks_may_be_of_bfloat16(tmp_path: Path) -> None:
    rounded = {name: narrow_to_bfloat16(array).view(BFloat16) for name, array in pruned().items()}
    halves = [tensor for name, array in rounded.items() for tensor in unwritten(name, array)]
    write_safetensors(tmp_path / "half.safetensors", halves)
    write(tmp_path / "float.npz", {name: array.astype(np.float32) for name, array in rounded.items()})
    found, expected = (numpyclip.load(tmp_path / name)[0] for name in ("half.safetensors", "float.npz"))
    ids = found.tokenize(["a"])[:, :12] % 96
    assert_close(found.encode_text(ids), expected.encode_text(ids))


def test_a_changed_bit_of_a_pruned_tower_is_noticed(tmp_path: Path) -> None:
    path, tensors = tmp_path / "tinyclip.npz", pruned()
    data = bytearray(write(path, tensors).read_bytes())
    data[data.index(tensors["_image_encoder.visual.class_embedding"].tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptCheckpointError, match="checksum"):
        numpyclip.load(path)


def test_fg_clip_2_gives_large_images_more_patches() -> None:
    model, golden = load(FG_CLIP_2)
    assert model.preprocess.patch_counts == (128, 256, 576, 784, 1024)
    pictures = [golden[f"picture_{index}"] for index in range(len(golden["shapes"]))]
    for picture, (rows, columns) in zip(pictures, golden["shapes"], strict=True):
        assert model.preprocess(Image.fromarray(picture)).shape == (3, rows * 8, columns * 8)
    counts = [int(np.prod(shape)) for shape in golden["shapes"]]
    assert [next(most for most in model.preprocess.patch_counts if count <= most) for count in counts] == [
        *(128, 256, 128, 128, 576, 784, 1024)
    ]
    assert_close(model.embed_images(pictures), ops.normalize(golden["embed_images"].astype(np.float32)))


def test_fg_clip_2_may_have_one_number_of_patches(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / FG_CLIP_2, tmp_path / "model"))
    path = folder / "preprocessor_config.json"
    options = {**json.loads(path.read_text("utf-8")), "dynamic_max_patches": False, "max_num_patches": 64}
    path.write_text(json.dumps(options), "utf-8")
    preprocess = recognize(files_at(folder)).config.preprocess
    assert (preprocess.patch_counts, preprocess.size) == ((), 64)
    path.unlink()
    assert recognize(files_at(folder)).config.preprocess.patch_counts == load(FG_CLIP_2)[0].preprocess.patch_counts


def test_other_options_of_fg_clip_2_count(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / FG_CLIP_2, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(
        json.dumps({**config, "auto_map": {"AutoModel": "modeling_fgclip2.Fgclip2Model"}})
    )
    assert recognize(files_at(folder)).config == load(FG_CLIP_2)[0].config
    config["text_config"]["max_position_embeddings"] = 30
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"'positional_embedding' has shape \(12, 32\); expected \(30, 32\)"):
        numpyclip.load(folder)


def test_fg_clip_1_is_a_clip_for_short_texts(tmp_path: Path) -> None:
    """Its code is not at hand: it computes what `CLIPModel` does, with these tensors besides."""
    name = "transformers-clip-gelu"
    folder = Path(shutil.copytree(FAMILIES / name, tmp_path / "model"))
    files = files_at(folder)
    tensors = read(files.weights)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    width, dim = config["text_config"]["hidden_size"], config["projection_dim"]
    more = {
        "text_model.embeddings.position_embedding_res.weight": np.ones((248, width), np.float32),
        "text_model.embeddings.position_embedding_ori.weight": np.ones((248, width), np.float32),
        "text_filip_projection.weight": np.ones((dim, width), np.float32),
        "logit_scale_finegraind": np.float32(1),
        "logit_scale_hardneg": np.float32(1),
    }
    for file in folder.glob("model*"):
        file.unlink()
    write(folder / "weights.npz", {**{each: tensors.take(each) for each in tensors.arrays}, **more})
    (folder / "weights.npz").rename(folder / "model.safetensors")  # the content counts
    config["text_config"] |= {"keep_len": 20, "longtext_len": 248}
    (folder / "config.json").write_text(
        json.dumps({**config, "auto_map": {"AutoModel": "modeling_fgclip.FGCLIPModel"}})
    )
    compare(folder, name)
