"""The text towers of jina-clip v1 and v2: a BERT of Jina's, and the adapters of the task that a model is meant for.

Source: hf_model.py of jinaai/jina-clip-implementation; modeling_lora.py, modeling_xlm_roberta.py and mlp.py of
jinaai/xlm-roberta-flash-implementation, and the same of jinaai/jina-bert-flash-implementation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, quoted
from numpyclip.families.config_file import MAX_LAYERS, Section
from numpyclip.families.openai import count_blocks
from numpyclip.families.tensor_names import Names, of_blocks, of_flash_attention
from numpyclip.families.transformers_options import unknown_options
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.text.text_config import TextPool
from numpyclip.model.transformer_config import Projection, TextRopeConfig
from numpyclip.tokenizer.hugging_face import TokenizerRules
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.low_rank import Adapters

_BLOCK: Names = (*of_flash_attention("mixer"), ("mlp.wo", "mlp.c_proj"))
NAMES: Names = (
    ("text_model.transformer.embeddings.word_embeddings", "token_embedding"),
    ("text_model.transformer.embeddings.token_type_embeddings.weight", "token_type_embedding"),
    ("text_model.transformer.emb_ln", "ln_pre"),
    *of_blocks("text_model.transformer.encoder.layers", "transformer", _BLOCK),
    ("text_model.proj", "text_projection"),
    ("text_model.proj.0", "text_projection.c_fc"),
    ("text_model.proj.2", "text_projection.c_proj"),
)
LORA = "text_model.transformer.roberta."  # before the names of a text tower with adapters
ADAPTER = ".parametrizations.weight.0.lora_"
_GATED = ".mlp.gated_layers.weight"  # gate and value, one below the other

_MAX_TOKENS = 512  # to which `encode_text` of the model truncates texts; it was trained on no longer ones with images

CODE = "modeling_clip.JinaCLIPModel"  # of these models

# Options of the text model without effect on embeddings: how it was trained, and how attention is computed.
_IGNORED = (
    *("use_flash_attn", "load_trained_adapters", "lora_dropout_p", "lora_main_params_trainable", "task_instructions"),
    *("matryoshka_dimensions", "truncate_dim", "emb_pooler", "use_reentrant", "window_size", "mlp_checkpoint_lvl"),
    *("fused_dropout_add_ln", "fused_bias_fc"),
)


@dataclass(frozen=True)
class TextModel:
    """What the repository of a text model says about it, where the config file of jina-clip does not."""

    heads: int
    eps: float
    pad_id: int
    pool: TextPool  # of jina-clip's code, for a model of this kind
    tokenizer: TokenizerRules
    rope_base: float | None = None
    alibi: bool = False


_TEXT_MODELS = {  # by the last part of `hf_model_name_or_path`, which may be a folder
    "jina-bert-flash-implementation": TextModel(
        heads=12, eps=1e-12, pad_id=0, pool="first", tokenizer=TokenizerRules("BertTokenizer"), alibi=True
    ),
    "jina-embeddings-v3": TextModel(
        heads=16, eps=1e-5, pad_id=1, pool="mean", tokenizer=TokenizerRules("XLMRobertaTokenizer"), rope_base=20_000
    ),
}


def text_model(section: Section) -> TextModel:
    """Return which text model a section names."""
    name = section.get("hf_model_name_or_path", str, "jinaai/jina-bert-flash-implementation")
    known = _TEXT_MODELS.get(name.replace("\\", "/").rstrip("/").rpartition("/")[2])
    if known is None:
        expected = f"expected jinaai/{' or jinaai/'.join(_TEXT_MODELS)}"
        raise section.unsupported("hf_model_name_or_path", expected)
    return known


def describe_text(
    section: Section, kwargs: Section, known: TextModel, checkpoint: Checkpoint, has_projections: bool
) -> tuple[BertConfig, int]:
    """Read the text tower, and the dimension of its embeddings."""
    section.ignore("proj_bias")  # the tensors show a bias
    embed_dim = section.size("embed_dim", 768)
    pools: dict[str, TextPool] = {"": known.pool, "mean_pooler": "mean", "cls_pooler": "first"}
    pool = section.one_of("pooler_type", pools, "")
    projections: dict[str, Projection | None] = {"": None, "linear": "linear", "mlp": "mlp"}
    projection = section.one_of("proj_type", projections, "")
    if "default_instruction_task" in section:
        raise section.unsupported("default_instruction_task", "expected null; prompts are not supported")
    text = _text_model(kwargs, known, checkpoint)
    if projection is None and embed_dim != text.width:
        projection = "linear"
    if projection and has_projections:
        raise section.unsupported("proj_type", f"expected null, and an embed_dim of {text.width}, with add_projections")
    unknown_options(section, "jina_clip", CODE)
    return replace(text, pool=pool, projection="linear" if has_projections else projection), embed_dim


def _text_model(kwargs: Section, known: TextModel, checkpoint: Checkpoint) -> BertConfig:
    """Read options of the text model; sizes that jina-clip's config file leaves out are those of the tensors."""
    kwargs.ignore(*_IGNORED)
    kwargs.expect(hidden_act="gelu", use_qk_norm=False, position_embedding_type="alibi" if known.alibi else "rotary")
    vocab_size, width = checkpoint.shape("token_embedding.weight", 2)
    vocab_size, width = kwargs.size("vocab_size", vocab_size), kwargs.size("hidden_size", width)
    heads = kwargs.divisor("num_attention_heads", width, known.heads)
    token_types = checkpoint.shape("token_type_embedding", 2)[0] if "token_type_embedding" in checkpoint else 0
    first = "transformer.resblocks.0.mlp"
    is_gated = f"{first}.c_gate.weight" in checkpoint
    kwargs.expect(mlp_type="glu" if is_gated else "mlp")
    length = min(_MAX_TOKENS, kwargs.size("max_position_embeddings", 8194) - 2)
    if length < 1:
        raise kwargs.unsupported("max_position_embeddings", "expected 3 or more")
    rotary = None
    if known.rope_base is not None:
        rotary = TextRopeConfig(base=kwargs.factor("rotary_emb_base", known.rope_base, 1.0), length=length)
        if width // heads % 2:
            raise kwargs.unsupported("num_attention_heads", "expected heads of an even width")
    text = BertConfig(
        context_length=length,
        vocab_size=vocab_size,
        pad_id=kwargs.token_id("pad_token_id", vocab_size, known.pad_id),
        width=width,
        layers=kwargs.size("num_hidden_layers", count_blocks(checkpoint, "transformer.resblocks"), MAX_LAYERS),
        heads=heads,
        mlp_width=kwargs.size("intermediate_size", checkpoint.shape(f"{first}.c_proj.weight", 2)[1]),
        activation="gelu",
        eps=kwargs.eps("layer_norm_eps", known.eps),
        rotary=rotary,
        gated=is_gated,
        gate="gelu" if is_gated else "silu",
        token_types=kwargs.size("type_vocab_size", token_types) if token_types else 0,
        alibi=known.alibi,
        masks_padding=True,
    )
    unknown_options(kwargs, "jina_clip", CODE)
    return text


