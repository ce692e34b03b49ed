"""What tensors alone tell of Apple's own files of MobileCLIP."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families import apple
from numpyclip.families.config_file import Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG, ModelFiles
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.text_config import MCTConfig, TextConfig
from numpyclip.model.vision.vision_config import FastViTConfig, VisionTransformerConfig
from numpyclip.saving.save import save
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read
from tests.families.altered import altered
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close

S0, FUSED, S1, B = (f"apple-mobileclip_{name}" for name in ("s0", "s0-fused", "s1", "b"))


def file_of(name: str) -> Path:
    return next((FAMILIES / name).iterdir())


def changed(name: str, **arrays: np.ndarray | None) -> Checkpoint:
    """A copy with some tensors replaced, or removed where None is given; `__` stands for a dot."""
    checkpoint = read(file_of(name))
    merged = {**checkpoint.arrays, **{key.replace("__", "."): array for key, array in arrays.items()}}
    kept = {key: array for key, array in merged.items() if array is not None}
    return replace(checkpoint, arrays=kept, identity=None)


def describe(checkpoint: Checkpoint) -> ModelDescription:
    return apple.describe(apple.translate(checkpoint))


def build(checkpoint: Checkpoint) -> CLIP:
    found = describe(checkpoint)
    return CLIP.read(found.checkpoint, found.config, found.tokenizer)


# --- which model it is -----------------------------------------------------------------------------------------


def test_s0_is_measured_from_its_shapes() -> None:
    preprocess = Preprocess(256, "open_clip", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear")
    expected = CLIPConfig(
        family="apple",
        embed_dim=24,
        vision=FastViTConfig(
            image_size=256,
            layers=(1, 2, 1, 1),
            widths=(8, 8, 16, 32),
            mlp_ratio=3,
            stem_scale=True,
            squeeze=True,
            layer_norm=False,
            mlp_head=False,
        ),
        text=MCTConfig(
            context_length=20, vocab_size=96, width=32, layers=2, heads=8, mlp_width=128, activation="gelu", eps=1e-5
        ),
        preprocess=preprocess,
    )
    assert load(S0)[0].config == load(FUSED)[0].config == expected


def test_only_the_texts_of_b_look_back_only() -> None:
    causal = {}
    for name in (S0, S1, B):
        text = load(name)[0].config.text
        assert text is not None
        causal[name] = type(text), text.causal, text.least_length
    assert causal == {S0: (MCTConfig, False, 20), S1: (TextConfig, False, 20), B: (TextConfig, True, 1)}


def test_the_vision_transformer_of_b_is_apples_not_timms() -> None:
    """timm adds 1e-6 to variances, not 1e-5, and its first convolution has no border."""
    vision = load(B)[0].config.vision
    assert isinstance(vision, VisionTransformerConfig)
    assert (vision.image_size, vision.patch_size, vision.heads, vision.eps) == (64, 16, 12, 1e-5)
    assert vision.stem.zero_padding


@pytest.mark.parametrize(
    ("name", "tower", "options"),
    [
        (S0, "text", {"eps": 1e-6}),
        (S1, "text", {"eps": 1e-6}),
        (B, "text", {"eps": 1e-6}),
        (S1, "text", {"causal": True}),
        (B, "text", {"causal": False}),
        (S0, "text", {"activation": "quick_gelu"}),
        (S0, "text", {"activation": "gelu_tanh"}),
        (S0, "text", {"heads": 4}),
        (S0, "text", {"pool": "last"}),
        (B, "vision", {"eps": 1e-6}),
        (B, "vision", {"stem.zero_padding": False}),
        (B, "vision", {"heads": 6}),
        (B, "vision", {"activation": "quick_gelu"}),
        (B, "vision", {"pool.kind": "avg"}),
    ],
)
def test_another_option_moves_the_embeddings(name: str, tower: str, options: dict[str, object]) -> None:
    found, golden = describe(read(file_of(name))), load(name)[1]
    config = replace(found.config, **{tower: altered(getattr(found.config, tower), options)})
    model = CLIP.read(found.checkpoint, config, found.tokenizer, low_memory=True)
    if tower == "text":  # of the full length, which texts that look back only need not have
        ours, theirs = model.text(golden["text"]), golden["encode_text"]
    else:
        ours, theirs = model.encode_image(golden["image"]), golden["encode_image"]
    assert np.abs(ours - theirs).max() > 3e-6 * np.abs(theirs).max()


@pytest.mark.parametrize(("name", "tower"), [(S0, "text"), (FUSED, "text"), (S1, "text"), (B, "text"), (B, "image")])
def test_no_tensor_is_overlooked(name: str, tower: str) -> None:
    """A branch or a scale that is left out would not be missed by shapes. (For FastViT see tests/model.)"""
    found, golden = describe(read(file_of(name))), load(name)[1]
    arrays = found.checkpoint.arrays

    def embed(**changes: np.ndarray) -> np.ndarray:
        checkpoint = replace(found.checkpoint, arrays={**arrays, **changes}, identity=None)
        model = CLIP.read(checkpoint, found.config, found.tokenizer)
        result: np.ndarray = getattr(model, f"encode_{tower}")(golden[tower][1:2])
        return result

    expected = embed()
    names = [key for key in arrays if key.startswith("visual.") == (tower == "image") and arrays[key].dtype.kind == "f"]
    for key in set(names) - {"logit_scale"}:
        other = embed(**{key: arrays[key].astype(np.float32) * np.float32(1.5)})
        assert np.abs(other - expected).max() > 1e-4 * np.abs(expected).max(), key


# --- what is around the tensors --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_a_file_and_a_folder_load_without_a_warning(tmp_path: Path) -> None:
    file = Path(shutil.copy(file_of(S0), tmp_path / "any name.pt"))
    for path in (file, tmp_path):
        model, preprocess = numpyclip.load(path)
        assert model.config.activation == "gelu"
        assert preprocess.size == 256
    assert numpyclip.load(file, activation="gelu")[0].config == model.config
    with pytest.raises(CheckpointError, match="as all of Apple's, the activation 'gelu', but 'quick_gelu'"):
        numpyclip.load(file, activation="quick_gelu")


def test_pictures_are_resized_and_cut_and_not_normalised() -> None:
    """As torchvision's Resize(256, bilinear), CenterCrop(256), ToTensor()."""
    preprocess = load(S0)[0].preprocess
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 411, 3), np.uint8))
    expected = np.asarray(picture.resize((350, 256), Image.Resampling.BILINEAR))[:, 47:303] / 255
    np.testing.assert_allclose(preprocess(picture).transpose(1, 2, 0), expected, atol=1e-7)


