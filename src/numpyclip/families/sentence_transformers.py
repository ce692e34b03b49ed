"""Text towers of sentence-transformers for the images of other models, by their `modules.json`.

Source: sentence_transformers/base/modules/transformer.py and dense.py, sentence_transformer/modules/pooling.py.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpyclip.errors import CheckpointError, UnsupportedCheckpointError
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.families.description import ModelDescription
from numpyclip.families.repository_files import FIRST_MODULE, MODULES, PROMPTS, find_weights_in
from numpyclip.families.text_encoders import PREFIX, TOKENIZERS, read_encoder, translate
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.text.text_config import TextPool
from numpyclip.model.transformer_config import Projection
from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint, identity_of
from numpyclip.weights.json_file import parse_json, read_bytes
from numpyclip.weights.read import read

_MAX_BYTES = 2**16
_POOLS: dict[str, TextPool] = {"mean": "mean", "cls": "first"}
# Where the maximum length of a text is, in older and newer versions.
_LENGTHS = ((FIRST_MODULE, "max_seq_length"), ("tokenizer_config.json", "model_max_length"))
_IDENTITIES = dict.fromkeys(("torch.nn.modules.linear.Identity", "torch.nn.Identity"))
_KINDS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Dense"])
_FOLDER = re.compile(r"[0-9]\w*|", re.ASCII)
_OTHER_POOLS = tuple(
    f"pooling_mode_{name}" for name in ("max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
)
_BASE = re.compile(r"(bert|distilbert|roberta)\.")  # of tensors, in some files


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a text tower: an encoder, by its own config file, a pool, and perhaps a layer."""
    root = folder_of(options)
    modules = _modules(root / MODULES)
    if root / modules["Transformer"] != options.path.parent:
        raise UnsupportedCheckpointError(
            f"{root / MODULES}: its Transformer is in {modules['Transformer']!r}; expected it beside {options.path}."
        )
    _expect_no_prompt(root / PROMPTS)
    text, model_type = _encoder(options), options.get("model_type", str)
    pool = _pool(read_config_file(root / modules["Pooling"] / "config.json"), text.width)
    arrays = {f"{PREFIX}{_BASE.sub('', name, count=1)}": array for name, array in checkpoint.arrays.items()}
    embed_dim = text.width
    projection: Projection | None = None
    if "Dense" in modules:
        folder = root / modules["Dense"]
        embed_dim, projection = _read_dense(read_config_file(folder / "config.json"), text.width), "linear"
        dense = read(find_weights_in(folder))
        arrays |= dense.arrays
        checkpoint = replace(
            checkpoint,
            identity=identity_of(checkpoint.identity, dense.identity),
            archives=(*checkpoint.archives, *dense.archives),
        )
    text = replace(text, pool=pool, projection=projection)
    checkpoint = replace(checkpoint, arrays=arrays, stored={})  # no layout of one file can be saved
    return ModelDescription(
        translate(checkpoint, text, (("linear", "text_projection"),)),
        CLIPConfig(
            family="sentence_transformers", embed_dim=embed_dim, vision=None, text=text, preprocess=Preprocess(224)
        ),
        partial(
            hugging_face_tokenizer, options.path.parent, TokenizerRules(TOKENIZERS[model_type], pad_id=text.pad_id)
        ),
    )


def folder_of(options: Section) -> Path:
    """Return the folder of all modules; the config file of the first is there, or in a folder of its own."""
    folder = options.path.parent
    return folder if (folder / MODULES).is_file() else folder.parent


def _modules(path: Path) -> dict[str, str]:
    """Return the folders of modules, by their kinds."""
    try:
        listed: Any = parse_json(read_bytes(path, _MAX_BYTES, "a list of modules"))
        modules = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in listed}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: no list of modules, each with a type and a path ({error!r:.100}).") from error
    kinds = list(modules)
    if kinds not in _KINDS or len(listed) != len(kinds) or not all(map(_FOLDER.fullmatch, modules.values())):
        raise UnsupportedCheckpointError(
            f"{path}: lists {modules!r:.200}; expected a Transformer, a Pooling and perhaps a Dense, in folders here."
        )
    return modules


def _expect_no_prompt(path: Path) -> None:
    """Raise if the library puts a text before all others."""
    if path.is_file():
        options = read_config_file(path)
        name = options.get("default_prompt_name", str, "")
        if name and options.section("prompts").json.get(name) != "":
            raise options.unsupported("default_prompt_name", "expected null; prompts are not supported")


def _encoder(options: Section) -> BertConfig:
    text = read_encoder(options)
    if not isinstance(text, BertConfig):
        raise options.unsupported("model_type", "expected a BERT or RoBERTa")
    length = text.context_length
    for name, option in _LENGTHS:
        if (file := options.path.parent / name).is_file():
            settings = read_config_file(file)
            if option == "max_seq_length":
                settings.expect(do_lower_case=False)
            most = settings.json.get(option)
            length = min(length, most) if type(most) is int and most > 0 else length
    return replace(text, context_length=length, positions=text.first_place + text.context_length)


def _pool(options: Section, width: int) -> TextPool:
    """Read how tokens are pooled; older files have an option for each way."""
    options.expect(**dict.fromkeys(("word_embedding_dimension", "embedding_dimension"), width))
    options.expect(include_prompt=True)
    if "pooling_mode" in options:
        return options.one_of("pooling_mode", _POOLS, "mean")
    names = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}
    options.expect(**dict.fromkeys(_OTHER_POOLS, False))
    chosen = [pool for pool, name in names.items() if options.get(name, bool, False)]
    if len(chosen) > 1:
        raise options.unsupported(names["cls"], "expected one way of pooling")
    return _POOLS[chosen[0] if chosen else "mean"]


def _read_dense(options: Section, width: int) -> int:
    """Return the dimension of embeddings."""
    options.expect(in_features=width, use_residual=False)
    options.one_of("activation_function", _IDENTITIES, "")  # the library's default is tanh
    options.expect(**dict.fromkeys(("module_input_name", "module_output_name"), "sentence_embedding"))
    return options.size("out_features")
