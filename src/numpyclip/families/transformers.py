"""Hugging Face transformers' models, by their `config.json`: `CLIPModel` and others, whole or a single tower.

Source: modeling_*.py of clip, metaclip_2, siglip, siglip2, chinese_clip and altclip in transformers 5. An option that
is not supported is an `UnsupportedCheckpointError` that names it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from numpyclip.families import image_processor
from numpyclip.families.config_file import MAX_LAYERS, Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.repository_files import tokenizer_folder
from numpyclip.families.tensor_names import Names, rename, translator
from numpyclip.families.transformers_types import ACTIVATIONS, TYPES, Family
from numpyclip.model.config import BertConfig, CLIPConfig, TextConfig, TransformerConfig, VisionTransformerConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.tokenizer.hugging_face import hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

# Options of any config file without effect on these models: provenance, training, and what version 4 wrote everywhere.
_IGNORED = (
    *("_name_or_path", "_commit_hash", "architectures", "model_type", "transformers_version", "tokenizer_class"),
    *("torch_dtype", "dtype", "torchscript", "use_bfloat16", "tf_legacy_loss", "return_dict", "gradient_checkpointing"),
    *("_attn_implementation_autoset", "output_attentions", "output_hidden_states", "output_scores"),
    *("initializer_factor", "initializer_range", "logit_scale_init_value", "attention_dropout", "dropout"),
    *("id2label", "label2id", "finetuning_task", "problem_type", "task_specific_params", "prefix"),
    *("bos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "tie_word_embeddings"),
    *("is_decoder", "is_encoder_decoder", "tie_encoder_decoder", "cross_attention_hidden_size", "add_cross_attention"),
    *("max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty"),
    *("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size"),
    *("encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "chunk_size_feed_forward"),
    *("return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"),
    *("exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens"),
)
_IGNORED_IN_BERT = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "use_cache", "output_past"),
    *("eos_token_id", "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers"),
    *("pooler_size_per_head", "pooler_type", "pooler_fn", "learn_encoder"),
)


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a model by its config file, and those of the image processor and the tokenizer beside it."""
    folder = options.path.parent
    family, towers = options.one_of("model_type", TYPES, "")
    checkpoint = _rename(checkpoint, family.names, towers)
    config = _read_config(options, family, towers, checkpoint)
    if isinstance(config.vision, VisionTransformerConfig):
        preprocess = replace(config.preprocess, size=config.vision.image_size)
        if config.vision.flexible:
            preprocess = replace(preprocess, patch_size=config.vision.patch_size)
            checkpoint = _with_convolution(checkpoint, config.vision)
        config = replace(config, preprocess=image_processor.read_preprocess(folder, preprocess))
    tokenizer: Callable[[], Tokenizer] = default_tokenizer  # unused without a text tower
    if config.text is not None:
        tokenizer = partial(hugging_face_tokenizer, tokenizer_folder(folder), family.tokenizer)
    return ModelDescription(checkpoint, config, tokenizer)


def _rename(checkpoint: Checkpoint, names: Names, towers: tuple[str, ...]) -> Checkpoint:
    """Give tensors our names; drop lists of positions, which are 0, 1, 2 and so on."""
    kept = {name: array for name, array in checkpoint.arrays.items() if not name.endswith(".position_ids")}
    prefix, translate = f"{towers[0]}_model.", translator(names)
    if len(towers) > 1 or any(name.startswith(prefix) for name in kept):
        prefix = ""  # only version 5 leaves it out, of a single tower without a projection
    return rename(replace(checkpoint, arrays=kept), lambda name: translate(prefix + name))


def _with_convolution(checkpoint: Checkpoint, vision: VisionTransformerConfig) -> Checkpoint:
    """View the matrix that multiplies patches, channels last, as the weights of a convolution."""
    name, d, p = "visual.conv1.weight", vision.width, vision.patch_size
    if checkpoint.shape(name, 2) != (d, p * p * 3):
        return checkpoint  # which will be refused
    weight = checkpoint.arrays[name].reshape(d, p, p, 3).transpose(0, 3, 1, 2)
    return replace(checkpoint, arrays={**checkpoint.arrays, name: weight})


