"""transformers' folders, and its description of a model."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import TRANSFORMERS_CONFIG, files_at
from numpyclip.families.tensor_names import translator
from numpyclip.families.transformers_types import TYPES
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.vision.vision_config import PoolConfig, StemConfig, VisionTransformerConfig
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import read_safetensors
from tests.clip_folders import of_version_5
from tests.families.test_parity import FAMILIES
from tests.model.golden import assert_close
from tests.tokenizer.test_hugging_face import FOLDER as TOKENIZERS
from tests.weights.forged import GOLDEN

Config = dict[str, Any]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(FAMILIES / f"transformers-{name}", tmp_path / name))


def edit(folder: Path, change: Callable[[Config], object]) -> None:
    config = json.loads((folder / TRANSFORMERS_CONFIG).read_text("utf-8"))
    change(config)
    (folder / TRANSFORMERS_CONFIG).write_text(json.dumps(config), "utf-8")


def options(config: Config, section: str) -> Config:
    found: Config = config[section] if section else config
    return found


def write_tensors(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write `.npz` under the name that is looked for: the content counts."""
    with (folder / "model.safetensors").open("wb") as file:
        np.savez(file, **tensors)  # type: ignore[arg-type]


# --- names ------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["metaclip_2", "siglip", "chinese_clip"])
def test_the_tables_of_names_read_both_ways(model_type: str) -> None:
    names = TYPES[model_type][0].names
    theirs = set(read_safetensors(FAMILIES / f"transformers-{model_type.replace('_', '-')}" / "model.safetensors")[0])
    ours = set(map(translator(names), theirs))
    assert len(ours) == len(theirs)
    turned = tuple((here, there) for there, here in reversed(names))  # of several names there, the first one counts
    assert set(map(translator(turned), ours)) == theirs
    assert not any("model." in tensor or "layer" in tensor.lower() or "fc1" in tensor for tensor in ours)


def test_a_tensor_under_two_names_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("clip-vision")
    tensors = read_safetensors(FAMILIES / "transformers-clip-vision" / "model.safetensors")[0]
    write_tensors(folder, {**tensors, "visual.proj.weight": tensors["visual_projection.weight"]})
    with pytest.raises(CheckpointError, match=r"tensor 'visual.proj.weight' is there 2 times"):
        recognize(files_at(folder))


def test_a_head_is_left_out_and_what_its_tower_does_not_have_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("clip-vision")
    tensors = read_safetensors(FAMILIES / "transformers-clip-vision" / "model.safetensors")[0]
    write_tensors(folder, {**tensors, "classifier.weight": np.zeros((3, 48), np.float32)})
    with pytest.warns(UserWarning, match=r"no part of the model are left out: 'classifier.weight'\.$"):
        numpyclip.load(folder)
    write_tensors(folder, {**tensors, "vision_model.head.weight": np.zeros((3, 48), np.float32)})
    with pytest.raises(CheckpointError, match=r"tensor 'vision_model.head.weight' has no place"):
        numpyclip.load(folder)


@pytest.mark.parametrize("prefix", ["clip.", "model.", "module.", "_orig_mod."])
@pytest.mark.parametrize("model", ["metaclip-2", "siglip", "clip-text", "clip-vision-bare", "siglip-vision"])
def test_a_prefix_of_all_names_is_taken_off(copy: Callable[[str], Path], model: str, prefix: str) -> None:
    folder = copy(model)
    expected = recognize(files_at(FAMILIES / f"transformers-{model}"))
    tensors = read_safetensors(FAMILIES / f"transformers-{model}" / "model.safetensors")[0]
    beside = {} if prefix == "_orig_mod." else {"loss.t": np.ones(1)}
    write_tensors(folder, {prefix + name: array for name, array in tensors.items()} | beside)
    found = recognize(files_at(folder))
    assert found.config == expected.config
    assert found.checkpoint.arrays.keys() == expected.checkpoint.arrays.keys()
    assert found.checkpoint.left_out == tuple(beside)


# --- descriptions -----------------------------------------------------------


