"""OpenCLIP's folders, and its description of a model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.families import open_clip
from numpyclip.families.config_file import Section
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG, files_at
from numpyclip.families.tensor_names import rename
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig, DecoderConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import PoolConfig, ResNetConfig, VisionTransformerConfig
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read
from tests.families.altered import FAMILIES, error_of
from tests.weights.forged import GOLDEN

WEIGHTS = "open_clip_model.safetensors"
Config = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "open_clip", tmp_path / "model"))


def _edit(folder: Path, change: Callable[[Config], object]) -> None:
    config = json.loads((folder / OPEN_CLIP_CONFIG).read_text("utf-8"))
    change(config)
    (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(config), "utf-8")


def test_a_folder_is_read_with_its_activation(folder: Path) -> None:
    found = recognize(files_at(folder))
    expected = read(folder / WEIGHTS)
    assert expected.activation is None
    assert found.config.activation == "gelu"
    assert all(np.array_equal(found.checkpoint.arrays[name], array) for name, array in expected.arrays.items())
    _edit(folder, lambda config: config["model_cfg"].update(quick_gelu=True))
    assert recognize(files_at(folder)).config.activation == "quick_gelu"


def test_weights_under_open_clips_name_are_preferred(folder: Path) -> None:
    shutil.copy(GOLDEN / "vit.safetensors", folder / "model.safetensors")
    assert recognize(files_at(folder)).checkpoint.path == folder / WEIGHTS


def test_without_weights_the_names_that_are_looked_for_are_told(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match="has no weights; expected a file named open_clip_model"):
        recognize(files_at(folder))


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("model_cfg", "quick_gelu", "yes"),
        ("model_cfg", "embed_dim", 0),
        ("vision_cfg", "layers", 10**9),
        ("text_cfg", "layers", 10**9),
        ("model_cfg", "novelty", True),
        ("vision_cfg", "timm_model_name", "resnet18"),
        ("vision_cfg", "mlp_ratio", float("nan")),
        ("vision_cfg", "mlp_ratio", 0),
        ("vision_cfg", "width", 10**400),
        ("text_cfg", "heads", 3),
        ("text_cfg", "mlp_ratio", 1e300),
        ("vision_cfg", "head_width", 80),
        ("vision_cfg", "pool_type", "none"),
        ("vision_cfg", "image_size", [32, 48, 3]),
        ("vision_cfg", "image_size", True),
        ("vision_cfg", "layers", [3, 4, 6]),
        ("vision_cfg", "qk_norm", True),
        ("text_cfg", "heads", "1"),
        ("text_cfg", "proj_type", "mlp"),
        ("text_cfg", "hf_model_name", "roberta"),
        ("text_cfg", "tokenizer_mode", "clips"),
        ("preprocess_cfg", "mean", [0.5, 0.5]),
        ("preprocess_cfg", "mean", True),
        ("preprocess_cfg", "mean", [0.5, float("inf"), 0.5]),
        ("preprocess_cfg", "std", [0.5, 0, 0.5]),
        ("preprocess_cfg", "std", [0.5, -0.5, 0.5]),
        ("vision_cfg", "norm_kwargs", {"eps": float("nan")}),
        ("text_cfg", "norm_kwargs", {"eps": -1e-5}),
        ("preprocess_cfg", "mode", "L"),
        ("preprocess_cfg", "interpolation", "nearest"),
        ("preprocess_cfg", "resize_mode", "stretch"),
        ("vision_cfg", "unknown", [[[]]] * 99),
    ],
)
def test_an_option_that_is_not_supported_is_named(folder: Path, section: str, option: str, value: object) -> None:
    def change(config: Config) -> None:
        parts = {**config["model_cfg"], **config, "model_cfg": config["model_cfg"]}
        parts[section][option] = value

    _edit(folder, change)
    with pytest.raises(UnsupportedCheckpointError, match=f"{section}.{option}") as caught:
        recognize(files_at(folder))
    assert OPEN_CLIP_CONFIG in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("", "version", "3.3.0"),
        ("", "tokenizer", {"name": "clip"}),
        ("model_cfg", "nonscalar_logit_scale", False),
        ("model_cfg", "output_dict", True),
        ("preprocess_cfg", "hf_hub", "imageomics/bioclip/open_clip_pytorch_model.bin"),
        ("preprocess_cfg", "num_channels", 3),
        ("preprocess_cfg", "fill_color", None),
    ],
)
def test_what_open_clip_ignores_is_no_reason_to_refuse(folder: Path, section: str, option: str, value: object) -> None:
    expected = recognize(files_at(folder)).config

    def change(config: Config) -> None:
        {**config["model_cfg"], **config, "": config, "model_cfg": config["model_cfg"]}[section][option] = value

    _edit(folder, change)
    assert recognize(files_at(folder)).config == expected


def test_one_number_normalises_all_channels(folder: Path) -> None:
    _edit(folder, lambda config: config["preprocess_cfg"].update(mean=0.25, std=1))
    preprocess = recognize(files_at(folder)).config.preprocess
    assert (preprocess.mean, preprocess.std) == ((0.25,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("vision_cfg", "image_size", 48),
        ("vision_cfg", "image_size", [32, 48]),
        ("vision_cfg", "layers", 2),
        ("vision_cfg", "width", 128),
        ("vision_cfg", "patch_size", 8),
        ("vision_cfg", "no_ln_pre", True),
        ("vision_cfg", "ls_init_value", 0.1),
        ("vision_cfg", "mlp_ratio", 2.0),
        ("text_cfg", "context_length", 32),
        ("text_cfg", "vocab_size", 5),
        ("model_cfg", "embed_dim", 999),
        ("model_cfg", "init_logit_bias", -10),
    ],
)
def test_a_description_that_contradicts_the_tensors_is_an_error(
    folder: Path, section: str, option: str, value: object
) -> None:
    def change(config: Config) -> None:
        {**config["model_cfg"], "model_cfg": config["model_cfg"]}[section][option] = value

    _edit(folder, change)
    with pytest.raises(
        CheckpointError, match=r"has shape .*; expected \(|is missing|ha(s|ve) no place|expected 64, the"
    ):
        numpyclip.load(folder)


# What is wrong → which tower notices. Shapes do not tell any of these.
MISTAKES: list[tuple[str, str, dict[str, Any]]] = [
    ("open_clip-quickgelu", "vision", {"activation": "gelu"}),
    ("open_clip-quickgelu", "text", {"activation": "gelu"}),
    ("open_clip-quickgelu", "vision", {"heads": 1}),
    ("open_clip-quickgelu", "text", {"heads": 4}),
    ("open_clip-quickgelu", "vision", {"pool.norm_after": True}),
    ("open_clip-quickgelu", "vision", {"pool.kind": "tok"}),
    ("open_clip-quickgelu", "text", {"causal": False}),
    ("open_clip-clipa", "vision", {"pool.norm_after": False}),
    ("open_clip-clipa", "text", {"pool": "argmax"}),
    ("open_clip-siglip_text", "vision", {"eps": 1e-5}),
    ("open_clip-siglip_text", "text", {"eps": 1e-5}),
    ("open_clip-siglip_text", "text", {"causal": True}),
    ("open_clip-siglip_text", "text", {"pool": "argmax"}),
    ("open_clip-mobileclip_text", "text", {"causal": True}),
    ("open_clip-mobileclip_text", "text", {"pool": "last"}),
    ("open_clip-worldwide_text", "vision", {"heads": 2}),
    ("open_clip-worldwide_text", "text", {"pool": "argmax"}),
    ("open_clip-worldwide_text", "text", {"end_id": 2}),
    ("open_clip-worldwide_text", "text", {"causal": False}),
    ("open_clip-first_token", "text", {"pool": "argmax"}),
    ("open_clip-first_token", "text", {"causal": True}),
    ("open_clip-first_token", "vision", {"heads": 2}),
]


@pytest.mark.parametrize(("name", "tower", "options"), MISTAKES)
def test_an_option_that_shapes_do_not_tell_moves_the_result(name: str, tower: str, options: dict[str, Any]) -> None:
    assert error_of(name, tower, **options) > 1e-3


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_the_two_nearest_activations_are_told_apart(tower: str) -> None:
    """They differ by 5e-4 at most, anywhere; the tolerance is 2e-6."""
    assert error_of("open_clip-siglip_text", tower, activation="gelu") > 5e-5


def test_a_tensor_with_and_without_the_prefix_of_texts_is_an_error(folder: Path) -> None:
    checkpoint = read(folder / WEIGHTS)
    twice = {**checkpoint.arrays, "text.positional_embedding": checkpoint.arrays["positional_embedding"]}
    with pytest.raises(CheckpointError, match="'positional_embedding' is there 2 times"):
        rename(Checkpoint(checkpoint.path, twice), lambda name: name.removeprefix("text."))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        '{"model_cfg": null}',
        '{"model_cfg": []}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {"heads": 1, "width": "64"}}}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {"heads": 1, "width": [64]}}}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": 5, "text_cfg": {"heads": 1, "width": 64}}}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {}}, "preprocess_cfg": 1}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {"heads": 1, "width": 1e400}}}',
        '{"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {"heads": NaN, "width": 64}}}',
        '{"model_cfg": {"vision_cfg": {"width": 64}, "text_cfg": {"heads": 1, "width": ' + "9" * 5000 + "}}}",
        "[" * 100_000,
        "\ufeff{}",
    ],
    ids=range(17),
)
def test_a_description_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / OPEN_CLIP_CONFIG).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=OPEN_CLIP_CONFIG) as caught:
        recognize(files_at(folder))
    assert len(str(caught.value)) < 600


def test_a_description_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / OPEN_CLIP_CONFIG).write_bytes(b"\xff\xfe{}")
    with pytest.raises(CheckpointError, match="not JSON"):
        recognize(files_at(folder))
    (folder / OPEN_CLIP_CONFIG).unlink()
    (folder / OPEN_CLIP_CONFIG).mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        recognize(files_at(folder))


def _tell(folder: Path, **options: object) -> None:
    _edit(folder, lambda config: config["model_cfg"]["text_cfg"].update(options))


@pytest.mark.parametrize(
    "options",
    [{"clean": "upper"}, {"clean": 3}, {"reduction_mask": "random"}, {"strip_sep_token": True}, {"bpe_path": "x"}],
)
def test_an_option_of_the_tokenizer_that_is_not_supported_is_named(folder: Path, options: Config) -> None:
    _tell(folder, tokenizer_kwargs=options)
    with pytest.raises(UnsupportedCheckpointError, match=f"tokenizer_kwargs.{next(iter(options))}"):
        recognize(files_at(folder))


def test_openclips_own_tokenizer_cleans_as_it_is_told(folder: Path) -> None:
    marks = recognize(files_at(folder)).tokenizer()("A-B <start_of_text>", 12)
    assert marks[0, :6].tolist() == [49406, 320, 268, 321, 49406, 49407]
    _tell(folder, tokenizer_kwargs={"clean": "canonicalize"})
    tokenizer = recognize(files_at(folder)).tokenizer()
    assert np.array_equal(tokenizer("A-B!", 12), tokenizer("ab", 12))
    assert tokenizer.name != "open_clip"


def test_a_model_whose_tokenizer_is_missing_still_embeds_pictures(folder: Path) -> None:
    _tell(folder, hf_tokenizer_name="someone/else", tokenizer_kwargs={"clean": "canonicalize"})
    model, _ = numpyclip.load(folder)
    assert len(model.encode_image(np.zeros((1, *model.preprocess.sides, 3), np.uint8))) == 1
    with pytest.raises(CheckpointError, match=r"has no tokenizer; expected .* that of 'someone/else'"):
        model.tokenize("a")


def test_a_tokenizer_beside_the_weights_is_used_if_the_description_names_one(folder: Path) -> None:
    pytest.importorskip("tokenizers")
    for file in (GOLDEN.parent / "tokenizers" / "bert").iterdir():
        shutil.copy(file, folder)
    assert recognize(files_at(folder)).tokenizer().name == "open_clip"
    _tell(folder, hf_tokenizer_name="bert-base-uncased", tokenizer_kwargs={"strip_sep_token": True})
    tokenizer = recognize(files_at(folder)).tokenizer()
    assert tokenizer.name.startswith("tokenizer.json ")
    assert np.array_equal(tokenizer("The CLASS", 8), tokenizer("the class", 8))
    assert tokenizer("", 8)[0, 1:].tolist() == [0] * 7


def read_options(**model_cfg: Any) -> CLIPConfig:
    options = {"model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}, **model_cfg}}
    return open_clip.read_config(Section(Path("config.json"), "", options))[0]


def test_what_a_description_leaves_out_is_as_in_open_clip() -> None:
    blocks: dict[str, Any] = {"layers": 12, "activation": "gelu", "eps": 1e-5}
    text = TextConfig(**blocks, width=512, heads=8, mlp_width=2048, vocab_size=49408, context_length=77)
    vision = VisionTransformerConfig(**blocks, width=768, heads=12, mlp_width=3072, image_size=224, patch_size=16)
    config = read_options()
    assert (config.text, config.vision) == (text, vision)
    assert (config.decoder, config.sigmoid) == (None, False)
    assert config.preprocess == Preprocess(224, "open_clip")
    assert read_options(quick_gelu=True).activation == "quick_gelu"


def test_what_the_description_of_a_coca_leaves_out_is_as_in_open_clip() -> None:
    coca: Any = {"vision_cfg": {"attentional_pool": True}, "text_cfg": {"embed_cls": True}, "multimodal_cfg": {}}
    config = read_options(**coca)
    assert isinstance(config.vision, VisionTransformerConfig)
    assert config.vision.pool == PoolConfig(kind="attn", heads=8, queries=256)
    assert config.text is not None
    assert (config.text.pool, config.text.pad_id, config.text.end_id) == ("cls", 0, None)
    assert config.decoder == DecoderConfig(
        width=512, layers=12, heads=8, mlp_width=2048, activation="gelu", context_length=77
    )


def test_what_the_description_of_a_resnet_leaves_out_is_as_in_open_clip() -> None:
    vision = read_options(vision_cfg={"layers": [1, 2, 3, 4], "width": 64}).vision
    assert vision == ResNetConfig(image_size=224, width=64, layers=(1, 2, 3, 4), heads=32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vision_cfg": {"width": 96}}, "vision_cfg.head_width is None; expected a divisor of the width, 96"),
        ({"vision_cfg": {"width": 32}}, "head_width is None; expected a divisor of the width, 32"),
        ({"vision_cfg": {"head_width": 1025, "width": 1024}}, "head_width is 1025; expected a divisor"),
        ({"text_cfg": {"heads": 3}}, "text_cfg.heads is 3; expected a divisor of the width, 512"),
        (
            {"vision_cfg": {"attentional_pool": "parallel"}},
            "is 'parallel'; open_clip has such pools, NumPyCLIP has not",
        ),
        ({"vision_cfg": {"pool_type": "none"}}, "pool_type is 'none'; a tower without a pool has no embeddings"),
        ({"vision_cfg": {"attentional_pool": True, "attn_pooler_heads": 3}}, "attn_pooler_heads is 3; expected a div"),
        ({"text_cfg": {"proj_type": "none", "width": 256}}, "embed_dim is 512; expected 256, the width of a tower"),
        ({"text_cfg": {"embed_cls": True, "pad_id": 49408}}, "pad_id is 49408; expected 0 to 49407"),
        ({"text_cfg": {"embed_cls": True, "pad_id": -1}}, "pad_id is -1; expected 0 to 49407"),
        ({"multimodal_cfg": {"width": 256}}, "multimodal_cfg.width is 256; expected that of the text tower, 512"),
        ({"multimodal_cfg": {}}, "width is None; expected that of the image tokens, 768"),
    ],
)
def test_sizes_that_do_not_fit_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=message):
        read_options(**options)


def test_images_that_are_not_square_have_a_height_and_a_width() -> None:
    model, preprocess = numpyclip.load(FAMILIES / "open_clip-wide")
    assert preprocess.size == model.visual.input_resolution == (24, 44)
    assert preprocess.sides == (24, 44)
    assert "44 x 24 px" in repr(model)
    assert "44 x 24 px" in repr(model.visual)
    assert preprocess(Image.new("RGB", (64, 64))).shape == (3, 24, 44)
    with pytest.raises(InputError, match=r"shape \(n, 3, 24, 44\), .* or uint8 of shape \(n, 24, 44, 3\)"):
        model.encode_image(np.zeros((1, 3, 44, 24), np.float32))


@pytest.mark.parametrize(("resize_mode", "used"), [("shortest", "bicubic"), ("squash", "bilinear")])
def test_a_rectangle_is_always_covered_with_bicubic_interpolation_as_in_open_clip(
    tmp_path: Path, resize_mode: str, used: str
) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-wide", tmp_path / "model"))
    _edit(
        folder, lambda config: config.update(preprocess_cfg={"interpolation": "bilinear", "resize_mode": resize_mode})
    )
    assert recognize(files_at(folder)).config.preprocess.interpolation == used


def test_a_resnet_is_square_as_in_open_clip(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-worldwide_text", tmp_path / "model"))
    _edit(folder, lambda config: config["model_cfg"]["vision_cfg"].update(image_size=[64, 70]))
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg.image_size is \[64, 70\]; expected a square"):
        recognize(files_at(folder))
