"""Encoders of transformers in OpenCLIP's layout; tests/families/test_parity.py compares them with open_clip."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import numpyclip
from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families import open_clip, open_clip_encoders
from numpyclip.families.config_file import Section
from numpyclip.families.locate import is_supported
from numpyclip.model.text.encoder_configs import BertConfig, EncoderConfig
from numpyclip.runtime.towers import expected_tensors
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.published import architecture, architectures
from tests.families.altered import error_of
from tests.families.test_parity import load
from tests.model.golden import assert_close

FORMATS: tuple[Literal["open_clip", "int8"], ...] = ("open_clip", "int8")

MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("open_clip-xlm-roberta", {"pool": "first"}),
    ("open_clip-xlm-roberta", {"heads": 2}),
    ("open_clip-xlm-roberta", {"pad_id": 2}),
    ("open_clip-xlm-roberta", {"eps": 1e-12}),
    ("open_clip-roberta", {"pool": "mean"}),
    ("open_clip-bert", {"pool": "mean"}),
    ("open_clip-nllb", {"pool": "mean"}),
    ("open_clip-nllb", {"heads": 8}),
    ("open_clip-nllb", {"scaled": False}),
    ("open_clip-nllb", {"activation": "gelu"}),
    ("open_clip-m2m100-mean", {"scaled": True}),
    ("open_clip-m2m100-mean", {"pad_id": 1}),
    ("open_clip-mt5", {"pool": "first"}),
    ("open_clip-mt5", {"max_distance": 128}),
    ("open_clip-mt5-first", {"eps": 1e-6}),
]


@pytest.mark.parametrize(("name", "options"), MISTAKES)
def test_an_option_that_shapes_do_not_tell_moves_the_result(name: str, options: dict[str, Any]) -> None:
    assert error_of(name, "text", **options) > 2e-4


def read_text(folder: Path, file: dict[str, Any] | None = None, **text_cfg: Any) -> EncoderConfig:
    """Read the options of a text tower, perhaps with a config file of its encoder beside them."""
    text = {"hf_model_name": "organization/own" if file else "xlm-roberta-base", "hf_proj_type": "linear", **text_cfg}
    path = folder / "open_clip_config.json"
    path.write_text("{}")
    if file is not None:
        (folder / "config.json").write_text(json.dumps(file))
    config, _ = open_clip.read_config(
        Section(path, "", {"model_cfg": {"embed_dim": 32, "vision_cfg": {}, "text_cfg": text}})
    )
    assert isinstance(config.text, EncoderConfig)
    return config.text


def test_the_sizes_of_published_models_are_known(tmp_path: Path) -> None:
    sizes = {
        name: (text.width, text.layers, text.heads, text.mlp_width, text.vocab_size)
        for name in ("roberta-large", "FacebookAI/xlm-roberta-large", "bert-base-uncased", "facebook/nllb-200-3.3B")
        for text in [read_text(tmp_path, hf_model_name=name)]
    }
    assert sizes == {
        "roberta-large": (1024, 24, 16, 4096, 50265),
        "FacebookAI/xlm-roberta-large": (1024, 24, 16, 4096, 250002),
        "bert-base-uncased": (768, 12, 12, 3072, 30522),
        "facebook/nllb-200-3.3B": (2048, 24, 16, 8192, 256206),
    }


def test_what_is_left_out_is_as_in_open_clip(tmp_path: Path) -> None:
    path = tmp_path / "open_clip_config.json"
    model_cfg = {"embed_dim": 32, "vision_cfg": {}, "text_cfg": {"hf_model_name": "xlm-roberta-base"}}
    text = open_clip.read_config(Section(path, "", {"model_cfg": model_cfg}))[0].text
    assert isinstance(text, BertConfig)
    assert (text.pool, text.projection, text.context_length, text.pooler) == ("mean", "mlp", 77, False)


@pytest.mark.parametrize(
    ("name", "pool", "pooler"),
    [
        ("roberta-base", "mean", False),
        ("xlm-roberta-base", "mean", False),
        ("google/mt5-base", "mean", None),
        ("bert-base-uncased", "first", False),
        ("facebook/nllb-200-distilled-600M", "first", None),
    ],
)
def test_null_stands_for_the_usual_pooler_of_an_architecture(
    tmp_path: Path, name: str, pool: str, pooler: bool | None
) -> None:
    text = read_text(tmp_path, hf_model_name=name, hf_pooler_type=None)
    assert (text.pool, getattr(text, "pooler", None)) == (pool, pooler)


def test_a_config_file_beside_it_tells_the_sizes_of_a_model_that_is_not_known(tmp_path: Path) -> None:
    file = {"model_type": "roberta", "hidden_size": 48, "num_attention_heads": 4, "max_position_embeddings": 130}
    text = read_text(tmp_path, file, hf_model_name="organization/own")
    assert isinstance(text, BertConfig)
    assert (text.width, text.heads, text.positions, text.eps) == (48, 4, 130, 1e-12)
    whole = {"model_type": "vision-text-dual-encoder", "text_config": file}
    assert read_text(tmp_path, whole, hf_model_name="organization/own") == text


@pytest.mark.parametrize(
    ("file", "alias", "option", "value"),
    [
        ("mt5", "head_dim", "head_width", 32),
        ("mt5", "num_hidden_layers", "layers", 3),
        ("m2m_100", "num_attention_heads", "heads", 8),
        ("m2m_100", "hidden_size", "width", 512),
    ],
)
def test_options_are_read_by_all_names_that_transformers_knows(
    tmp_path: Path, file: str, alias: str, option: str, value: int
) -> None:
    text = read_text(tmp_path, {"model_type": file, alias: value}, hf_proj_type="linear")
    assert getattr(text, option) == value


def test_the_activation_of_mt5_is_not_that_of_its_old_name(tmp_path: Path) -> None:
    """It is derived from that, and then replaced by what the file says."""
    usual = read_text(tmp_path, {"model_type": "mt5"})
    named = {"feed_forward_proj": "gated-silu", "dense_act_fn": "gelu_new", "is_gated_act": True}
    assert read_text(tmp_path, {"model_type": "mt5", **named}) == usual


def test_what_a_bert_does_not_read_has_no_effect(tmp_path: Path) -> None:
    usual = read_text(tmp_path, {"model_type": "bert"})
    assert read_text(tmp_path, {"model_type": "bert", "layer_norm_epsilon": 1e-5}) == usual
    assert read_text(tmp_path, {"model_type": "bert", "hidden_act": "relu"}) == replace(usual, activation="relu")


def test_a_config_file_of_another_kind_does_not_count(tmp_path: Path) -> None:
    """LAION's repositories have that of a CLIPModel beside OpenCLIP's."""
    file = {"model_type": "clip", "text_config": {"hidden_size": 512}}
    assert read_text(tmp_path, file, hf_model_name="xlm-roberta-base").width == 768


def test_a_config_file_does_not_contradict_the_published_one(tmp_path: Path) -> None:
    published = {"model_type": "xlm-roberta", "layer_norm_eps": 1e-5, "max_position_embeddings": 514}
    published |= {"vocab_size": 250002, "type_vocab_size": 1}
    text = read_text(tmp_path, published, hf_model_name="FacebookAI/xlm-roberta-base")
    (tmp_path / "config.json").unlink()
    assert text == read_text(tmp_path)
    for other, message in (
        ({"num_attention_heads": 6}, r"config.json: describes an encoder with heads 6; expected 12, as in the config "),
        ({"model_type": "roberta"}, r"with model_type 'roberta'; expected 'xlm-roberta', as in the config file of 'xl"),
    ):
        with pytest.raises(CheckpointError, match=message):
            read_text(tmp_path, {**published, **other}, hf_model_name="xlm-roberta-base")


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        (
            None,
            {"hf_model_name": "organization/own"},
            r"hf_model_name is .*; its sizes are not known here\. Put",
        ),
        ({"model_type": "distilbert"}, {}, "hf_model_name is .*; open_clip takes bert or roberta or"),
        (None, {"hf_pooler_type": "max_pooler"}, "hf_pooler_type is 'max_pooler'; open_clip itself fails"),
        (None, {"hf_proj_type": None}, "embed_dim is 32; expected 768, the width of a tower without"),
        (None, {"hf_proj_type": "none"}, "hf_proj_type is 'none'; expected 'linear' or 'mlp'"),
        (None, {"context_length": 513}, "context_length is 513; expected at most 512, its positions"),
        (None, {"novelty": 1}, "text_cfg.novelty is 1; this option is not supported"),
        ({"model_type": "roberta", "position_embedding_type": "relative_key"}, {}, "position_embedding_type is"),
        ({"model_type": "mt5", "feed_forward_proj": "relu"}, {}, "feed_forward_proj is 'relu'; expected 'gated-gelu'"),
        ({"model_type": "mt5", "dense_act_fn": "relu"}, {}, "dense_act_fn is 'relu'; expected 'gelu_new'"),
        ({"model_type": "mt5", "is_gated_act": False}, {}, "is_gated_act is False; expected True"),
        ({"model_type": "mt5", "num_heads": 6, "num_attention_heads": 4}, {}, "num_attention_heads is 4; expected 6"),
        ({"model_type": "mt5", "relative_attention_num_buckets": 3}, {}, "buckets is 3; expected 4 or more"),
        ({"model_type": "mt5", "relative_attention_max_distance": 8}, {}, "distance is 8; expected more than 8"),
        ({"model_type": "m2m_100", "pad_token_id": -1}, {}, "pad_token_id is -1; expected 0 to 128111"),
        ({"model_type": "mt5", "pad_token_id": 10**30}, {}, "pad_token_id is 10+; expected 0 to 250111"),
        ({"model_type": "mt5"}, {"context_length": 2**24}, r"context_length is 16777216; expected 1\.\.16384"),
        ({"model_type": "m2m_100", "d_model": 2, "encoder_attention_heads": 1}, {}, "d_model is 2; expected 4 or more"),
        ({"model_type": "m2m_100", "encoder_attention_heads": 3}, {}, "expected a divisor of the width, 1024"),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, file: dict[str, Any] | None, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=message):
        read_text(tmp_path, file, **options)


def test_no_published_model_is_refused() -> None:
    known = filter(None, (architecture(f"{name}{suffix}") for name in architectures() for suffix in ("", "-quickgelu")))
    models = [(each, model) for each in known for model in each.models.values()]
    assert len(models) == 196  # of open_clip 3.3.0
    assert [(each.name, model.tag) for each, model in models if not is_supported(each, model)] == []


@pytest.mark.parametrize("name", [name for name in architectures() if re.match("xlm-roberta|roberta|nllb|mt5", name)])
def test_the_number_of_parameters_is_that_which_openclip_published(name: str) -> None:
    known = architecture(name)
    assert known is not None
    config, _ = open_clip.read_config(Section(Path(name), "", known.describe()))
    names = ("text_projection", "text_projection.c_fc", "text_projection.c_proj")
    checkpoint = Checkpoint(Path(name), {f"{layer}.weight": np.zeros(0) for layer in names})  # layers, not matrices
    count = sum(math.prod(shape) for _, shape in expected_tensors(checkpoint, config))
    assert round(count / 1e6, 2) == known.parameters


def test_biomedclips_options_are_read() -> None:
    """As in microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224."""
    bert = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
    vision = {"timm_model_name": "vit_base_patch16_224", "timm_model_pretrained": False, "image_size": 224}
    text = {"hf_model_name": bert, "hf_tokenizer_name": bert, "hf_proj_type": "mlp", "context_length": 256}
    text["hf_pooler_type"] = "cls_last_hidden_state_pooler"
    model_cfg = {"embed_dim": 512, "vision_cfg": {**vision, "timm_pool": "", "timm_proj": "linear"}, "text_cfg": text}
    config, _ = open_clip.read_config(Section(Path("x"), "", {"model_cfg": model_cfg}))
    assert isinstance(config.text, BertConfig)
    assert (config.text.context_length, config.text.pooler, config.text.projection) == (256, False, "mlp")


def test_lists_of_positions_and_a_pooler_that_is_not_used_are_left_out() -> None:
    """Older versions of transformers saved them."""
    model, _ = load("open_clip-xlm-roberta")
    assert model.checkpoint is not None
    assert isinstance(model.config.text, EncoderConfig)
    added = {f"transformer.{name}": np.zeros(3) for name in ("embeddings.position_ids", "pooler.dense.bias")}
    plain = {f"transformer.{name}": np.zeros(3) for name in ("pooler.other", "embed_positions.weights", "x")}
    checkpoint = Checkpoint(Path("x"), {**added, **plain, "visual.position_ids": np.zeros(3)})
    kept = open_clip_encoders.translate(checkpoint, model.config.text)
    assert kept.arrays.keys() == {"transformer.x"}


@pytest.mark.parametrize("name", ["open_clip-xlm-roberta", "open_clip-nllb", "open_clip-mt5"])
def test_a_model_is_saved_with_the_config_file_of_its_encoder(name: str, tmp_path: Path) -> None:
    model, golden = load(name)
    for format in FORMATS:
        numpyclip.save(model, tmp_path / format, format=format)
        saved, _ = numpyclip.load(tmp_path / format)
        assert_close(saved.encode_text(golden["text"]), golden["encode_text"])
    with pytest.raises(UnsupportedCheckpointError, match="cannot be saved in the layout of transformers"):
        numpyclip.save(model, tmp_path / "transformers", format="transformers")