def test_what_a_description_leaves_out_is_as_in_transformers(copy: Callable[[str], Path]) -> None:
    folder = copy("metaclip-2")
    (folder / TRANSFORMERS_CONFIG).write_text('{"model_type": "clip"}')
    config = recognize(files_at(folder)).config
    blocks: Config = {"layers": 12, "activation": "quick_gelu", "eps": 1e-5}
    assert config.text == TextConfig(
        **blocks,
        width=512,
        heads=8,
        mlp_width=2048,
        vocab_size=49408,
        context_length=77,
        pool="eos",
        end_id=49407,
    )
    assert config.vision == VisionTransformerConfig(
        **blocks, width=768, heads=12, mlp_width=3072, image_size=224, patch_size=32
    )
    assert config.embed_dim == 512
    assert config.preprocess == Preprocess(224, profile="transformers")

    (folder / TRANSFORMERS_CONFIG).write_text('{"model_type": "siglip", "text_config": {}, "vision_config": null}')
    config = recognize(files_at(folder)).config
    blocks = {"width": 768, "layers": 12, "heads": 12, "mlp_width": 3072, "activation": "gelu_tanh", "eps": 1e-6}
    assert config.text == TextConfig(
        **blocks, vocab_size=32000, context_length=64, causal=False, pool="last", end_id=None
    )
    assert config.vision == VisionTransformerConfig(
        **blocks,
        image_size=224,
        patch_size=16,
        stem=StemConfig(patch_bias=True),
        class_token=False,
        norm_before=False,
        pool=PoolConfig(kind="map"),
        projection=None,
    )
    assert config.embed_dim == 768
    assert config.sigmoid
    half = (0.5, 0.5, 0.5)
    assert config.preprocess == Preprocess(224, profile="transformers", mean=half, std=half, resize_mode="squash")


@pytest.mark.parametrize(
    ("model", "section", "option", "value"),
    [
        ("clip", "", "model_type", "clip_segmentation"),
        ("clip", "", "model_type", "clip_text_model_vision_model"),
        ("clip", "", "model_type", None),
        ("clip", "", "quantization_config", {"bits": 4}),
        ("clip", "", "projection_dim", 0),
        ("clip", "text_config", "model_type", "roberta"),
        ("clip", "vision_config", "model_type", "vit"),
        ("chinese-clip", "vision_config", "model_type", 3),
        ("clip", "vision_config", "num_channels", 1),
        ("clip", "vision_config", "hidden_act", "tanh"),
        ("clip", "vision_config", "num_attention_heads", 7),
        ("clip", "vision_config", "num_attention_heads", 0),
        ("clip", "vision_config", "image_size", [32, 48]),
        ("clip", "vision_config", "layer_norm_eps", "small"),
        ("clip", "vision_config", "layer_norm_eps", float("inf")),
        ("clip", "text_config", "layer_norm_eps", float("nan")),
        ("chinese-clip", "text_config", "layer_norm_eps", -1e-12),
        ("clip", "vision_config", "use_qk_norm", True),
        ("clip", "text_config", "position_embedding_type", "relative_key"),
        ("clip", "text_config", "num_experts", 4),
        ("clip", "text_config", "layer_norm_epsilon", 1e-3),
        ("clip", "", "adapters", {"a": {}}),
        ("clip-vision", "", "per_layer_config", {"0": {"num_attention_heads": 2}}),
        ("chinese-clip", "text_config", "is_decoder", True),
        ("chinese-clip", "text_config", "rope_theta", 1e4),
        ("clip", "text_config", "eos_token_id", [2, 3]),
        ("clip", "text_config", "pruned_heads", {"0": [1]}),
        ("clip", "text_config", "vocab_size", True),
        ("siglip", "text_config", "projection_size", 40),
        ("siglip", "vision_config", "vision_use_head", "no"),
        ("chinese-clip", "text_config", "position_embedding_type", "relative_key"),
        ("chinese-clip", "text_config", "pad_token_id", -1),
        ("altclip", "text_config", "max_position_embeddings", 3),
        ("altclip", "", "model_type", "altclip_text_model"),
    ],
)
def test_an_option_that_is_not_supported_is_named(
    copy: Callable[[str], Path], model: str, section: str, option: str, value: object
) -> None:
    folder = copy(model)
    edit(folder, lambda config: options(config, section).update({option: value}))
    with pytest.raises(UnsupportedCheckpointError, match=f"{section}.?{option}") as caught:
        recognize(files_at(folder))
    assert TRANSFORMERS_CONFIG in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("model", ["clip", "siglip", "clip-vision", "chinese-clip", "altclip"])