def split_gates(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """Name gate and value of a gated MLP as two tensors, with the biases of 0 that they lack."""
    split: dict[str, NDArray[np.generic]] = {}
    for name, array in arrays.items():
        if not name.endswith(_GATED) or array.ndim != 2 or len(array) % 2:
            split[name] = array
            continue
        mlp, half = name.removesuffix("gated_layers.weight"), len(array) // 2
        for part, rows in (("c_gate", array[:half]), ("c_fc", array[half:])):
            ours = f"{mlp}{part}".replace("text_model.transformer.encoder.layers", "transformer.resblocks")
            split[f"{ours}.weight"], split[f"{ours}.bias"] = rows, np.zeros(half, np.float32)
    return split


def take_adapters(
    checkpoint: Checkpoint, arrays: Mapping[str, NDArray[np.generic]], text_options: Section, kwargs: Section
) -> Adapters:
    """Take the adapters of the task for which a model is meant: pairs of matrices whose product is added."""
    tasks = kwargs.get("lora_adaptations", list, [])
    rank, alpha = kwargs.size("lora_rank", 4), kwargs.factor("lora_alpha", 1.0)
    task = text_options.get("default_lora_task", str, "")
    names = sorted({name.partition(ADAPTER)[0] for name in arrays if ADAPTER in name})
    if not task or not (tasks or names):  # a text model without adapters ignores the task
        return {}
    if task not in tasks or not names:
        known = ", ".join(map(repr, tasks)) if names else "none, as the file has none"
        raise text_options.unsupported("default_lora_task", f"expected one of those with adapters: {known:.200}")
    found = replace(checkpoint, arrays=arrays)
    pairs = {}
    for name in names:
        sides = []
        for letter in "AB":
            tensor = f"{name}{ADAPTER}{letter}"
            if found.shape(tensor, 3)[0] != len(tasks):
                raise CheckpointError(f"{checkpoint.path}: tensor {quoted(tensor)} is not for {len(tasks)} tasks.")
            sides.append(found.copy(tensor)[tasks.index(task)])
        # of a layer (out, in) they are (rank, in) and (out, rank), of a table (n, d) they are (n, rank) and (rank, d)
        left, right = sides if "embeddings." in name else sides[::-1]
        if left.shape[1] != rank or len(right) != rank:
            raise CheckpointError(f"{checkpoint.path}: the adapters of {quoted(name)} do not have lora_rank {rank}.")
        pairs[f"{name}.weight"] = (left * np.float32(alpha / rank), right)
    return pairs
