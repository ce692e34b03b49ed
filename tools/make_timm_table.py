"""Make src/numpyclip/data/timm.json: the sizes and options of timm's vision transformers, by their names.

    python tools/make_timm_table.py          (needs timm 1.0.31)

Each function of timm's registry is asked what it would build. Names are left out whose options NumPyCLIP does not
have, and those that numpyclip/families/timm.py describes itself, where a transformer is not timm's plain one.
"""

import functools
import json
import sys
from pathlib import Path
from unittest import mock

import timm
from timm.models import deit, vision_transformer
from timm.models._registry import _model_entrypoints, _model_to_module
from timm.models.vision_transformer import VisionTransformer

VERSION = "1.0.31"
TARGET = Path(__file__).parents[1] / "src" / "numpyclip" / "data" / "timm.json"
MODULES = {"vision_transformer": vision_transformer, "deit": deit}

# What is not timm's default; values of some options are changed below.
OPTIONS = (
    *("embed_dim", "depth", "num_heads", "patch_size", "mlp_ratio", "qkv_bias", "init_values", "class_token"),
    *("reg_tokens", "no_embed_class", "pre_norm", "fc_norm", "global_pool", "act_layer", "eps"),
)
DEFAULTS = {"class_token": True, "qkv_bias": True, "global_pool": "token", "patch_size": 16, "mlp_ratio": 4.0}
WITHOUT_EFFECT = ("img_size", "weight_init", "fix_init", "out_indices", "pretrained_filter_fn", "pretrained_strict",
                  "feature_cfg", "use_naflex", "dynamic_img_size")  # fmt: skip


class Built(Exception):
    """Carries what timm would build, in place of building it."""


def options_of(name: str) -> dict | None:
    """Return the options of a model, or None if it is none of ours."""

    def build(cls: type, variant: str, pretrained: bool, **options: object) -> None:
        raise Built(cls, options)

    with mock.patch.object(MODULES[_model_to_module[name]], "build_model_with_cfg", build):
        try:
            _model_entrypoints[name]()
        except Built as built:
            cls, options = built.args
    if cls is not VisionTransformer:
        return None
    norm = options.pop("norm_layer", None)
    if norm is not None:
        if not isinstance(norm, functools.partial) or norm.func.__name__ != "LayerNorm":
            return None
        options["eps"] = norm.keywords["eps"]
    found = {key: value for key, value in options.items() if key not in WITHOUT_EFFECT}
    if set(found) - set(OPTIONS):
        return None
    return {key: found[key] for key in OPTIONS if key in found and found[key] != DEFAULTS.get(key)}


def main() -> None:
    """Write the table."""
    if timm.__version__ != VERSION:
        sys.exit(f"timm is {timm.__version__}; expected {VERSION}.")
    names = sorted(name for name in timm.list_models() if _model_to_module[name] in MODULES)
    table = {name: options for name in names if (options := options_of(name)) and not name.startswith("test_")}
    rows = [f"{json.dumps(name)}:{json.dumps(options, separators=(',', ':'))}" for name, options in table.items()]
    head = f'{{"source":"timm {VERSION}, Apache-2.0",\n"models":{{\n'
    TARGET.write_text(head + ",\n".join(rows) + "}}\n", "utf-8")
    print(f"{TARGET}: {len(table)} of {len(names)} models, {TARGET.stat().st_size} bytes")
    print("without:", *sorted(set(names) - set(table)))


if __name__ == "__main__":
    main()