@pytest.mark.parametrize(
    "ignored",
    [
        {"_attn_implementation": "sdpa", "attn_implementation": "eager", "_attn_implementation_internal": "sdpa"},
        {
            "use_return_dict": True,
            "output_hidden_states": True,
            "num_labels": 2,
            "_num_labels": 2,
            "id2label": {"0": "a"},
        },
        {"auto_map": {"AutoModel": "modeling.M"}, "architectures": ["M"], "is_composition": True, "use_cache": True},
        {
            "bos_token_id": 7,
            "max_new_tokens": 20,
            "begin_suppress_tokens": [220],
            "transformers.js_config": {"dtype": "q8"},
        },
        {"pruned_heads": {}, "adapters": {}, "quantization_config": None, "use_qk_norm": False, "is_decoder": False},
        {"tie_encoder_decoder": False, "torch_dtype": "float16", "position_embedding_type": "absolute"},
        {"drop_path_rate": 0.1, "resid_dropout": 0.1, "init_std": 0.02, "freeze": True, "loss_type": "contrastive"},
        {"return_loss": True, "mask_time_prob": 0.05, "num_classes": 1000, "label_smoothing": 0.1, "direct_kd": True},
    ],
    ids=lambda ignored: next(iter(ignored)),
)
def test_options_without_an_effect_are_ignored_anywhere(
    copy: Callable[[str], Path], model: str, ignored: Config
) -> None:
    expected = recognize(files_at(folder := copy(model)))
    sections = [""] if model == "clip-vision" else ["", "text_config", "vision_config"]
    edit(folder, lambda config: [options(config, section).update(ignored) for section in sections])
    found = recognize(files_at(folder))
    assert found.config == expected.config
    assert [warning.count("_num_labels") for warning in found.warnings] == [len(sections)] * ("_num_labels" in ignored)


