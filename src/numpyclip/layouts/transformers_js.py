"""The folder of a CLIP or SigLIP as transformers.js loads it, in a browser or Node.

`onnx/vision_model.onnx` and `onnx/text_model.onnx` are what CLIPVisionModelWithProjection and
CLIPTextModelWithProjection load, or SiglipVisionModel and SiglipTextModel; a suffix says their dtype. `config.json`
names the class and the dtype, `preprocessor_config.json` says how images are prepared, `tokenizer.json` how texts are.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import onnx

from numpyclip.arguments import Precision
from numpyclip.atomic import write_files
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.graph import image_graph, text_graph, write_graph
from numpyclip.graph.edits import pad, rename, trim
from numpyclip.graph.weight_file import WeightFile
from numpyclip.layouts.library import Library
from numpyclip.layouts.tokenizer_files import tokenizer_files
from numpyclip.model.text.text_config import TextConfig
from numpyclip.saving.plan import as_json
from numpyclip.saving.transformers import describe_preprocess

FILES = (
    *("config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("onnx/vision_model*.onnx*", "onnx/text_model*.onnx*"),
)

# Of each precision the name of the dtype, and the suffix of files.
_DTYPES: dict[Precision, tuple[str, str]] = {
    "float32": ("fp32", ""),
    "float16": ("fp16", "_fp16"),
    "int8": ("q8", "_quantized"),
}
_TRANSFORMERS_JS = Library("transformers.js", tuple(_DTYPES))


def write_folder(model: CLIP, precision: Precision, folder: Path) -> None:
    """Write the files, those of one tower if the model has no other.

    Raises
    ------
    UnsupportedCheckpointError
        If the library would prepare images or texts in another way.
    """
    _TRANSFORMERS_JS.check(model.preprocess, precision)
    dtype, suffix = _DTYPES[precision]
    files: dict[str, bytes] = {}
    are_external: dict[str, bool] = {}
    if model.config.text is not None:
        files |= tokenizer_files(model, _TRANSFORMERS_JS)
        name = f"text_model{suffix}.onnx"
        are_external[name] = write_graph(partial(_text_graph, model, precision), folder / "onnx" / name)
    if model.config.vision is not None:
        described = describe_preprocess(model.preprocess, model.config.sigmoid)
        files["preprocessor_config.json"] = as_json(described)
        name = f"vision_model{suffix}.onnx"
        are_external[name] = write_graph(partial(_image_graph, model, precision), folder / "onnx" / name)
    files["config.json"] = as_json(_config(model, dtype, are_external))
    write_files(folder, files)


def _text_graph(model: CLIP, precision: Precision, weights: WeightFile) -> onnx.ModelProto:
    assert model.config.text is not None
    graph = text_graph(model, precision=precision, weights=weights)
    trim(graph, model.config.text)
    pad(graph, model.config.text, int(model.tokenize("")[0, -1]))  # which is padding
    if model.config.sigmoid:
        rename(graph, {"text_embeds": "pooler_output"})
    return graph


def _image_graph(model: CLIP, precision: Precision, weights: WeightFile) -> onnx.ModelProto:
    graph = image_graph(model, pixels="pixel_values", precision=precision, weights=weights)
    if model.config.sigmoid:
        rename(graph, {"image_embeds": "pooler_output"})
    return graph


def _config(model: CLIP, dtype: str, are_external: dict[str, bool]) -> dict[str, object]:
    """Describe the model; the library reads the class, the dtype, and which graphs have external data."""
    kind, name = ("siglip", "SiglipModel") if model.config.sigmoid else ("clip", "CLIPModel")
    config = model.config
    return {
        "model_type": kind,
        "architectures": [name],
        "projection_dim": config.embed_dim,
        "vision_config": {"model_type": f"{kind}_vision_model", "image_size": model.preprocess.sides[0]},
        **({"text_config": _text_config(config.text, kind)} if config.text else {}),
        "transformers.js_config": {
            "dtype": dtype,
            "use_external_data_format": are_external,
        },
    }


def _text_config(config: TextConfig, kind: str) -> dict[str, object]:
    return {
        "model_type": f"{kind}_text_model",
        "max_position_embeddings": config.context_length,
        "vocab_size": config.vocab_size,
    }
