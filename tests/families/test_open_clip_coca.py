"""OpenCLIP's CoCa: what its description says, and the captions that the real library wrote."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.coca import CoCa
from numpyclip.errors import CheckpointError, InputError, UnsupportedCheckpointError
from numpyclip.families.repository_files import OPEN_CLIP_CONFIG
from numpyclip.model.captioning.generate import Decoding
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.text.text_transformer import TextTransformer
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close

NAMES = pytest.mark.parametrize("name", ["open_clip-coca", "open_clip-coca-patches", "open_clip-coca-joined"])
MARKS: dict[str, Any] = {"start_id": 38, "end_id": 39}

# as OPTIONS of tools/golden/open_clip_coca.py
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {"method": "greedy"},
    "greedy_penalty": {"method": "greedy", "repetition_penalty": 1.5, "min_seq_len": 6},
    "greedy_window": {"method": "greedy", "max_seq_len": 5},
    "beam_search": {},
    "beam_search_penalty": {"num_beams": 3, "num_beam_groups": 1, "repetition_penalty": 0.8, "min_seq_len": 7},
    "beam_search_wide": {"num_beams": 8, "num_beam_groups": 2, "seq_len": 9},
}


def coca(name: str) -> tuple[CoCa, dict[str, Any]]:
    model, golden = load(name)
    assert isinstance(model, CoCa)
    return model, golden


@NAMES
@pytest.mark.parametrize("record", OPTIONS)
def test_captions_equal_open_clip_s_token_for_token(name: str, record: str) -> None:
    model, golden = coca(name)
    options = {"seq_len": 12, "min_seq_len": 3, **MARKS, **OPTIONS[record]}
    np.testing.assert_array_equal(model.generate_ids(golden["image"], Decoding(**options)), golden[f"ids_{record}"])


@NAMES
def test_the_decoder_s_logits_equal_open_clip_s(name: str) -> None:
    """Those of a whole text at once, its padding included."""
    model, golden = coca(name)
    tokens = model.visual.describe(golden["image"])  # type: ignore[attr-defined]
    assert isinstance(model.text, TextTransformer)
    x = Prefixes(model.text, model.decoder, tokens, 12).extend(golden["text"][:, :-1])
    logits = model.decoder.logits(x.reshape(len(x), -1))
    assert_close(logits.reshape(golden["caption_logits"].shape), golden["caption_logits"])


@pytest.fixture(params=["open_clip-coca", "open_clip-coca-patches"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shutil.copytree(FAMILIES / request.param, tmp_path / "model"))


def _load_with(folder: Path, section: str, option: str, value: object) -> CoCa:
    config = json.loads((folder / OPEN_CLIP_CONFIG).read_text("utf-8"))
    model = config["model_cfg"]
    {**model, "model_cfg": model}[section][option] = value
    (folder / OPEN_CLIP_CONFIG).write_text(json.dumps(config), "utf-8")
    found, _ = numpyclip.load(folder)
    assert isinstance(found, CoCa)
    return found


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("multimodal_cfg", "novelty", 1),
        ("multimodal_cfg", "width", 64),
        ("multimodal_cfg", "heads", 5),
        ("multimodal_cfg", "layers", 0),
        ("multimodal_cfg", "context_length", "12"),
        ("model_cfg", "pad_id", 40),
        ("model_cfg", "pad_id", -1),
        ("text_cfg", "embed_cls", False),
        ("text_cfg", "no_causal_mask", True),
        ("text_cfg", "pad_id", 40),
        ("text_cfg", "correct_cls_mask", True),
        ("text_cfg", "hf_model_name", "roberta-base"),  # coca_roberta-ViT-B-32
        ("vision_cfg", "attentional_pool", "parallel"),
        ("vision_cfg", "attentional_pool", "cascade"),
        ("vision_cfg", "attn_pooler_heads", 0),
    ],
)
def test_an_option_that_is_not_supported_is_named(folder: Path, section: str, option: str, value: object) -> None:
    with pytest.raises(UnsupportedCheckpointError, match=f"{section}.{option} is "):
        _load_with(folder, section, option, value)


@pytest.mark.parametrize(("option", "value"), [("pool_type", "avg"), ("attn_pooler_heads", 5)])
def test_what_the_queries_of_pictures_cannot_be_is_named(folder: Path, option: str, value: object) -> None:
    """Where the decoder looks at patches, the one is possible, and the other does not matter."""
    if folder.exists() and "attentional_pool" in (folder / OPEN_CLIP_CONFIG).read_text("utf-8"):
        with pytest.raises(UnsupportedCheckpointError, match=f"vision_cfg.{option} is "):
            _load_with(folder, "vision_cfg", option, value)
    else:
        _load_with(folder, "vision_cfg", option, value)


def test_a_last_norm_behind_the_pool_is_refused_where_the_decoder_needs_it_before(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-coca-patches", tmp_path / "model"))
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg\.final_ln_after_pool is True"):
        _load_with(folder, "vision_cfg", "final_ln_after_pool", True)


def test_one_query_alone_leaves_nothing_to_describe(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-coca", tmp_path / "model"))
    with pytest.raises(UnsupportedCheckpointError, match=r"vision_cfg\.attn_pooler_queries is 1"):
        _load_with(folder, "vision_cfg", "attn_pooler_queries", 1)


def test_a_resnet_describes_no_pictures(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FAMILIES / "open_clip-coca-patches", tmp_path / "model"))
    with pytest.raises(UnsupportedCheckpointError, match=r"model_cfg\.vision_cfg is .*expected a vision transformer"):
        _load_with(folder, "model_cfg", "vision_cfg", {"image_size": 32, "layers": [1, 1, 1, 1], "width": 32})


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("multimodal_cfg", "layers", 1),
        ("multimodal_cfg", "layers", 3),
        ("text_cfg", "context_length", 13),
        ("text_cfg", "vocab_size", 41),
        ("vision_cfg", "layers", 2),
    ],
)
def test_a_description_that_contradicts_the_tensors_is_an_error(
    folder: Path, section: str, option: str, value: object
) -> None:
    with pytest.raises(CheckpointError, match=r"has shape .*; expected \(|is missing|ha(s|ve) no place"):
        _load_with(folder, section, option, value)


@pytest.mark.parametrize("option", ["mlp_ratio", "dim_head", "n_queries", "vocab_size", "attn_pooler_heads"])
def test_options_that_open_clip_makes_no_use_of_do_not_matter(folder: Path, option: str) -> None:
    model = _load_with(folder, "multimodal_cfg", option, 7)
    assert model.config.decoder is not None
    assert model.config.decoder.mlp_width == 128


def test_only_a_model_with_a_decoder_writes_captions() -> None:
    model, _ = load("open_clip-clipa")
    with pytest.raises(InputError, match=r"has no decoder.* Load a CoCa, such as"):
        model.generate(["picture.png"], method="greedy")


@NAMES
def test_texts_come_with_their_padding(name: str) -> None:
    """The class token's place is behind all of it."""
    model, golden = coca(name)
    with pytest.raises(InputError, match=r"expected integers of shape \(n, 12\)"):
        model.encode_text(golden["text"][:, :11])


@NAMES
def test_a_text_alone_sees_the_padding_that_it_sees_among_longer_ones(name: str) -> None:
    """One position of it, by a mistake that the weights rely on: no text may be cut before."""
    model, golden = coca(name)
    alone = np.concatenate([model.encode_text(text[np.newaxis]) for text in golden["text"]])
    assert_close(alone, golden["encode_text"])
