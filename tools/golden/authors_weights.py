"""Weights of Long-CLIP and TinyCLIP, as `authors.py` records what is computed from them, and the tests compute it."""

from typing import Any

import numpy as np

POSITIONS = 248


def positions(width: int) -> tuple[Any, Any]:
    """Draw Long-CLIP's two tables."""
    random = np.random.default_rng(248)
    first, rest = (random.standard_normal((POSITIONS, width)).astype(np.float32) / 8 for _ in range(2))
    return first, rest


def pruned() -> dict[str, Any]:
    """Draw a TinyCLIP that was pruned: blocks of several sizes, one without attention, one without an MLP."""
    random = np.random.default_rng(63)
    shapes = {
        "_image_encoder.visual.class_embedding": (100,),
        "_image_encoder.visual.positional_embedding": (17, 100),
        "_image_encoder.visual.proj": (100, 48),
        "_image_encoder.visual.conv1.weight": (100, 3, 8, 8),
        **_norm("_image_encoder.visual.ln_pre", 100),
        **_blocks("_image_encoder.visual.transformer", heads=(2, 1, 3), mlps=(40, 90, 10), width=100),
        **_norm("_image_encoder.visual.ln_post", 100),
        "_text_encoder.positional_embedding": (12, 72),
        "_text_encoder.text_projection": (72, 48),
        **_blocks("_text_encoder.transformer", heads=(0, 1, 2), mlps=(30, 0, 64), width=72),
        "_text_encoder.token_embedding.weight": (96, 72),
        **_norm("_text_encoder.ln_final", 72),
        "_logit_scale.logit_scale": (),
    }
    scales = {name: shape[-1] ** -0.5 if len(shape) > 1 else 0.25 for name, shape in shapes.items()}
    return {
        name: np.asarray(random.standard_normal(shape) * scales[name], np.float32) for name, shape in shapes.items()
    }


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _blocks(name: str, heads: tuple[int, ...], mlps: tuple[int, ...], width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (count, mlp) in enumerate(zip(heads, mlps, strict=True)):
        block, inner = f"{name}.resblocks.{number}", 64 * count
        if count:
            shapes |= {**_norm(f"{block}.ln_1", width), f"{block}.attn.in_proj_weight": (3 * inner, width)}
            shapes |= {f"{block}.attn.in_proj_bias": (3 * inner,), f"{block}.attn.out_proj.weight": (width, inner)}
            shapes[f"{block}.attn.out_proj.bias"] = (width,)
        if mlp:
            shapes |= {**_norm(f"{block}.ln_2", width), f"{block}.mlp.c_fc.weight": (mlp, width)}
            shapes |= {f"{block}.mlp.c_fc.bias": (mlp,), f"{block}.mlp.c_proj.weight": (width, mlp)}
            shapes[f"{block}.mlp.c_proj.bias"] = (width,)
    return shapes
