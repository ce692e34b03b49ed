"""nomic-embed: options of the two kinds of config files, and the sizes of the published models."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.aliases import resolve
from numpyclip.families.config_file import Section
from numpyclip.families.nomic import describe
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.vision.vision_config import VisionTransformerConfig
from numpyclip.runtime.towers import expected_tensors
from numpyclip.weights.checkpoint import Checkpoint
from tests.families.altered import error_of
from tests.families.test_parity import FAMILIES, load
from tests.families.test_transformers import edit
from tests.model.golden import assert_close
from tests.tokenizer.test_hugging_face import FOLDER as TOKENIZERS
from tests.tokenizer.test_hugging_face import golden as golden_tokens
from tests.tokenizer.test_hugging_face import needs

Config = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]

FOLDERS = {
    "text": "nomic-embed-text-v1",
    "text-transformers": "nomic-embed-text-v1-transformers",
    "vision": "nomic-vision",
}


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(FAMILIES / FOLDERS[name], tmp_path / FOLDERS[name]))


@pytest.mark.parametrize(
    ("name", "tower", "options"),
    [
        ("nomic-embed-text-v1", "text", {"rotary": None, "alibi": True}),
        ("nomic-embed-text-v1", "text", {"rotary.base": 10_000.0}),
        ("nomic-embed-text-v1", "text", {"eps": 1e-12}),
        ("nomic-embed-text-v1", "text", {"standardized": True}),
        ("nomic-embed-text-v1-transformers", "text", {"gate": "gelu"}),
        ("nomic-vision", "vision", {"rope": None}),
        ("nomic-vision", "vision", {"rope.reference": 4}),
        ("nomic-vision", "vision", {"heads": 4}),
        ("nomic-vision", "vision", {"eps": 1e-6}),
    ],
)
def test_every_option_matters(name: str, tower: str, options: Config) -> None:
    assert error_of(name, tower, **options) > 1e-4


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("text", {"prenorm": True}, "prenorm is True; expected False"),
        ("text", {"rotary_emb_fraction": 0.5}, "rotary_emb_fraction is 0.5; expected 1.0"),
        ("text", {"activation_function": "geglu"}, "activation_function is 'geglu'; expected 'swiglu'"),
        ("text", {"n_positions": 1_000_000}, r"n_positions is 1000000; expected 1\.\.16384"),
        ("text", {"pad_token_id": -5}, "pad_token_id is -5; expected 0 to"),
        ("text", {"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05; expected 0.001"),
        ("text", {"rope_parameters": {"rope_theta": 7.0}}, "rotary_emb_base is .*; expected that of rope_parameters"),
        ("text", {"rotary_emb_base": 1e-300}, "rotary_emb_base is 1e-300; expected 1 or more"),
        ("text", {"num_experts": 8}, "num_experts is 8; models of the type 'nomic_bert' have no"),
        ("text", {"num_attention_heads": 4}, "num_attention_heads is 4; expected 2"),
        ("text", {"rotary_emb_scale_base": 512}, "rotary_emb_scale_base is 512; "),
        ("text-transformers", {"rope_parameters": {"rope_type": "dynamic"}}, "rope_parameters.rope_type is 'dynamic'"),
        ("vision", {"register_tokens": 4}, "register_tokens is 4; expected 0"),
        ("vision", {"no_cls_token": True}, "no_cls_token is True; expected False"),
        ("vision", {"global_pool": "avg"}, "global_pool is 'avg'; "),
        ("vision", {"n_head": 3}, "n_head is 3; expected a divisor of 16"),
        ("vision", {"n_head": 8}, "expected heads whose width is a multiple of 4"),
    ],
)
def test_what_is_not_supported_is_named(copy: Callable[[str], Path], name: str, options: Config, message: str) -> None:
    folder = copy(name)
    edit(folder, lambda config: config.update(options))
    with pytest.raises(UnsupportedCheckpointError, match=message):
        numpyclip.load(folder)


def test_a_config_file_may_have_the_options_of_both_libraries(copy: Callable[[str], Path]) -> None:
    """That of nomic-embed-text-v1.5 has, since transformers knows the model."""
    folder, (_, golden) = copy("text"), load("nomic-embed-text-v1")
    both = {"max_position_embeddings": 8, "rope_parameters": {"rope_theta": 1000.0, "rope_type": "default"}}
    edit(folder, lambda config: config.update(both, hidden_size=16, num_hidden_layers=2, hidden_act="silu"))
    model = numpyclip.load(folder)[0]
    assert model.context_length == 14
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])


def test_longer_texts_than_in_training_are_refused_where_they_would_have_other_positions(
    copy: Callable[[str], Path],
) -> None:
    folder = copy("text")
    edit(folder, lambda config: config.update(rotary_scaling_factor=2, max_trained_positions=5))
    assert numpyclip.load(folder)[0].context_length == 5


def test_truncated_texts_have_a_layer_norm_before(copy: Callable[[str], Path]) -> None:
    """As the card of nomic-embed-text-v1.5 says: `F.layer_norm`, then the first dimensions, then unit length."""
    golden, folder = load("nomic-embed-text-v1")[1], copy("text")
    version_1_5 = folder.rename(folder.with_name("nomic-embed-text-v1.5"))  # no warning
    whole = golden["encode_text"]
    normed = (whole - whole.mean(axis=1, keepdims=True)) / np.sqrt(whole.var(axis=1, keepdims=True) + 1e-5)
    assert_close(numpyclip.load(version_1_5, truncate_dim=8)[0].encode_text(golden["text"]), normed[:, :8])
    assert_close(numpyclip.load(version_1_5, truncate_dim=16)[0].encode_text(golden["text"]), whole)


@pytest.mark.parametrize("place", ["v1.5/text", "nomic-embed-text-v1.55"])
def test_the_version_is_that_of_a_folder_s_whole_name(copy: Callable[[str], Path], tmp_path: Path, place: str) -> None:
    golden = load("nomic-embed-text-v1")[1]
    (tmp_path / place).parent.mkdir(exist_ok=True)
    unnamed = copy("text").rename(tmp_path / place)
    with pytest.warns(UserWarning, match=r"config\.json: taken for nomic-embed-text-v1, as no folder is named"):
        assert not numpyclip.load(unnamed)[0].config.matryoshka
    snapshot = tmp_path / "models--nomic-ai--nomic-embed-text-v1.5" / "snapshots" / "0123"
    snapshot.parent.mkdir(parents=True)
    model = numpyclip.load(unnamed.rename(snapshot))[0]
    assert model.config.matryoshka
    assert_close(model.encode_text(golden["text"]), golden["encode_text"])


@pytest.mark.parametrize("version", ["v1", "v1.5"])
def test_both_towers_are_one_model(copy: Callable[[str], Path], version: str) -> None:
    """Texts of version 1.5 have a layer norm there, as nomic-embed-vision-v1.5's card says; those of v1 have none."""
    golden = {**load("nomic-embed-text-v1")[1], **load("nomic-vision")[1]}
    texts = copy("text")
    texts = texts.rename(texts.with_name(f"nomic-embed-text-{version}"))
    model = numpyclip.load(copy("vision"), text_model=texts)[0]
    expected = golden["encode_text"]
    if version == "v1.5":
        expected = (expected - expected.mean(axis=1, keepdims=True)) / np.sqrt(
            expected.var(axis=1, keepdims=True) + 1e-5
        )
    assert_close(model.encode_text(golden["text"]), expected)
    assert_close(model.encode_image(golden["image"]), golden["encode_image"])
    rows = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (golden["encode_image"], expected)]
    assert_close(model(golden["image"], golden["text"])[0], 100 * rows[0] @ rows[1].T)


