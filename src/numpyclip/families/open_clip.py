"""OpenCLIP's models, by their `open_clip_config.json`.

Source: `CLIP` and `CustomTextCLIP` in open_clip/model.py, `CoCa` in open_clip/coca_model.py. An option that is not
supported is an `UnsupportedCheckpointError` that names it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from numpyclip.families.activation import in_open_clip_config
from numpyclip.families.config_file import MAX_LAYERS, Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.image_processor import read_transform
from numpyclip.families.repository_files import repository_name
from numpyclip.families.tensor_names import rename
from numpyclip.images.preprocess import Preprocess, Size
from numpyclip.model.config import CLIPConfig, DecoderConfig
from numpyclip.model.text.encoder_configs import EncoderConfig
from numpyclip.model.text.text_config import TextConfig, TextPool
from numpyclip.model.transformer_config import EPS, TransformerConfig
from numpyclip.model.vision.vision_config import (
    RESNET_EXPANSION,
    PoolConfig,
    ResNetConfig,
    StagesConfig,
    VisionConfig,
    VisionPool,
    VisionTransformerConfig,
)
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.cleaning import OPEN_CLIP
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.tokenizer.hugging_face import open_clip_file_tokenizer
from numpyclip.weights.checkpoint import Activation, Checkpoint

_MATRYOSHKA = "nllb-siglip-mrl-"  # of the names of repositories, whose config files do not say so


def describe(checkpoint: Checkpoint, options: Section, tokenizers: Path | None = None) -> ModelDescription:
    """Describe a model by its config file, or by what OpenCLIP's table has in place of one; see `read_config`."""
    config, tokenizer = read_config(options, tokenizers)
    checkpoint = rename(checkpoint, lambda name: name.removeprefix("text."))  # openai/CLIP has none
    if isinstance(config.text, EncoderConfig):
        from numpyclip.families import open_clip_encoders

        checkpoint = open_clip_encoders.translate(checkpoint, config.text)
    if any(name.startswith("visual.trunk.") for name in checkpoint.arrays):
        from numpyclip.families import timm

        checkpoint = timm.translate(checkpoint, config.vision)
    return ModelDescription(checkpoint, config, tokenizer)


def read_config(description: Section, tokenizers: Path | None = None) -> tuple[CLIPConfig, Callable[[], Tokenizer]]:
    """Read a config file; it alone decides whether a model is supported, without the weights.

    The files of a tokenizer are beside it, or in another folder.
    """
    model = description.section("model_cfg")
    activation = in_open_clip_config(model)
    embed_dim = model.size("embed_dim")
    vision = _vision(model.section("vision_cfg"), activation, embed_dim)
    folder = tokenizers or description.path.parent
    text, tokenizer = _text(model.section("text_cfg"), activation, embed_dim, folder)
    config = CLIPConfig(
        family="open_clip",
        embed_dim=embed_dim,
        vision=vision,
        text=text,
        preprocess=_preprocess(description.section("preprocess_cfg"), vision.image_size),
        sigmoid="init_logit_bias" in model,
        decoder=_decoder(model, vision, text, activation) if "multimodal_cfg" in model else None,
        matryoshka=repository_name(description.path.parent).startswith(_MATRYOSHKA),
    )
    for tower in (vision, text):
        if isinstance(tower, TransformerConfig) and not tower.projection and tower.width != config.embed_dim:
            raise model.unsupported("embed_dim", f"expected {tower.width}, the width of a tower without a projection")
    if isinstance(vision, StagesConfig) and vision.unprojected not in (None, embed_dim):
        raise model.unsupported(
            "embed_dim", f"expected {vision.unprojected}, the width of a tower without a projection"
        )
    model.ignore("init_logit_bias", "init_logit_scale")  # initial values of training
    model.ignore("nonscalar_logit_scale", "output_dict", "cast_dtype")  # forms of parameters and of results
    model.ignore("custom_text")  # whether the names of the text tower's tensors begin with "text."
    model.finish()  # open_clip ignores what else is at the top, but nothing within these sections
    return config, tokenizer


