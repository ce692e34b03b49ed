"""transformers' names of tensors, and ours; see `numpyclip.families.names`."""

from numpyclip.families.names import Names

_BLOCK: Names = (
    ("layer_norm1", "ln_1"),
    ("self_attn", "attn"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
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
