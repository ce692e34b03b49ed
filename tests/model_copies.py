"""One model in three files: as openai/CLIP, OpenCLIP and transformers write it. See tools/golden/copies.py."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.weights.read import read
from numpyclip.weights.safetensors import unwritten, write_safetensors

GOLDEN = Path(__file__).parent / "golden"
OPENAI = GOLDEN / "checkpoints" / "vit-torchscript.pt"

_RECORDED = json.loads((GOLDEN / "copies.json").read_text())
_BLOCK = {
    "ln_1": "layer_norm1",
    "attn.out_proj": "self_attn.out_proj",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_OUTSIDE = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
Arrays = dict[str, np.ndarray]


def weights() -> Arrays:
    """The weights in single precision, by OpenAI's names."""
    arrays = read(OPENAI).arrays
    return {name: array.astype(np.float32) for name, array in arrays.items() if array.dtype.kind == "f"}


def write_copy(library: str, folder: Path, changed: Mapping[str, np.ndarray] | None = None) -> Path:
    """Write what "open_clip" or "transformers" has written; the same to the last bit unless weights are changed."""
    recorded: dict[str, Any] = _RECORDED[library]
    arrays = {**weights(), **(changed or {})}
    arrays = _in_transformers(arrays) if library == "transformers" else arrays
    if not changed:
        found = {
            name: [list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()] for name, array in arrays.items()
        }
        assert found == recorded["tensors"]
    folder.mkdir()
    for name, config in recorded["configs"].items():
        (folder / name).write_text(json.dumps(config))
    if library == "transformers":
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CLIPTokenizer"}')
        (folder / "vocab.json").write_text(json.dumps(dict(default_tokenizer().vocabulary)))
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *default_tokenizer().merges, ""]), "utf-8")
    tensors = [tensor for name, array in arrays.items() for tensor in unwritten(name, array)]
    write_safetensors(folder / recorded["weights"], tensors, {"format": "pt"})
    return folder


def _in_transformers(arrays: Arrays) -> Arrays:
    found: Arrays = {}
    for name, array in arrays.items():
        stem, _, kind = name.rpartition(".")
        if ".resblocks." in name:
            tower = "vision_model" if name.startswith("visual.") else "text_model"
            number, _, part = name.partition(".resblocks.")[2].partition(".")
            block = f"{tower}.encoder.layers.{number}."
            if "in_proj" in part:
                for letter, rows in zip("qkv", np.split(array, 3), strict=True):
                    found[f"{block}self_attn.{letter}_proj.{part.rpartition('_')[2]}"] = rows
            else:
                found[f"{block}{_BLOCK[part.rpartition('.')[0]]}.{kind}"] = array
        elif name in ("text_projection", "visual.proj"):
            found[f"{'visual' if '.' in name else 'text'}_projection.weight"] = np.ascontiguousarray(array.T)
        else:
            found[_OUTSIDE.get(name) or (f"{_OUTSIDE[stem]}.{kind}" if stem in _OUTSIDE else name)] = array
    return found
