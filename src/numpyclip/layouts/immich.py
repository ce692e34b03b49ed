"""The folder of a model in Immich's cache, as its machine learning loads it (`immich_ml/models/clip`).

The image graph takes `image` (batch, 3, y, x) of float32, the text graph `text` (batch, context length) of int32; the
first output of each are embeddings of unit length. Images are prepared by `visual/preprocess_cfg.json`, in the form of
OpenCLIP; texts by `textual/tokenizer.json`, padded to the context length, which `config.json` says.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import onnx

from numpyclip.arguments import Precision
from numpyclip.atomic import write_files
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.graph import image_graph, text_graph, write_graph
from numpyclip.graph.edits import normalize, rename, trim
from numpyclip.graph.weight_file import WeightFile
from numpyclip.layouts.library import Library
from numpyclip.layouts.tokenizer_files import tokenizer_files
from numpyclip.saving.open_clip import describe_preprocess
from numpyclip.saving.plan import as_json

FILES = ("config.json", "visual/*.json", "visual/model.onnx*", "textual/*.json", "textual/model.onnx*")

_IMMICH = Library("immich", ("float32", "float16", "int8"))


def write_folder(model: CLIP, precision: Precision, folder: Path) -> None:
    """Write the files.

    Raises
    ------
    UnsupportedCheckpointError
        If Immich would prepare images or texts in another way.
    InputError
        If the model has only one tower.
    """
    _IMMICH.check(model.preprocess, precision)
    files = {f"textual/{name}": content for name, content in tokenizer_files(model, _IMMICH).items()}
    files["visual/preprocess_cfg.json"] = as_json(describe_preprocess(model.preprocess))
    files["config.json"] = as_json(_config(model))
    write_files(folder, files)
    write_graph(partial(_image_graph, model, precision), folder / "visual" / "model.onnx")
    write_graph(partial(_text_graph, model, precision), folder / "textual" / "model.onnx")


def _image_graph(model: CLIP, precision: Precision, weights: WeightFile) -> onnx.ModelProto:
    graph = image_graph(model, pixels="pixel_values", precision=precision, weights=weights)
    rename(graph, {"pixel_values": "image", "image_embeds": "image_embedding"})
    normalize(graph)
    return graph


def _text_graph(model: CLIP, precision: Precision, weights: WeightFile) -> onnx.ModelProto:
    assert model.config.text is not None
    graph = text_graph(model, ids="int32", precision=precision, weights=weights)
    rename(graph, {"input_ids": "text", "text_embeds": "text_embedding"})
    normalize(graph)
    trim(graph, model.config.text)
    return graph


def _config(model: CLIP) -> dict[str, object]:
    """Describe the model in the form of OpenCLIP; Immich reads the context length."""
    return {
        "embed_dim": model.config.embed_dim,
        "vision_cfg": {"image_size": model.preprocess.sides[0]},
        "text_cfg": {"context_length": model.context_length, "vocab_size": model.vocab_size},
    }
