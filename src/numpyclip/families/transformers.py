"""Hugging Face transformers' models, by their `config.json`: `CLIPModel` and others, whole or a single tower.

Source: modeling_*.py of clip, metaclip_2, siglip, siglip2, chinese_clip and altclip in transformers 5. An option that
is not supported is an `UnsupportedCheckpointError` that names it.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from numpyclip.families import image_processor
from numpyclip.families.config_file import MAX_LAYERS, Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.other_models import what_is
from numpyclip.families.repository_files import PROCESSOR_FILES, TOKENIZER_FILES, find_beside
from numpyclip.families.tensor_names import rename, translator, used, with_convolution
from numpyclip.families.transformers_options import unknown_options
from numpyclip.families.transformers_types import ACTIVATIONS, FG_CLIP_HEAD, FG_CLIP_UNUSED, TYPES, Family
from numpyclip.images.preprocess import in_pixels
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.model.text.text_config import TextConfig
from numpyclip.model.transformer_config import TransformerConfig
from numpyclip.model.vision.vision_config import PoolConfig, VisionTransformerConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.clip_tokenizer import default_tokenizer
from numpyclip.tokenizer.hugging_face import hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

# What the code of BERT that wrote its first config files had besides the options of transformers.
_IGNORED_IN_BERT = (
    *("directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers"),
    *("pooler_size_per_head", "pooler_type", "pooler_fn", "learn_encoder", "output_past", "layer_norm_epsilon"),
)
# Of language models and their projectors, in config files of towers that were cut out of them.
_OF_OTHER_PARTS = ("vocab_size", "projection_dim", "num_image_tokens", "projector_hidden_act", "num_channels")


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a model by its config file, and those of the image processor and the tokenizer beside it."""
    folder = options.path.parent
    family, towers = _model_type(options)
    if FG_CLIP_HEAD in checkpoint:
        family = replace(family, unused=FG_CLIP_UNUSED)
    checkpoint = _rename(checkpoint, family, towers)
    config, warnings = _read_config(options, family, towers, checkpoint)
    if isinstance(config.vision, VisionTransformerConfig):
        preprocess = replace(config.preprocess, size=config.vision.image_size)
        if config.vision.flexible:
            preprocess = replace(preprocess, patch_size=config.vision.patch_size)
            width, patch_size = config.vision.width, config.vision.patch_size
            checkpoint = with_convolution(checkpoint, "visual.conv1.weight", width, patch_size)
        beside = find_beside(folder, PROCESSOR_FILES)
        config = replace(config, preprocess=image_processor.read_preprocess(beside, preprocess))
        if config.preprocess.resize_mode == "none":
            needed = f"images must have {in_pixels(config.preprocess.size)}"
            warnings += (f"{beside}: its image processor neither resizes nor crops; {needed}.",)
    tokenizer: Callable[[], Tokenizer] = default_tokenizer  # unused without a text tower
    if config.text is not None:
        rules = family.tokenizer
        if isinstance(config.text, BertConfig):
            rules = replace(rules, pad_id=config.text.pad_id)
        tokenizer = partial(hugging_face_tokenizer, find_beside(folder, TOKENIZER_FILES), rules)
    return ModelDescription(checkpoint, config, tokenizer, warnings)


def _model_type(options: Section) -> tuple[Family, tuple[str, ...]]:
    name = options.json.get("model_type")
    if isinstance(name, str) and name in TYPES:
        options.ignore("model_type")
        return TYPES[name]
    if name in ("chinese_clip_text_model", "altclip_text_model"):
        raise options.unsupported("model_type", "this text tower has no projection; load the whole model")
    if code := _own_code(options):
        raise options.unsupported(
            "model_type",
            f"transformers has no such model. It has code of its own, {code!r:.60}, which NumPyCLIP never runs. Ask "
            "for it at NumPyCLIP's issues, or look for the same weights in OpenCLIP's layout",
        )
    kind = what_is(name)
    if "architecture" in options:  # of timm's config files
        kind = f"an image encoder of timm's alone, {options.json['architecture']!r:.60}"
    no_clip = f"this is not a CLIP, but {kind}" if kind else "not a known type of CLIP"
    families = ", ".join(family for family, (_, towers) in TYPES.items() if len(towers) == 2)
    raise options.unsupported(
        "model_type", f"{no_clip}. Expected {families}, or a tower of such a model, as clip_text_model"
    )