def _read_config(description: Section, family: Family, towers: tuple[str, ...], checkpoint: Checkpoint) -> CLIPConfig:
    whole = len(towers) == 2
    sections = {tower: _section(description, tower) if whole else description for tower in towers}
    # CLIPTextModel and CLIPVisionModel end before the projection
    bare = not (whole or family.sigmoid or {"text_projection.weight", "visual.proj.weight"} & checkpoint.arrays.keys())
    text = _text(sections["text"], family, bare) if "text" in sections else None
    vision = _vision(sections["vision"], family.vision, bare) if "vision" in sections else None
    config = CLIPConfig(
        family="transformers",
        embed_dim=_embed_dim(description, sections, family, (text, vision)),
        vision=vision,
        text=text,
        preprocess=family.preprocess,
        sigmoid=family.sigmoid and whole,
    )
    for section in (*sections.values(), description):
        section.ignore(*_IGNORED)
        section.expect(pruned_heads={})
        section.finish()
    return config


def _section(description: Section, tower: str) -> Section:
    """Return the options of a tower. If old versions wrote some of them twice, the second object alone counts."""
    name = f"{tower}_config"
    description.ignore(name)
    return description.section(f"{name}_dict" if f"{name}_dict" in description else name)


def _text(section: Section, family: Family, bare: bool) -> TextConfig:
    text = family.text
    if isinstance(text, BertConfig):
        return _bert(section, text)
    end = section.get("eos_token_id", int, text.end_id or 0)
    if text.pool == "eos":
        text = replace(text, pool="argmax", end_id=None) if end == family.mistaken_end else replace(text, end_id=end)
    return replace(
        text,
        **_blocks(section, text),
        context_length=section.size("max_position_embeddings", text.context_length),
        vocab_size=section.size("vocab_size", text.vocab_size),
        projection=None if bare else "linear",
    )


def _bert(section: Section, default: BertConfig) -> BertConfig:
    section.ignore(*_IGNORED_IN_BERT)
    section.expect(position_embedding_type="absolute")
    vocab_size = section.size("vocab_size", default.vocab_size)
    pad_id = section.get("pad_token_id", int, default.pad_id)
    if not 0 <= pad_id < vocab_size:
        raise section.unsupported("pad_token_id", f"expected 0 to {vocab_size - 1}")
    first_place = pad_id + 1 if default.first_place else 0  # RoBERTa's first position follows that of padding
    positions = section.size("max_position_embeddings", default.first_place + default.context_length)
    if positions <= first_place:
        raise section.unsupported("max_position_embeddings", f"expected more than {first_place}")
    return replace(
        default,
        **_blocks(section, default),
        context_length=positions - first_place,
        vocab_size=vocab_size,
        pad_id=pad_id,
        first_place=first_place,
        token_types=section.size("type_vocab_size", default.token_types),
        end_width=section.size("project_dim", default.end_width) if default.end_width else None,
    )


def _vision(section: Section, default: VisionTransformerConfig, bare: bool) -> VisionTransformerConfig:
    section.expect(num_channels=3)
    if default.pool.kind == "map":
        section.expect(vision_use_head=True)
    patch_size = section.side("patch_size", default.patch_size)
    if default.flexible:
        patches = section.size("num_patches", 256)
        image_size = math.isqrt(patches) * patch_size
        if math.isqrt(patches) ** 2 != patches:
            raise section.unsupported("num_patches", "expected a square number")
    else:
        image_size = section.side("image_size", default.image_size)
    return replace(
        default,
        **_blocks(section, default),
        image_size=image_size,
        patch_size=patch_size,
        projection=None if bare else default.projection,
    )


def _blocks(section: Section, default: TransformerConfig) -> dict[str, Any]:
    width = section.size("hidden_size", default.width)
    has_activation = "hidden_act" in section
    return {
        "width": width,
        "layers": section.size("num_hidden_layers", default.layers, MAX_LAYERS),
        "heads": section.divisor("num_attention_heads", width, default.heads),
        "mlp_width": section.size("intermediate_size", default.mlp_width),
        "activation": section.one_of("hidden_act", ACTIVATIONS, "") if has_activation else default.activation,
        "eps": section.eps("layer_norm_eps", default.eps),
    }


def _embed_dim(
    description: Section,
    sections: Mapping[str, Section],
    family: Family,
    towers: Iterable[TextConfig | VisionTransformerConfig | None],
) -> int:
    """Return the dimension of embeddings: the width of a tower without a projection, else that of the projections."""
    widths = [tower.width for tower in towers if tower is not None and not tower.projection]
    if not family.sigmoid:
        for section in sections.values():
            section.ignore("projection_dim")  # of a tower by itself
        return widths[0] if widths else description.size("projection_dim", family.embed_dim)
    if "text" not in sections:
        return widths[0]
    text = sections["text"]
    size = widths[0] if widths else text.size("projection_size", text.size("hidden_size", family.text.width))
    text.expect(projection_size=size)
    return size