def test_texts_are_cut_into_tokens_as_open_clip_does() -> None:
    model = load(S0)[0]
    assert model.tokenizer.name == "open_clip"
    assert model.tokenize("a dog &amp; a CAT")[0, :8].tolist() == [49406, 320, 1929, 261, 320, 2368, 49407, 0]


def test_the_factor_of_logits_is_a_hundred_at_most(tmp_path: Path) -> None:
    stored = read(file_of(S0)).arrays["logit_scale"]
    assert stored > np.log(100)
    assert np.exp(load(S0)[0].logit_scale) == pytest.approx(100, rel=1e-6)
    assert build(changed(S0, logit_scale=np.array(2.5, np.float32))).logit_scale == 2.5


@pytest.mark.parametrize("name", [S0, S1, B])
@pytest.mark.parametrize("low_memory", [False, True])
def test_memory_may_be_saved_and_texts_may_come_one_by_one(name: str, low_memory: bool) -> None:
    golden = load(name)[1]
    model, _ = numpyclip.load(FAMILIES / name, low_memory=low_memory)
    assert_close(np.concatenate([model.encode_text(row[np.newaxis]) for row in golden["text"]]), golden["encode_text"])
    assert_close(model.encode_image(golden["image"][:1]), golden["encode_image"][:1])


def test_open_clip_takes_these_files_under_its_own_names(tmp_path: Path) -> None:
    """It reads the vision transformer of B as timm's, which is not quite Apple's."""
    text = {"context_length": 20, "vocab_size": 96, "width": 32, "heads": 8, "layers": 2, "no_causal_mask": True}
    sizes = {"layers": [1, 1, 1, 1], "embed_dims": [8, 8, 16, 64]}
    vision = {"timm_model_name": "fastvit_mci1", "timm_pool": "avg", "timm_proj": None, "image_size": 256}
    model_cfg = {"embed_dim": 24, "vision_cfg": {**vision, "timm_model_kwargs": sizes}, "text_cfg": text}
    pixels = {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}
    description = Section(tmp_path / "MobileCLIP-S1", "", {"model_cfg": model_cfg, "preprocess_cfg": pixels})
    files = ModelFiles(path=file_of(S1), weights=file_of(S1), library=OPEN_CLIP_CONFIG, config=description)
    found, golden = recognize(files), load(S1)[1]
    model = CLIP.read(found.checkpoint, found.config, found.tokenizer)
    assert_close(model.encode_image(golden["image"]), golden["encode_image"])
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])
    assert model.preprocess == load(S1)[0].preprocess