def test_both_towers_are_truncated(copy: Callable[[str], Path]) -> None:
    with pytest.warns(UserWarning, match="Matryoshka"):
        model = numpyclip.load(copy("vision"), text_model=FAMILIES / "nomic-embed-text-v1", truncate_dim=4)[0]
    golden = {**load("nomic-embed-text-v1")[1], **load("nomic-vision")[1]}
    assert model(golden["image"], golden["text"])[0].shape == (2, 5)
    assert model.config.embed_dim == model.encode_text(golden["text"]).shape[1] == 4


def test_a_repository_of_images_is_loaded_with_its_texts() -> None:
    name = "hf-hub:nomic-ai/nomic-embed-vision-v1.5"
    assert resolve(name) == (name, None, "hf-hub:nomic-ai/nomic-embed-text-v1.5")
    assert resolve("hf-hub:nomic-ai/nomic-embed-text-v1.5") == ("hf-hub:nomic-ai/nomic-embed-text-v1.5", None, None)


def test_tokens_are_those_of_transformers(copy: Callable[[str], Path]) -> None:
    needs("bert")
    folder, tokens = copy("text"), golden_tokens()
    for file in (TOKENIZERS / "bert").iterdir():
        shutil.copy(file, folder)
    edit(folder, lambda config: config.update(n_positions=24))
    ids = numpyclip.load(folder)[0].tokenize(tokens["texts"], truncate=True)
    assert np.array_equal(ids, tokens["ids"]["transformers chinese_clip bert"])


