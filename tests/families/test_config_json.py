"""A config is read as it was written, whatever kinds of towers it has, and nothing else is."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import CheckpointError
from numpyclip.families.config_json import from_json, to_json
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.encoder_configs import BertConfig, M2M100Config, T5Config
from numpyclip.model.text.text_config import MCTConfig, TextConfig
from numpyclip.model.transformer_config import RopeConfig
from numpyclip.model.vision.vision_config import ConvNeXtConfig, FastViTConfig, ResNetConfig, VisionTransformerConfig

PATH = Path("numpyclip.json")
BLOCKS: dict[str, Any] = {"width": 64, "layers": 2, "heads": 4, "mlp_width": 128, "activation": "gelu"}
TEXTS: dict[str, Any] = {**BLOCKS, "context_length": 77, "vocab_size": 1000}
STAGES: dict[str, Any] = {"layers": (1, 2), "widths": (8, 16), "mlp_head": True}
VISION = [
    VisionTransformerConfig(
        **BLOCKS, image_size=(224, 112), patch_size=16, rope=RopeConfig(side=(14, 7), reference=16, offset=-1)
    ),
    VisionTransformerConfig(**BLOCKS, image_size=224, patch_size=16, position_grid=7, projection=None),
    ResNetConfig(image_size=64, width=64, layers=(1, 1, 1, 1), heads=32),
    ConvNeXtConfig(**STAGES, image_size=256, eps=1e-6),
    FastViTConfig(**STAGES, image_size=256, mlp_ratio=3, stem_scale=True, squeeze=False, layer_norm=True),
    None,
]
TEXT = [
    TextConfig(**TEXTS, pool="eos", end_id=2),
    MCTConfig(**TEXTS),
    BertConfig(**TEXTS, positions=514, end_width=32),
    M2M100Config(**TEXTS),
    T5Config(**{**TEXTS, "activation": "gelu_tanh"}, head_width=8),
    None,
]


def config(**options: Any) -> CLIPConfig:
    given = {"vision": VISION[1], "text": TEXT[0], "preprocess": Preprocess(224), **options}
    return CLIPConfig(family="open_clip", embed_dim=512, **given)


def read(contents: Any) -> CLIPConfig:
    return from_json(PATH, CLIPConfig, json.loads(json.dumps(contents)))


@pytest.mark.parametrize("vision", VISION, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("text", TEXT, ids=lambda each: type(each).__name__)
def test_every_kind_of_tower(vision: Any, text: Any) -> None:
    whole = config(vision=vision, text=text, sigmoid=True, full_dim=768)
    again = read(to_json(whole))
    assert again == whole
    assert (type(again.vision), type(again.text)) == (type(vision), type(text))


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess((336, 224), resize_mode="longest", fill=255, interpolation="bilinear", profile="open_clip"),
        Preprocess(256, resize_mode="patches", patch_size=16, patch_counts=(128, 256), mean=(0, 0, 0), std=(1, 1, 1)),
        Preprocess(224, short_side=(256, 240), scale=1 / 127.5),
    ],
)
def test_every_option_of_images(preprocess: Preprocess) -> None:
    assert read(to_json(config(preprocess=preprocess))).preprocess == preprocess


def changed(contents: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Set an option by its name, with those of the sections that it is in."""
    section, _, rest = name.partition(".")
    return {**contents, section: changed(contents[section], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("embed_dim", "512", r"embed_dim is '512'; expected int of 1 to"),
        ("embed_dim", True, r"embed_dim is True; expected int"),
        ("embed_dim", 2**24 + 1, r"embed_dim is 16777217; expected int of 1 to 16777216"),
        ("embed_dim", 0, r"embed_dim is 0; expected int of 1 to"),
        ("text.width", -1, r"text\.width is -1; expected int of 0 to"),
        ("text.context_length", 0, r"text\.context_length is 0; expected int of 1 to"),
        ("text.context_length", -5, r"text\.context_length is -5; expected int of 1 to"),
        ("preprocess.size", -3, r"preprocess\.size is -3; expected int of 1 to"),
        ("preprocess.size", [0, 64], r"preprocess\.size is 0; expected int of 1 to"),
        ("sigmoid", 1, r"sigmoid is 1; expected bool"),
        ("text.context_length", 2**15, r"text\.context_length is 32768; expected int of 1 to 16384"),
        ("text.eps", math.nan, r"text\.eps is nan; expected float"),
        ("text.pool", "median", r"text\.pool is 'median'; expected 'argmax' or 'eos' or"),
        ("text.type", "VisionTransformerConfig", r"text is \{.*; expected an object of type TextConfig or"),
        ("vision.image_size", [224, 224, 224], r"vision\.image_size is \[224, 224, 224\]; expected"),
        ("vision.stem", [], r"vision\.stem is \[\]; expected an object of type StemConfig"),
        (
            "vision.rope",
            {"type": "RopeConfig"},
            r"vision\.rope\.reference is missing; expected all of RopeConfig",
        ),
        ("vision.colour", 3, r"vision\.colour is unknown; expected those of VisionTransformerConfig"),
        ("preprocess.mean", [0.5, 0.5], r"preprocess\.mean is \[0\.5, 0\.5\]; expected tuple\[float, float, float\]"),
        ("preprocess", None, r"preprocess is None; expected an object of type Preprocess"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_option(name: str, value: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"numpyclip.json: config\\.?{message}"):
        read(changed(to_json(config()), name, value))