def _own_code(options: Section) -> str | None:
    """Return which code of its own a repository has, if any: "modeling_x.XModel"."""
    if not options.is_section("auto_map"):
        return None
    return next((str(name) for name in options.section("auto_map").json.values()), None)


def _rename(checkpoint: Checkpoint, family: Family, towers: tuple[str, ...]) -> Checkpoint:
    """Give tensors our names."""
    checkpoint = used(checkpoint, family.unused)
    prefix, translate = f"{towers[0]}_model.", translator(family.names)
    if len(towers) > 1 or any(name.startswith(prefix) for name in checkpoint.arrays):
        prefix = ""  # only version 5 leaves it out, of a single tower without a projection
    twice = "vision_model.vision_model."  # as in Stable Diffusion's safety checker
    return rename(checkpoint, lambda name: translate(prefix + name.replace(twice, "vision_model.", 1)))


def _present(checkpoint: Checkpoint, towers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the only tower that has tensors, as in classifiers of images; else all."""
    of_texts = ("token_embedding.", "transformer.")
    has = {
        "text": any(name.startswith(of_texts) for name in checkpoint.arrays),
        "vision": any(name.startswith("visual.") for name in checkpoint.arrays),
    }
    return tuple(tower for tower in towers if has[tower]) or towers


def _read_config(
    description: Section, family: Family, towers: tuple[str, ...], checkpoint: Checkpoint
) -> tuple[CLIPConfig, tuple[str, ...]]:
    is_nested = len(towers) == 2
    towers = _present(checkpoint, towers)
    whole = len(towers) == 2
    sections = {tower: _section(description, tower, family) if is_nested else description for tower in towers}
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
    warnings = _warnings(description, sections.values())
    if is_nested and not whole:
        warnings += (f"{checkpoint.path}: has no tensors of the other tower that {description.path.name} describes.",)
    return config, warnings


def _warnings(description: Section, towers: Collection[Section]) -> tuple[str, ...]:
    """Warn of options that have no effect; raise for those that may have one."""
    model_type, code = description.json["model_type"], _own_code(description)
    unknown = []
    for tower in towers:
        tower.expect(position_embedding_type="absolute")
        tower.ignore(*_OF_OTHER_PARTS)
        unknown += unknown_options(tower, model_type, code)
    if description not in towers:
        unknown += unknown_options(description, model_type, code, is_tower=False)
    if not unknown:
        return ()
    listed = ", ".join(unknown[:10]) + (", ..." if len(unknown) > 10 else "")
    return (f"{description.path}: {listed}: no model of transformers has this option; it has no effect, as there.",)


def _section(description: Section, tower: str, family: Family) -> Section:
    """Return the options of a tower; of those that old versions wrote twice, not for SigLIP, the second object."""
    name = f"{tower}_config"
    description.ignore(name)
    is_twice = f"{name}_dict" in description and not family.sigmoid
    section = description.section(f"{name}_dict" if is_twice else name)
    model_type = section.json.get("model_type")
    if model_type is not None and str(model_type).removesuffix(f"_{tower}_model") not in TYPES:
        raise section.unsupported("model_type", f"expected {description.json['model_type']}_{tower}_model")
    return section


def _text(section: Section, family: Family, bare: bool) -> TextConfig:
    text = family.text
    if isinstance(text, BertConfig):
        return read_bert(section, text)
    section.ignore("is_decoder", "add_cross_attention", "cross_attention_hidden_size")  # which only BERT's code reads
    if family.unused:
        section.ignore("keep_len", "longtext_len")  # of long texts
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


def read_bert(section: Section, default: BertConfig) -> BertConfig:
    """Read the options of a BERT or RoBERTa."""
    section.ignore(*_IGNORED_IN_BERT)
    vocab_size = section.size("vocab_size", default.vocab_size)
    pad_id = section.token_id("pad_token_id", vocab_size, default.pad_id)
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
    if default.pool.kind == "map" and not section.get("vision_use_head", bool, True):
        default = replace(default, pool=PoolConfig(kind="none"))
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
    eps = section.eps("layer_norm_eps", default.eps)
    if not isinstance(default, BertConfig):
        section.expect(layer_norm_epsilon=eps)  # its name in other models
    return {
        "width": width,
        "layers": section.size("num_hidden_layers", default.layers, MAX_LAYERS),
        "heads": section.divisor("num_attention_heads", width, default.heads),
        "mlp_width": section.size("intermediate_size", default.mlp_width),
        "activation": section.one_of("hidden_act", ACTIVATIONS, "") if has_activation else default.activation,
        "eps": eps,
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