def _vision(section: Section, activation: Activation, embed_dim: int) -> VisionConfig:
    section.ignore("output_tokens", "patch_dropout", "ls_init_value")  # of training or of CoCa, without effect here
    if "timm_model_name" in section:
        from numpyclip.families import timm

        vision: VisionConfig = timm.describe(section)
    elif section.is_list("layers"):
        vision = _resnet(section)
    else:
        vision = _vision_transformer(section, activation, embed_dim)
    section.finish()
    return vision


def _resnet(section: Section) -> ResNetConfig:
    section.ignore("patch_size", "mlp_ratio")
    width = section.size("width", 768)
    first, second, third, fourth = section.sizes("layers", 4, MAX_LAYERS)
    return ResNetConfig(
        image_size=section.side("image_size", 224),
        width=width,
        layers=(first, second, third, fourth),
        heads=_heads(section, width * RESNET_EXPANSION),
    )


def _vision_transformer(section: Section, activation: Activation, embed_dim: int) -> VisionTransformerConfig:
    section.ignore("pos_embed_type")  # the positions are tensors, whatever they were initialised from
    section.expect(block_type="default", **_PLAIN_BLOCK)
    width = section.size("width", 768)
    has_queries = section.get("attentional_pool", bool, False)
    queries, pool_heads = section.size("attn_pooler_queries", 256), section.size("attn_pooler_heads", 8)
    pools: dict[str, VisionPool] = {"tok": "attn"} if has_queries else {"tok": "tok", "avg": "avg"}
    pool = section.one_of("pool_type", pools, "tok")
    norm_after_pool = section.get("final_ln_after_pool", bool, False)
    if has_queries and embed_dim % pool_heads:
        raise section.unsupported("attn_pooler_heads", f"expected a divisor of embed_dim, {embed_dim}")
    return VisionTransformerConfig(
        image_size=section.sides("image_size", 224),
        patch_size=section.side("patch_size", 16),
        width=width,
        layers=section.size("layers", 12, MAX_LAYERS),
        heads=_heads(section, width),
        mlp_width=int(width * section.factor("mlp_ratio", 4.0)),
        activation=_activation(section, activation),
        eps=_eps(section),
        layer_scale="ls_init_value" in section,
        norm_before=not section.get("no_ln_pre", bool, False),
        pool=PoolConfig(kind="attn", heads=pool_heads, queries=queries)
        if has_queries  # then open_clip ignores the other option
        else PoolConfig(kind=pool, norm_after=norm_after_pool),
    )


def _text(
    section: Section, activation: Activation, embed_dim: int, tokenizers: Path
) -> tuple[TextConfig, Callable[[], Tokenizer]]:
    if "hf_model_name" in section:
        from numpyclip.families import open_clip_encoders

        text: TextConfig = open_clip_encoders.read_config(section)
    else:
        text = _text_transformer(section, activation)
    tokenizer = _tokenizer(section, tokenizers)
    section.finish()
    return text, tokenizer


def _text_transformer(section: Section, activation: Activation) -> TextConfig:
    section.ignore("output_tokens", "ls_init_value")
    section.ignore("final_ln_after_pool")  # as open_clip does
    section.expect(use_pad_mask=False, block_type="default", **_PLAIN_BLOCK)
    width = section.size("width", 512)
    vocab_size = section.size("vocab_size", 49408)
    pools: dict[str, TextPool] = {"argmax": "argmax", "last": "last", "first": "first", "eos": "eos"}
    pool = section.one_of("pool_type", pools, "argmax")
    if section.get("embed_cls", bool, False):
        pool = "cls"  # overrides the other option
        section.expect(no_causal_mask=False)
    end_id = section.get("eos_id", int, 2)
    text = TextConfig(
        context_length=section.size("context_length", 77),
        vocab_size=vocab_size,
        width=width,
        layers=section.size("layers", 12, MAX_LAYERS),
        heads=section.divisor("heads", width, 8),
        mlp_width=int(width * section.factor("mlp_ratio", 4.0)),
        activation=_activation(section, activation),
        eps=_eps(section),
        layer_scale="ls_init_value" in section,
        causal=not section.get("no_causal_mask", bool, False),
        pool=pool,
        end_id=end_id if pool == "eos" else None,
        pad_id=section.token_id("pad_id", vocab_size, 0) if pool == "cls" else 0,
        projection=section.one_of("proj_type", {"linear": "linear", "none": None}, "linear"),
    )
    section.ignore("proj_bias", "pad_id")  # the tensors show a bias; padding matters only to masks
    return text


