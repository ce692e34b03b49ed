"""transformers' names of tensors, and ours; see `numpyclip.families.tensor_names`. And those of activations."""

from numpyclip.families.tensor_names import Names
from numpyclip.weights.checkpoint import Activation

# Theirs → ours. Read backwards, too: where several mean the same, the first is the usual one.
ACTIVATIONS: dict[str, Activation] = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}

_BLOCK: Names = (
    ("layer_norm1", "ln_1"),
    ("self_attn", "attn"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)


_BERT_BLOCK: Names = (
    ("attention.self.query", "attn.q_proj"),
    ("attention.self.key", "attn.k_proj"),
    ("attention.self.value", "attn.v_proj"),
    ("attention.output.dense", "attn.out_proj"),
    ("attention.output.LayerNorm", "ln_1"),
    ("intermediate.dense", "mlp.c_fc"),
    ("output.dense", "mlp.c_proj"),
    ("output.LayerNorm", "ln_2"),
)


def _blocks(theirs: str, ours: str, parts: Names) -> Names:
    return tuple((f"{theirs}.*.{there}", f"{ours}.resblocks.*.{here}") for there, here in parts)


_VISION: Names = (
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding", "visual.conv1"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm", "visual.ln_pre"),  # as it is spelled there
    *_blocks("vision_model.encoder.layers", "visual.transformer", _BLOCK),
    ("vision_model.post_layernorm", "visual.ln_post"),
)
_TEXT: Names = (
    ("text_model.embeddings.token_embedding", "token_embedding"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    *_blocks("text_model.encoder.layers", "transformer", _BLOCK),
    ("text_model.final_layer_norm", "ln_final"),
)


def _bert(theirs: str) -> Names:
    return (
        (f"{theirs}.embeddings.word_embeddings", "token_embedding"),
        (f"{theirs}.embeddings.position_embeddings.weight", "positional_embedding"),
        (f"{theirs}.embeddings.token_type_embeddings.weight", "token_type_embedding"),
        (f"{theirs}.embeddings.LayerNorm", "ln_pre"),
        *_blocks(f"{theirs}.encoder.layer", "transformer", _BERT_BLOCK),
        *_blocks(f"{theirs}.encoder.layers", "transformer", _BERT_BLOCK),
    )


CLIP: Names = (*_TEXT, *_VISION, ("visual_projection", "visual.proj"))
SIGLIP: Names = (
    *_TEXT,
    ("text_model.head", "text_projection"),
    *_VISION,
    ("vision_model.head.probe", "visual.attn_pool.probe"),
    ("vision_model.head.attention", "visual.attn_pool.attn"),
    ("vision_model.head.layernorm", "visual.attn_pool.ln_2"),
    ("vision_model.head.mlp.fc1", "visual.attn_pool.mlp.c_fc"),
    ("vision_model.head.mlp.fc2", "visual.attn_pool.mlp.c_proj"),
)
CHINESE_CLIP: Names = (*_bert("text_model"), *_VISION, ("visual_projection", "visual.proj"))
ALTCLIP: Names = (
    *_bert("text_model.roberta"),
    ("text_model.pre_LN", "ln_final"),
    ("text_model.transformation", "end"),
    *_VISION,
    *_blocks("vision_model.encoder.layer", "visual.transformer", _BLOCK),  # as version 5 writes it, for AltCLIP only
    ("visual_projection", "visual.proj"),
)