def test_options_that_transformers_does_not_know_are_listed(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    edit(folder, lambda config: config.update(license="mit", auto_map=["modeling_m.M"]))
    edit(folder, lambda config: config["text_config"].update(keep_len=20, layer_norm_epsilon=1e-5))
    (warning,) = recognize(files_at(folder)).warnings
    assert "config.json: text_config.keep_len, license: no model of transformers has this option" in warning
    edit(folder, lambda config: config.update(auto_map={"AutoModel": "modeling_m.M"}))
    with pytest.raises(UnsupportedCheckpointError, match=r"keep_len is 20; .* code of its own, 'modeling_m\.M'"):
        recognize(files_at(folder))


def test_options_of_towers_have_no_effect_outside_of_them(copy: Callable[[str], Path]) -> None:
    expected = recognize(files_at(folder := copy("clip"))).config
    tower = {"hidden_size": 7, "num_hidden_layers": 3, "hidden_act": "relu", "layer_norm_eps": 1, "rope_theta": 1e4}
    edit(folder, lambda config: config.update(tower, position_embedding_type="relative_key", attention_bias=True))
    found = recognize(files_at(folder))
    assert (found.config, found.warnings) == (expected, ())


def test_a_siglip_without_a_pool_has_tokens_alone(copy: Callable[[str], Path]) -> None:
    """As those that language models keep."""
    folder = copy("siglip-vision")
    with np.load(FAMILIES / "transformers-siglip-vision.npz") as golden:
        image = golden["image"]
    whole, _ = numpyclip.load(folder)
    tokens = whole.image_tokens(image)
    edit(folder, lambda config: config.update(vision_use_head=False))
    tensors = read(folder / "model.safetensors").arrays
    without = {name: np.array(array) for name, array in tensors.items() if "head." not in name}
    (folder / "model.safetensors").unlink()
    write_tensors(folder, without)
    model, _ = numpyclip.load(folder)
    np.testing.assert_array_equal(model.image_tokens(image), tokens)
    with pytest.raises(InputError, match="does not pool patches"):
        model.encode_image(image)


@pytest.mark.parametrize("kept", ["vision", "text"])
def test_a_tower_alone_may_be_described_as_a_whole_model(copy: Callable[[str], Path], kept: str) -> None:
    """As of classifiers, and Stable Diffusion's safety checker, which has a prefix twice."""
    tensors = read(files_at(folder := copy("clip")).weights).arrays
    prefix = "vision_model." if kept == "vision" else ""
    names = ("vision_model.", "visual_") if kept == "vision" else ("text_",)
    alone = {
        prefix * name.startswith("vision_model.") + name: array
        for name, array in tensors.items()
        if name.startswith(names)
    }
    (folder / "pytorch_model.bin").unlink()
    write_tensors(folder, {**alone, "classifier.weight": np.ones((3, 2), np.float32)})
    with pytest.warns(UserWarning) as caught:
        alone_model, _ = numpyclip.load(folder)
    messages = "\n".join(str(warning.message) for warning in caught)
    assert "no tensors of the other tower that config.json describes" in messages
    assert "left out: 'classifier.weight'" in messages
    with np.load(FAMILIES / "transformers-clip.npz") as golden:
        if kept == "vision":
            assert_close(alone_model.encode_image(golden["image"]), golden["encode_image"])
        else:
            assert_close(alone_model.encode_text(golden["text"]), golden["encode_text"])


def test_an_image_processor_that_makes_no_size_is_warned_of(copy: Callable[[str], Path]) -> None:
    path = (folder := copy("siglip")) / "preprocessor_config.json"
    path.write_text(json.dumps({"image_processor_type": "SiglipImageProcessor", "do_resize": False}), "utf-8")
    (warning,) = recognize(files_at(folder)).warnings
    assert "neither resizes nor crops; images must have 32 px" in warning


def test_altclip_is_read_as_it_was_published(copy: Callable[[str], Path]) -> None:
    """Options as in the config file of BAAI/AltCLIP."""
    expected = recognize(files_at(folder := copy("altclip"))).config
    edit(folder, lambda config: config.update(direct_kd=False, num_layers=3, initializer_factor=1.0))
    edit(folder, lambda config: config.update(text_config_dict=None, vision_config_dict=None, torch_dtype="float32"))
    of_text = {"pooler_fn": "average", "output_past": True, "learn_encoder": False, "classifier_dropout": None}
    edit(folder, lambda config: config["text_config"].update(of_text, num_beam_groups=1, diversity_penalty=0.0))
    edit(folder, lambda config: config["vision_config"].update(dropout=0.0, projection_dim=512, num_beams=1))
    found = recognize(files_at(folder))
    assert (found.config, found.warnings) == (expected, ())


@pytest.mark.parametrize("model_type", ["chinese_clip_text_model", "altclip_text_model"])
def test_a_text_tower_that_ends_before_its_projection_is_told(copy: Callable[[str], Path], model_type: str) -> None:
    folder = copy("clip")
    edit(folder, lambda config: config.update(model_type=model_type))
    with pytest.raises(UnsupportedCheckpointError, match="this text tower has no projection; load the whole model"):
        recognize(files_at(folder))


def test_a_type_with_code_of_its_own_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    edit(folder, lambda config: config.update(model_type="zip", auto_map={"AutoModel": "modeling_zip.ZipModel"}))
    with pytest.raises(UnsupportedCheckpointError, match=r"'zip'; .* code of its own, 'modeling_zip\.ZipModel'"):
        recognize(files_at(folder))


@pytest.mark.parametrize(
    ("described", "kind"),
    [
        ({"model_type": "owlv2"}, "'owlv2'; this is not a CLIP, but a detector of objects. Expected clip, metaclip"),
        ({"model_type": "bert"}, "'bert'; this is not a CLIP, but a text encoder alone"),
        ({"model_type": None, "architecture": "vit_base_patch16_224"}, "None; .* timm's alone, 'vit_base_patch16_224'"),
        ({"model_type": "zip"}, "'zip'; not a known type of CLIP"),
        ({"model_type": ["clip"]}, "not a known type of CLIP"),
    ],
)
def test_a_type_that_is_no_clip_is_told(copy: Callable[[str], Path], described: Config, kind: str) -> None:
    edit(folder := copy("clip"), lambda config: config.update(described))
    with pytest.raises(UnsupportedCheckpointError, match=f"model_type is .*{kind}"):
        recognize(files_at(folder))


@pytest.mark.parametrize(
    ("model", "section", "option", "value"),
    [
        ("clip", "", "projection_dim", 48),
        ("clip", "vision_config", "image_size", 48),
        ("clip", "vision_config", "intermediate_size", 100),
        ("clip", "text_config", "num_hidden_layers", 3),
        ("clip", "text_config", "num_hidden_layers", 1),
        ("clip", "text_config", "max_position_embeddings", 16),
        ("clip", "", "model_type", "siglip"),
        ("siglip-text", "", "projection_size", 48),
        ("chinese-clip", "text_config", "type_vocab_size", 1),
        ("altclip", "text_config", "project_dim", 32),
        ("altclip", "text_config", "max_position_embeddings", 16),
        ("siglip-vision", "", "model_type", "clip_vision_model"),
    ],
)
def test_a_description_that_contradicts_the_tensors_is_an_error(
    copy: Callable[[str], Path], model: str, section: str, option: str, value: object
) -> None:
    folder = copy(model)
    (folder / "preprocessor_config.json").unlink(missing_ok=True)
    edit(folder, lambda config: options(config, section).update({option: value}))
    with pytest.raises(CheckpointError, match=r"has shape .*; expected \(|is missing|ha(s|ve) no place|no such option"):
        numpyclip.load(folder)


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("vision_config", "num_attention_heads", 2),
        ("vision_config", "layer_norm_eps", 1e-2),
        ("vision_config", "hidden_act", "gelu"),
        ("text_config", "num_attention_heads", 2),
        ("text_config", "layer_norm_eps", 1e-2),
        ("text_config", "hidden_act", "gelu_new"),
        ("text_config", "eos_token_id", 94),
        ("text_config", "hidden_act", "relu"),
        ("vision_config", "hidden_act", "silu"),
    ],
)
def test_options_that_no_shape_tells_change_what_is_computed(
    copy: Callable[[str], Path], section: str, option: str, value: object
) -> None:
    folder = copy("clip")
    with np.load(FAMILIES / "transformers-clip.npz") as golden:
        image, text = golden["image"], golden["text"]
    before, _ = numpyclip.load(folder)
    edit(folder, lambda config: config[section].update({option: value}))
    after, _ = numpyclip.load(folder)
    moved_image = np.abs(after.encode_image(image) - before.encode_image(image)).max() > 1e-4
    moved_text = np.abs(after.encode_text(text) - before.encode_text(text)).max() > 1e-4
    assert (moved_image, moved_text) == (section == "vision_config", section == "text_config")