# --- the published models -------------------------------------------------------------------------


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def layers(shapes: dict[str, tuple[int, int]], has_bias: bool) -> Shapes:
    found: Shapes = {f"{name}.weight": shape for name, shape in shapes.items()}
    return found | ({f"{name}.bias": shape[:1] for name, shape in shapes.items()} if has_bias else {})


def block(name: str, inner: int, has_bias: bool) -> Shapes:
    shapes = {"attn.Wqkv": (2304, 768), "attn.out_proj": (768, 768), "mlp.fc11": (inner, 768), "mlp.fc12": (inner, 768)}
    matrices = {f"{name}.{layer}": shape for layer, shape in {**shapes, "mlp.fc2": (768, inner)}.items()}
    return layers(matrices, has_bias) | norm(f"{name}.norm1", 768) | norm(f"{name}.norm2", 768)


def described(folder: Path, name: str, changes: Config, shapes: Shapes) -> Any:
    config = json.loads((FAMILIES / FOLDERS[name] / "config.json").read_text("utf-8")) | changes
    arrays = {name: np.broadcast_to(np.float16(0), shape) for name, shape in shapes.items()}  # which take no memory
    path = folder / "config.json"
    found = describe(Checkpoint(path, arrays), Section(path, "", config))
    found.checkpoint.check(dict(expected_tensors(found.checkpoint, found.config)))
    assert found.config.embed_dim == 768
    return found.config


def test_the_published_image_tower_has_these_tensors(tmp_path: Path) -> None:
    shapes: Shapes = {"embeddings.cls_token": (1, 1, 768), "embeddings.pos_embed": (1, 197, 768)}
    shapes |= layers({"embeddings.proj": (768, 768)}, has_bias=True)
    for index in range(12):
        shapes |= block(f"layers.{index}", 2048, has_bias=True) | norm(f"layers.{index}.mlp.norm", 2048)
    selector = {"attn.Wq": (768, 768), "attn.Wkv": (1536, 768), "attn.out_proj": (768, 768)}
    selector |= {"mlp.fc11": (2048, 768), "mlp.fc12": (2048, 768), "mlp.fc2": (768, 2048)}
    shapes |= layers({f"selector.{name}": shape for name, shape in selector.items()}, has_bias=True)
    shapes |= {"selector.attn.latent": (1, 1, 768), **norm("selector.norm1", 768)}
    sizes = {"n_embd": 768, "n_head": 12, "n_layer": 12, "n_inner": 2048, "img_size": 224, "patch_size": 16}
    config = described(tmp_path, "vision", sizes, shapes)
    assert isinstance(config.vision, VisionTransformerConfig)
    assert (config.vision.mlp_inner_eps, config.text, config.matryoshka) == (1e-5, None, False)


@pytest.mark.parametrize("version", ["v1", "v1.5"])
def test_the_published_text_towers_have_these_tensors(tmp_path: Path, version: str) -> None:
    shapes: Shapes = {"embeddings.word_embeddings.weight": (30528, 768), **norm("emb_ln", 768)}
    shapes["embeddings.token_type_embeddings.weight"] = (2, 768)
    for index in range(12):
        shapes |= block(f"encoder.layers.{index}", 3072, has_bias=False)
    sizes = {"n_embd": 768, "n_head": 12, "n_layer": 12, "n_inner": 3072, "n_positions": 8192, "vocab_size": 30528}
    config = described(tmp_path / f"nomic-embed-text-{version}", "text", sizes, shapes)
    assert isinstance(config.text, BertConfig)
    assert (config.text.context_length, config.vision, config.matryoshka) == (8192, None, version == "v1.5")