# --- saving ----------------------------------------------------------------------------------------------------


def test_s1_becomes_a_folder_of_open_clip(tmp_path: Path) -> None:
    model, golden = load(S1)
    again, _ = numpyclip.load(save(model, tmp_path / "saved"))
    assert replace(again.config, family="apple") == model.config
    assert again.logit_scale == model.logit_scale
    np.testing.assert_array_equal(again.encode_image(golden["image"]), model.encode_image(golden["image"]))
    np.testing.assert_array_equal(again.encode_text(golden["text"]), model.encode_text(golden["text"]))


def test_tensors_that_open_clip_stores_get_its_shapes_again(tmp_path: Path) -> None:
    """All that timm's model has, but for `num_batches_tracked`, which torch does without."""
    source = numpyclip.load(FAMILIES / "open_clip-fastvit")[0]
    assert source.checkpoint is not None
    bare = replace(source, checkpoint=replace(source.checkpoint, config_file=None))
    theirs = {name.removeprefix("text."): a.shape for name, a in source.checkpoint.stored.items()}
    saved = read(save(bare, tmp_path / "saved") / "open_clip_model.safetensors").arrays
    expected = {name: shape for name, shape in theirs.items() if not name.endswith("num_batches_tracked")}
    assert {name: array.shape for name, array in saved.items()} == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (S0, "which has no MCT"),
        (FUSED, "which has no MCT"),
        (B, "stem.width is 32; expected None"),
    ],
)
def test_what_open_clip_has_not_is_named(tmp_path: Path, name: str, reason: str) -> None:
    for layout in ("open_clip", "transformers"):
        with pytest.raises(UnsupportedCheckpointError, match=reason if layout == "open_clip" else "cannot be saved"):
            save(load(name)[0], tmp_path / "saved", layout)
    assert not (tmp_path / "saved").exists()


def test_open_clip_takes_no_branches_that_are_added_up(tmp_path: Path) -> None:
    source = describe(read(file_of(FUSED)))
    texts = describe(read(file_of(S1)))
    arrays = {n: a for n, a in source.checkpoint.arrays.items() if n.startswith("visual.")}
    arrays |= {n: a for n, a in texts.checkpoint.arrays.items() if not n.startswith("visual.")}
    config = replace(source.config, text=texts.config.text)
    model = CLIP.read(replace(source.checkpoint, arrays=arrays, identity=None), config, texts.tokenizer)
    with pytest.raises(UnsupportedCheckpointError, match=r"branches are fused, as in 'visual\.trunk\..*reparam_conv"):
        save(model, tmp_path / "saved")


@pytest.mark.parametrize("name", [S0, FUSED, S1, B])
def test_eight_bits_keep_apples_names_and_are_recognised_again(tmp_path: Path, name: str) -> None:
    model, golden = load(name)
    folder = save(model, tmp_path / "small", "int8")
    small, _ = numpyclip.load(folder)
    assert small.config == model.config
    assert small.logit_scale == pytest.approx(float(model.logit_scale))
    assert set(read(folder / "model.int8.safetensors").arrays) == set(read(file_of(name)).arrays)
    for given, wanted in (("image", "encode_image"), ("text", "encode_text")):
        ours, theirs = getattr(small, wanted)(golden[given]), golden[wanted]
        cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
        assert 0 < (1 - cosines).max() < 1e-3


# --- hostile files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [S0, *(pytest.param(file, marks=pytest.mark.exhaustive) for file in (FUSED, S1, B))])
def test_a_missing_tensor_is_an_error_whichever_it_is(file: str) -> None:
    checkpoint = read(file_of(file))
    for name in [name for name in checkpoint.arrays if not name.endswith("num_batches_tracked")]:
        arrays = {key: array for key, array in checkpoint.arrays.items() if key != name}
        with pytest.raises(CheckpointError, match=r"tensor '.*' is missing|block '.*' is missing|ha(s|ve) no place"):
            build(replace(checkpoint, arrays=arrays, identity=None))