def test_options_that_are_written_twice_are_those_of_the_older_form(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")

    def change(config: Config) -> None:
        config["text_config_dict"] = {**config["text_config"], "layer_norm_eps": 1e-3}
        del config["text_config_dict"]["eos_token_id"]
        config["text_config"] = {"hidden_size": 1}

    edit(folder, change)
    text = recognize(files_at(folder)).config.text
    assert text is not None
    assert (text.width, text.eps, text.pool, text.end_id) == (32, 1e-3, "eos", 49407)


def test_siglip_has_no_options_that_are_written_twice(copy: Callable[[str], Path]) -> None:
    expected = recognize(files_at(folder := copy("siglip"))).config
    edit(folder, lambda config: config.update(text_config_dict={"hidden_size": 1}, vision_config_dict={"a": 1}))
    assert recognize(files_at(folder)).config == expected


@pytest.mark.parametrize("model", ["clip", "siglip", "siglip-vision"])
def test_options_of_a_language_model_around_a_tower_have_no_effect(copy: Callable[[str], Path], model: str) -> None:
    """As in towers that were cut out of LLaVA and PaliGemma."""
    expected = recognize(files_at(folder := copy(model))).config
    sections = [""] if model == "siglip-vision" else ["text_config", "vision_config"]
    around: Config = {"projection_dim": 2048, "num_image_tokens": 256, "projector_hidden_act": "gelu_fast"}

    def change(config: Config) -> None:
        for section in sections:
            options(config, section).update(around)
        options(config, sections[-1])["vocab_size"] = 32000
        if "text_config" in config:
            config["text_config"].update(num_channels=3, is_decoder=True, add_cross_attention=True)

    edit(folder, change)
    found = recognize(files_at(folder))
    assert (found.config, found.warnings) == (expected, ())


def test_end_mark_2_means_the_highest_id_in_clip_only(copy: Callable[[str], Path]) -> None:
    for model, pool, end_id in (("clip", "argmax", None), ("clip-gelu", "eos", 50), ("metaclip-2", "eos", 2)):
        text = recognize(files_at(copy(model))).config.text
        assert text is not None
        assert (text.pool, text.end_id) == (pool, end_id)


def test_openclips_own_description_counts_first(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    for file in (GOLDEN / "open_clip").iterdir():
        shutil.copy(file, folder)
    assert numpyclip.load(folder)[0].config == recognize(files_at(GOLDEN / "open_clip")).config


def test_another_activation_than_is_recorded_is_an_error(copy: Callable[[str], Path]) -> None:
    with pytest.raises(
        CheckpointError, match=r"/config\.json: describes .* the activation 'quick_gelu', but 'gelu' was"
    ):
        numpyclip.load(copy("clip"), activation="gelu")
    with pytest.raises(CheckpointError, match="describes a model with the activation 'gelu_tanh'"):
        numpyclip.load(copy("clip-vision"), activation="gelu")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_type": 3}', '{"model_type": "clip", "text_config": []}'])
def test_a_description_that_is_none_is_refused(copy: Callable[[str], Path], content: str) -> None:
    folder = copy("clip")
    (folder / TRANSFORMERS_CONFIG).write_text(content)
    with pytest.raises(CheckpointError, match=TRANSFORMERS_CONFIG):
        recognize(files_at(folder))


# --- towers -----------------------------------------------------------------


def test_a_model_of_pictures_says_what_it_lacks() -> None:
    model, preprocess = numpyclip.load(FAMILIES / "transformers-clip-vision")
    assert preprocess.size == 32
    seen = model.embed_images(np.zeros((40, 50, 3), np.uint8))
    assert seen.shape == (1, 40)
    for needs_texts in (
        lambda: model.embed_texts("a dog"),
        lambda: model.encode_text(np.zeros((1, 12), int)),
        lambda: model.tokenize("a dog"),
        lambda: model.classify(np.zeros((40, 50, 3), np.uint8), ["a dog"]),
        lambda: model.probabilities(seen, seen),
        lambda: model.context_length,
        lambda: model.vocab_size,
        lambda: model.text,
    ):
        with pytest.raises(InputError, match="no tower for texts"):
            needs_texts()


def test_a_model_of_texts_says_what_it_lacks() -> None:
    model, _ = numpyclip.load(FAMILIES / "transformers-clip-text")
    assert model.encode_text(np.array([[94, 5, 95]])).shape == (1, 40)
    for needs_pictures in (
        lambda: model.embed_images(np.zeros((40, 50, 3), np.uint8)),
        lambda: model.encode_image(np.zeros((1, 3, 32, 32), np.float32)),
        lambda: model.logits(np.zeros((1, 40), np.float32), np.zeros((1, 40), np.float32)),
        lambda: model.visual,
    ):
        with pytest.raises(InputError, match="no tower for images"):
            needs_pictures()


def test_a_model_of_one_tower_can_be_pickled() -> None:
    model, _ = numpyclip.load(FAMILIES / "transformers-clip-vision")
    image = np.ones((1, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).encode_image(image), model.encode_image(image))


def test_siglip_takes_texts_with_all_their_padding_only() -> None:
    model, _ = numpyclip.load(FAMILIES / "transformers-siglip")
    text = np.full((2, 12), 1)
    text[:, :3] = [[5, 6, 7], [5, 8, 7]]
    assert model.encode_text(text).shape == (2, 48)
    with pytest.raises(InputError, match=r"expected integers of shape \(n, 12\)"):
        model.encode_text(text[:, :3])
    other = text.copy()
    other[:, -1] = 2  # the token that speaks for a text stands in the padding
    assert np.abs(model.encode_text(other) - model.encode_text(text)).max() > 1e-2


def test_a_model_whose_tokenizer_is_missing_can_be_sent_to_another_process() -> None:
    model, _ = numpyclip.load(FAMILIES / "transformers-clip")
    image = np.zeros((1, 3, *model.preprocess.sides), np.float32)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.encode_image(image), model.encode_image(image))
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        copy.tokenize("a cat")


# --- diffusers ---------------------------------------------------------------


@pytest.mark.parametrize("number", ["", "_2"])
def test_the_tokenizer_of_a_text_tower_of_diffusers_is_beside_it(tmp_path: Path, number: str) -> None:
    shutil.copytree(FAMILIES / "transformers-clip-text", tmp_path / f"text_encoder{number}")
    (tmp_path / f"tokenizer{number}").mkdir()
    of_version_5(tmp_path / f"tokenizer{number}")
    tokenizer = recognize(files_at(tmp_path)).tokenizer()
    assert tokenizer("a dog", 5).tolist() == [[49406, 320, 1929, 49407, 49407]]
    of_version_5(tmp_path / f"text_encoder{number}", pad="!")
    tokenizer = recognize(files_at(tmp_path)).tokenizer()
    assert tokenizer("a dog", 5).tolist() == [[49406, 320, 1929, 49407, 0]]


def test_the_image_processor_of_an_image_tower_of_diffusers_is_beside_it(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "transformers-clip-vision", tmp_path / "image_encoder"))
    assert recognize(files_at(tmp_path)).config.preprocess.resize_mode == "shortest"
    (tmp_path / "feature_extractor").mkdir()
    (folder / "preprocessor_config.json").unlink(missing_ok=True)
    squash = {"image_processor_type": "CLIPImageProcessor", "size": [32, 32], "crop_size": 32}
    (tmp_path / "feature_extractor" / "preprocessor_config.json").write_text(json.dumps(squash))
    assert recognize(files_at(tmp_path)).config.preprocess.resize_mode == "squash"