def _decoder(model: Section, vision: VisionConfig, text: TextConfig, activation: Activation) -> DecoderConfig:
    """Read the config of a CoCa's decoder, which must fit the two towers."""
    section = model.section("multimodal_cfg")
    if isinstance(text, EncoderConfig):
        raise model.section("text_cfg").unsupported("hf_model_name", "expected none in a model with a decoder")
    # open_clip reads these without effect: MLPs are 4 times as wide as the decoder, its vocabulary is that of texts,
    # and `vision_cfg` has the queries.
    section.ignore("mlp_ratio", "dim_head", "n_queries", "attn_pooler_heads", "vocab_size")
    width = section.size("width", 512)
    heads = section.divisor("heads", width, 8)
    if width != text.width:
        raise section.unsupported("width", f"expected that of the text tower, {text.width}")
    if width != (image_width := _image_token_width(model, vision)):
        raise section.unsupported("width", f"expected that of the image tokens, {image_width}")
    if not text.has_class_token:
        raise model.section("text_cfg").unsupported("embed_cls", "expected true in a model with a decoder")
    config = DecoderConfig(
        width=width,
        layers=section.size("layers", 12, MAX_LAYERS),
        heads=heads,
        mlp_width=4 * width,
        activation=activation,
        layer_scale="ls_init_value" in section,
        context_length=section.size("context_length", 77),
        pad_id=model.token_id("pad_id", text.vocab_size, 0),
    )
    section.ignore("ls_init_value")
    section.finish()
    return config


def _image_token_width(model: Section, vision: VisionConfig) -> int:
    section = model.section("vision_cfg")
    if not isinstance(vision, VisionTransformerConfig) or vision.pool.kind == "map" or not vision.class_token:
        raise model.unsupported("vision_cfg", "expected a vision transformer of open_clip's own, for the decoder")
    if vision.pool.norm_after:
        raise section.unsupported("final_ln_after_pool", "expected false in a model with a decoder")
    if vision.described < 1:
        raise section.unsupported("attn_pooler_queries", "expected 2 or more in a model with a decoder")
    return model.size("embed_dim") if vision.pool.kind == "attn" else vision.width


# Options of blocks that no published model has.
_PLAIN_BLOCK: dict[str, object] = dict.fromkeys(
    ("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"), False
)


def _heads(section: Section, width: int) -> int:
    heads, rest = divmod(width, section.size("head_width", 64))
    if rest or not heads:
        raise section.unsupported("head_width", f"expected a divisor of the width, {width}")
    return heads


def _activation(section: Section, activation: Activation) -> Activation:
    options = section.section("act_kwargs")
    tanh = options.one_of("approximate", {"none": False, "tanh": True}, "none")
    options.finish()
    return "gelu_tanh" if tanh and activation == "gelu" else activation


def _eps(section: Section) -> float:
    options = section.section("norm_kwargs")
    eps = options.eps("eps", EPS)
    options.finish()
    return eps


def _tokenizer(section: Section, folder: Path) -> Callable[[], Tokenizer]:
    repository = section.get("hf_tokenizer_name", str, "")
    section.expect(tokenizer_mode="")
    options = section.section("tokenizer_kwargs")
    clean = options.one_of("clean", {name: name for name in OPEN_CLIP}, "whitespace" if repository else "lower")
    make: Callable[[], Tokenizer] = partial(open_clip_tokenizer, clean)
    if repository:
        strip = options.get("strip_sep_token", bool, False)
        options.ignore("language")  # which transformers' tokenizers set back at every call
        make = partial(open_clip_file_tokenizer, folder, repository, clean, strip)
    options.expect(reduction_mask="")  # others drop tokens at random
    options.finish()
    return make


def _preprocess(section: Section, size: Size) -> Preprocess:
    section.ignore("size")  # open_clip uses that of the tower, too
    section.expect(mode="RGB")
    preprocess = read_transform(section, Preprocess(size, profile="open_clip"))
    # open_clip ignores all other options here
    if isinstance(size, tuple) and preprocess.resize_mode == "shortest":
        return replace(preprocess, interpolation="bicubic")  # open_clip then overlooks the option
    return preprocess
