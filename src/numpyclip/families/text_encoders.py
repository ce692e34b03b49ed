"""Encoders of texts that transformers made, as towers of other libraries' models: their config files and tensors.

Source: modeling_*.py and configuration_*.py of bert, roberta, distilbert, m2m_100 and mt5 in transformers 5.
Their config files are beside the weights, or known by the names of published models, which OpenCLIP's config files and
M-CLIP's have instead.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import MAX_LAYERS, Section, read_config_file
from numpyclip.families.tensor_names import Names, of_blocks, rename, translator, used
from numpyclip.families.transformers import read_bert
from numpyclip.families.transformers_types import ACTIVATIONS, bert_names
from numpyclip.model.text.encoder_configs import BertConfig, EncoderConfig, M2M100Config, T5Config
from numpyclip.model.transformer_config import MLPActivation
from numpyclip.weights.checkpoint import Checkpoint

PREFIX = "transformer."  # of the names of tensors in models that contain an encoder

_BASE: dict[str, Any] = {"width": 768, "layers": 12, "heads": 12, "mlp_width": 3072, "activation": "gelu"}
_BERT = BertConfig(context_length=512, vocab_size=30522, eps=1e-12, token_types=2, **_BASE)
_ROBERTA = replace(_BERT, context_length=510, vocab_size=50265, pad_id=1, first_place=2)
_XLM_ROBERTA = replace(_ROBERTA, vocab_size=30522)


def _distilbert(section: Section) -> EncoderConfig:
    vocab_size = section.size("vocab_size", 30522)
    width = section.size("dim", 768)
    return BertConfig(
        width=width,
        layers=section.size("n_layers", 6, MAX_LAYERS),
        heads=section.divisor("n_heads", width, 12),
        mlp_width=section.size("hidden_dim", 3072),
        activation=section.one_of("activation", ACTIVATIONS, "gelu"),
        eps=1e-12,
        context_length=section.size("max_position_embeddings", 512),
        vocab_size=vocab_size,
        pad_id=section.token_id("pad_token_id", vocab_size, 0),
        token_types=0,
    )


def _m2m100(section: Section) -> EncoderConfig:
    vocab_size = section.size("vocab_size", 128112)
    width = section.size("d_model", 1024)
    if width < 4:
        raise section.unsupported("d_model", "expected 4 or more, for the sinusoids of positions")
    activations: dict[str, MLPActivation] = {"relu": "relu", **ACTIVATIONS}
    return M2M100Config(
        width=width,
        layers=section.size("encoder_layers", 12, MAX_LAYERS),
        heads=section.divisor("encoder_attention_heads", width, 16),
        mlp_width=section.size("encoder_ffn_dim", 4096),
        activation=section.one_of("activation_function", activations, "relu"),
        context_length=section.size("max_position_embeddings", 1024),
        vocab_size=vocab_size,
        pad_id=section.token_id("pad_token_id", vocab_size, 1),
        scaled=section.get("scale_embedding", bool, True),
    )


def _mt5(section: Section) -> EncoderConfig:
    section.expect(feed_forward_proj="gated-gelu")
    vocab_size = section.size("vocab_size", 250112)
    buckets = section.size("relative_attention_num_buckets", 32)
    if buckets < 4:
        raise section.unsupported("relative_attention_num_buckets", "expected 4 or more")
    distance = section.size("relative_attention_max_distance", 128)
    if distance <= buckets // 4:
        raise section.unsupported("relative_attention_max_distance", f"expected more than {buckets // 4}")
    return T5Config(
        width=section.size("d_model", 512),
        layers=section.size("num_layers", 8, MAX_LAYERS),
        heads=section.size("num_heads", 6),
        head_width=section.size("d_kv", 64),
        mlp_width=section.size("d_ff", 1024),
        activation="gelu_tanh",
        eps=section.eps("layer_norm_epsilon", 1e-6),
        context_length=512,  # of pretraining; any number is possible
        vocab_size=vocab_size,
        pad_id=section.token_id("pad_token_id", vocab_size, 0),
        buckets=buckets,
        max_distance=distance,
    )


# model_type → how its config file is read
_READERS: Mapping[str, Callable[[Section], EncoderConfig]] = {
    "bert": lambda section: read_bert(section, _BERT),
    "roberta": lambda section: read_bert(section, _ROBERTA),
    "xlm-roberta": lambda section: read_bert(section, _XLM_ROBERTA),
    "distilbert": _distilbert,
    "m2m_100": _m2m100,
    "mt5": _mt5,
}

# model_type of BERTs → transformers' class of their tokenizers
TOKENIZERS = {
    "bert": "BertTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "distilbert": "DistilBertTokenizer",
}

_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_ROBERTA_FILE = {"model_type": "roberta", "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
_XLM_ROBERTA_FILE = {**_ROBERTA_FILE, "model_type": "xlm-roberta", "vocab_size": 250002}
_BERT_FILE = {"model_type": "bert"}
_NLLB_FILE = {"model_type": "m2m_100", "vocab_size": 256206}
_NLLB_LARGE = {"encoder_layers": 24, "encoder_ffn_dim": 8192}


def _mt5_file(*sizes: int) -> dict[str, Any]:
    return {"model_type": "mt5", **dict(zip(("d_model", "d_ff", "num_layers", "num_heads"), sizes, strict=True))}


# Published models → what their config files have that is not the default.
_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "roberta-base": _ROBERTA_FILE,
    "roberta-large": {**_ROBERTA_FILE, **_LARGE},
    "xlm-roberta-base": _XLM_ROBERTA_FILE,
    "xlm-roberta-large": {**_XLM_ROBERTA_FILE, **_LARGE},
    "bert-base-uncased": _BERT_FILE,
    "bert-base-cased": {**_BERT_FILE, "vocab_size": 28996},
    "bert-large-uncased": {**_BERT_FILE, **_LARGE},
    "bert-base-multilingual-cased": {**_BERT_FILE, "vocab_size": 119547},
    "sentence-transformers/LaBSE": {**_BERT_FILE, "vocab_size": 501153},
    "setu4993/LaBSE": {**_BERT_FILE, "vocab_size": 501153},
    "distilbert-base-multilingual-cased": {"model_type": "distilbert", "vocab_size": 119547},
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract": _BERT_FILE,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract-fulltext": _BERT_FILE,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _BERT_FILE,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext": _BERT_FILE,
    "facebook/nllb-200-distilled-600M": _NLLB_FILE,
    "facebook/nllb-200-distilled-1.3B": {**_NLLB_FILE, **_NLLB_LARGE},
    "facebook/nllb-200-1.3B": {**_NLLB_FILE, **_NLLB_LARGE},
    "facebook/nllb-200-3.3B": {**_NLLB_FILE, **_NLLB_LARGE, "d_model": 2048},
    "google/mt5-small": _mt5_file(512, 1024, 8, 6),
    "google/mt5-base": _mt5_file(768, 2048, 12, 12),
    "google/mt5-large": _mt5_file(1024, 2816, 24, 16),
    "google/mt5-xl": _mt5_file(2048, 5120, 24, 32),
    "google/mt5-xxl": _mt5_file(4096, 10240, 24, 64),
}
_MOVED = re.compile(r"(FacebookAI|google-bert|distilbert)/")  # where the hub has them now that had no organization
FOLDER = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)  # of an encoder's config file, by its name


def read_encoder(section: Section) -> EncoderConfig:
    """Read the config file of an encoder; an option that does not change results is not looked at."""
    section.expect(position_embedding_type="absolute", is_decoder=False)
    return section.one_of("model_type", _READERS, "")(section)


def encoder_config(named: Section, option: str) -> Section:
    """Return the config file of the encoder that an option names.

    It is beside the weights, or in a folder there of that name, or that of a published model.

    Raises
    ------
    UnsupportedCheckpointError
        If there is none, and the name is not known.
    CheckpointError
        If there is one, which differs from that of the published model of that name.
    """
    name = _MOVED.sub("", named.get(option, str))
    published = Section(named.path, f"the config file of {name!r}", _PUBLISHED[name]) if name in _PUBLISHED else None
    folders = [named.path.parent, *([named.path.parent / name] if FOLDER.fullmatch(name) else [])]
    for file in (folder / "config.json" for folder in folders):
        if named.path.is_file() and file.is_file():
            beside = read_config_file(file)
            for section in (beside, beside.section("text_config")):
                if section.json.get("model_type") in _READERS:
                    if published:
                        _compare(section, published)
                    return section
    if published:
        return published
    raise named.unsupported(
        option,
        "its sizes are not known here. Put its config.json, from huggingface.co, into a folder of this name beside "
        f"{named.path.name!r:.60}; with the model_type {' or '.join(_READERS)}",
    )


def _compare(beside: Section, published: Section) -> None:
    """Raise if a config file, which other libraries do not read, describes another encoder than the published one."""
    found, expected = (
        {"model_type": each.json["model_type"], **vars(read_encoder(each))} for each in (beside, published)
    )
    for name, value in expected.items():
        if found.get(name) != value:
            raise CheckpointError(
                f"{beside.path}: describes an encoder with {name} {found.get(name)!r:.60}; expected {value!r}, as in "
                f"{published.name}, which {published.path.name} names. Remove it, or name the encoder otherwise there."
            )


_NAMES: Names = (
    *bert_names("transformer"),
    ("transformer.pooler.dense", "pooler"),
    # DistilBERT
    *of_blocks(
        "transformer.transformer.layer",
        "transformer",
        (
            ("attention.q_lin", "attn.q_proj"),
            ("attention.k_lin", "attn.k_proj"),
            ("attention.v_lin", "attn.v_proj"),
            ("attention.out_lin", "attn.out_proj"),
            ("sa_layer_norm", "ln_1"),
            ("ffn.lin1", "mlp.c_fc"),
            ("ffn.lin2", "mlp.c_proj"),
            ("output_layer_norm", "ln_2"),
        ),
    ),
    # M2M100
    ("transformer.embed_tokens", "token_embedding"),
    ("transformer.layer_norm", "ln_final"),
    *of_blocks(
        "transformer.layers",
        "transformer",
        (
            ("self_attn", "attn"),
            ("self_attn_layer_norm", "ln_1"),
            ("fc1", "mlp.c_fc"),
            ("fc2", "mlp.c_proj"),
            ("final_layer_norm", "ln_2"),
        ),
    ),
    # T5, its layers by their names here
    ("transformer.final_layer_norm", "ln_final"),
    ("transformer.block.0.attention.SelfAttention.relative_attention_bias.weight", "relative_attention_bias"),
    *of_blocks(
        "transformer.block",
        "transformer",
        (
            ("attention.layer_norm", "ln_1"),
            ("attention.SelfAttention.q", "attn.q_proj"),
            ("attention.SelfAttention.k", "attn.k_proj"),
            ("attention.SelfAttention.v", "attn.v_proj"),
            ("attention.SelfAttention.o", "attn.out_proj"),
            ("mlp.layer_norm", "ln_2"),
            ("mlp.DenseReluDense.wi_0", "mlp.c_gate"),
            ("mlp.DenseReluDense.wi_1", "mlp.c_fc"),
            ("mlp.DenseReluDense.wo", "mlp.c_proj"),
        ),
    ),
)


def translate(checkpoint: Checkpoint, config: EncoderConfig, head: Names) -> Checkpoint:
    """Give the tensors of an encoder our names, and those behind it; drop BERT's pooler if it is not used."""
    has_pooler = isinstance(config, BertConfig) and config.pooler
    ours = translator((*_NAMES, *head))

    def translated(name: str) -> str:
        if name.startswith(f"{PREFIX}block."):
            name = name.replace(".layer.0.", ".attention.", 1).replace(".layer.1.", ".mlp.", 1)
        return ours(name)

    return rename(used(checkpoint, () if has_pooler else (f"{PREFIX}pooler.",)), translated)