# --- texts ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "counts"), [("metaclip-2", True), ("altclip", True), ("siglip", False)])
def test_texts_are_lowered_for_siglip_alone(copy: Callable[[str], Path], name: str, counts: bool) -> None:
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    folder = copy(name)
    shutil.copytree(TOKENIZERS / ("xlm-roberta" if counts else "gemma"), folder, dirs_exist_ok=True)
    if name == "altclip":
        edit(folder, lambda config: config["text_config"].update(pad_token_id=1))  # the tokenizer's
    tokenizer = recognize(files_at(folder)).tokenizer()
    assert np.array_equal(tokenizer("The CLASS", 32), tokenizer("the class", 32)) is not counts


# --- repositories of diffusers ----------------------------------------------


def test_a_text_tower_is_read_with_and_without_the_prefix_of_version_4(copy: Callable[[str], Path]) -> None:
    folder = copy("clip-text-bare")
    tensors = read_safetensors(folder / "model.safetensors")[0]
    assert not any(name.startswith("text_model.") for name in tensors)
    text = np.array([[94, 5, 7, 95, 95, 95, 95, 95, 95, 95, 95, 95]])
    before = numpyclip.load(folder)[0].text_tokens(text)
    write_tensors(folder, {f"text_model.{name}": np.array(tensor) for name, tensor in tensors.items()})
    np.testing.assert_array_equal(numpyclip.load(folder)[0].text_tokens(text), before)


def test_weights_of_half_precision_are_read_if_there_are_no_others(copy: Callable[[str], Path]) -> None:
    folder = copy("clip-text-bare")
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    assert numpyclip.load(folder)[0].text_tokens(np.array([[94, 95]])).shape == (1, 2, 32)