@pytest.mark.parametrize(
    ("file", "name", "shape"),
    [
        (S0, "text_encoder.positional_embedding.pos_embed.pos_embed", (1, 2, 20, 32)),
        (S0, "text_encoder.positional_embedding.pos_embed.pos_embed", (20, 16)),
        (S0, "text_encoder.positional_embedding.pos_embed.pos_embed", ()),
        (S0, "text_encoder.embedding_layer.weight", (96, 0)),
        (S0, "text_encoder.embedding_layer.weight", (96, 40)),
        (S0, "text_encoder.projection_layer", (24, 32)),
        (S0, "text_encoder.transformer.0.token_mixer.mixer.rbr_conv.0.conv.weight", (32, 1, 1, 9)),
        (S0, "text_encoder.transformer.0.token_mixer.mixer.rbr_conv.0.conv.weight", (32, 1, 11, 1)),
        (S0, "text_encoder.transformer.3.convffn.conv.conv.weight", (32, 1, 1, 1)),
        (S0, "text_encoder.transformer.3.layer_scale", (32, 1)),
        (S0, "text_encoder.transformer.0.convffn.fc1.weight", (96, 32, 1, 1)),
        (S0, "image_encoder.model.head.proj", (24, 64)),
        (S0, "image_encoder.model.network.7.0.convffn.fc1.weight", (3, 32, 3, 3)),
        (S0, "image_encoder.model.conv_exp.se.reduce.weight", (0, 64, 1, 1)),
        (S0, "logit_scale", (2,)),
        (B, "image_encoder.model.pos_embed.pos_embed.pos_embed", (1, 1, 16, 60)),
        (B, "image_encoder.model.cls_token", (1, 2, 48)),
        (B, "image_encoder.model.patch_emb.0.block.conv.weight", (32, 3, 7, 7)),
        (B, "image_encoder.model.patch_emb.2.block.conv.weight", (48, 32, 1, 1)),
        (B, "image_encoder.model.classifier.proj", (24, 48)),
    ],
)
def test_a_wrong_shape_is_named(file: str, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CheckpointError, match=r"has shape|is missing"):
        build(changed(file, **{name: np.zeros(shape, np.float32)}))


def test_sizes_that_no_model_of_apples_has_are_refused() -> None:
    zeros = np.zeros
    with pytest.raises(UnsupportedCheckpointError, match="width of 33 cannot be cut into 8 heads"):
        describe(changed(S0, text_encoder__embedding_layer__weight=zeros((96, 33), np.float32)))
    with pytest.raises(UnsupportedCheckpointError, match="has 15 rows; expected a square number\\."):
        key = "image_encoder.model.pos_embed.pos_embed.pos_embed"
        describe(changed(B, **{key: zeros((1, 1, 15, 48), np.float32)}))
    for stage, width in ((0, 12), (7, 24)):
        key = f"image_encoder.model.network.{stage}.0.convffn.fc1.weight"
        with pytest.raises(UnsupportedCheckpointError, match=rf"stages of its FastViT are .*{width}.* wide"):
            describe(changed(S0, **{key: zeros((3 * width, width, 1, 1), np.float32)}))


def test_a_block_of_convolutions_in_the_middle_is_refused() -> None:
    """Taken for the last one it would be, were the others not counted."""
    checkpoint = read(file_of(S0))
    arrays = {
        name.replace("text_encoder.transformer.3.", "text_encoder.transformer.7."): array
        for name, array in checkpoint.arrays.items()
    }
    with pytest.raises(CheckpointError, match=r"block 'text_encoder\.transformer\.3' is missing"):
        build(replace(checkpoint, arrays=arrays, identity=None))
    swapped = {"1": "3", "3": "1"}
    arrays = {
        f"text_encoder.transformer.{swapped.get(name.split('.')[2], name.split('.')[2])}.{name.split('.', 3)[3]}"
        if name.startswith("text_encoder.transformer.")
        else name: array
        for name, array in checkpoint.arrays.items()
    }
    with pytest.raises(CheckpointError, match="is missing"):
        build(replace(checkpoint, arrays=arrays, identity=None))


def test_two_names_of_one_tensor_are_refused() -> None:
    arrays = {"visual__proj": np.zeros((48, 24), np.float32)}
    with pytest.raises(CheckpointError, match=r"'visual\.proj' is there 2 times"):
        describe(changed(B, **arrays))
