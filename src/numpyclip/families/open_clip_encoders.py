"""Encoders of transformers as text towers in OpenCLIP's layout.

Source: `HFTextEncoder` in open_clip/hf_model.py, hf_configs.py.
"""

from dataclasses import replace

from numpyclip.families.config_file import MAX_TOKENS, Section
from numpyclip.families.tensor_names import Names
from numpyclip.families.text_encoders import encoder_config, read_encoder
from numpyclip.families.text_encoders import translate as translate_encoder
from numpyclip.model.text.encoder_configs import BertConfig, EncoderConfig
from numpyclip.model.text.text_config import TextPool
from numpyclip.model.transformer_config import Projection
from numpyclip.weights.checkpoint import Checkpoint

# Options of OpenCLIP's own text towers, and of training, without effect on an encoder.
_IGNORED = (
    *("hf_model_pretrained", "output_tokens", "vocab_size", "width", "heads", "layers", "mlp_ratio", "ls_init_value"),
    *("embed_cls", "pad_id", "eos_id", "no_causal_mask", "final_ln_after_pool", "pool_type", "proj_bias", "proj_type"),
    *("use_pad_mask", "correct_cls_mask", "act_kwargs", "norm_kwargs", "block_type", "qk_norm", "scaled_cosine_attn"),
    *("scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"),
)
_ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "m2m_100", "mt5")  # in its `arch_dict`
_POOLERS: dict[str, TextPool] = {
    "mean_pooler": "mean",
    "cls_pooler": "first",
    "cls_last_hidden_state_pooler": "first",
}
_HEAD: Names = (
    ("proj", "text_projection"),
    ("proj.0", "text_projection.c_fc"),
    ("proj.2", "text_projection.c_proj"),
)


def read_config(section: Section) -> EncoderConfig:
    """Read the options of a text tower that `hf_model_name` names, and the config file of that model."""
    section.ignore(*_IGNORED)
    file = encoder_config(section, "hf_model_name")
    if file.json["model_type"] not in _ARCHITECTURES:
        raise section.unsupported("hf_model_name", f"open_clip takes {' or '.join(_ARCHITECTURES)}")
    text = read_encoder(file)
    pooler, head = _either(section, "hf_pooler_type", "pooler_type"), _either(section, "hf_proj_type", "proj")
    usual = "cls_pooler" if file.json["model_type"] in ("bert", "m2m_100") else "mean_pooler"
    default = usual if section.is_null(pooler) else "mean_pooler"
    if section.json.get(pooler) == "max_pooler":
        raise section.unsupported(pooler, f"open_clip itself fails with it; expected {' or '.join(_POOLERS)}")
    pool = section.one_of(pooler, _POOLERS, default)
    projections: dict[str, Projection] = {"linear": "linear", "mlp": "mlp"}
    projection = None if section.is_null(head) else section.one_of(head, projections, "mlp")
    text = replace(_with_length(text, section), pool=pool, projection=projection, masks_padding=True)
    if isinstance(text, BertConfig):
        return replace(text, pooler=section.json.get(pooler) == "cls_pooler")  # null has none, whatever its default
    return text


def _either(section: Section, option: str, old: str) -> str:
    """Return the name of an option, which is another one in old config files."""
    section.ignore(option, old)
    return old if old in section.json and option not in section.json else option


def _with_length(text: EncoderConfig, section: Section) -> EncoderConfig:
    length = section.size("context_length", 77, MAX_TOKENS)
    if not isinstance(text, BertConfig):
        return replace(text, context_length=length)
    if length > text.context_length:
        raise section.unsupported("context_length", f"expected at most {text.context_length}, its positions")
    return replace(text, context_length=length, positions=text.first_place + text.context_length)


def translate(checkpoint: Checkpoint, config: EncoderConfig) -> Checkpoint:
    """Give the tensors of the text tower our names."""
    return translate_encoder(checkpoint, config, _HEAD)
