"""A small CLIP with OpenAI's vocabulary and random weights: images of 64 px, 32 dimensions."""

import math
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, DIM, PATCH, SIDE = 64, 32, 16, 64


def _block(name: str, random: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {
        "attn.in_proj_weight": (3 * WIDTH, WIDTH),
        "attn.out_proj.weight": (WIDTH, WIDTH),
        "mlp.c_fc.weight": (4 * WIDTH, WIDTH),
        "mlp.c_proj.weight": (WIDTH, 4 * WIDTH),
    }
    arrays = {}
    for part, shape in shapes.items():
        arrays[part] = random.standard_normal(shape) / math.sqrt(shape[1])
        arrays[part.replace("weight", "bias")] = random.standard_normal(shape[0]) / 10
    for norm in ("ln_1", "ln_2"):
        arrays[f"{norm}.weight"], arrays[f"{norm}.bias"] = np.ones(WIDTH), np.zeros(WIDTH)
    return {f"{name}.{part}": array for part, array in arrays.items()}


def write_random_clip(path: Path) -> Path:
    """Write it to an `.npz` in OpenAI's layout, which does not record the activation."""
    random = np.random.default_rng(21)
    shapes = {
        "token_embedding.weight": (49408, WIDTH),
        "positional_embedding": (77, WIDTH),
        "text_projection": (WIDTH, DIM),
        "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": ((SIDE // PATCH) ** 2 + 1, WIDTH),
        "visual.proj": (WIDTH, DIM),
    }
    arrays: dict[str, Any] = {name: random.standard_normal(shape) / 4 for name, shape in shapes.items()}
    arrays["logit_scale"] = np.log(100)
    for norm in ("ln_final", "visual.ln_pre", "visual.ln_post"):
        arrays[f"{norm}.weight"], arrays[f"{norm}.bias"] = np.ones(WIDTH), np.zeros(WIDTH)
    arrays |= _block("transformer.resblocks.0", random) | _block("visual.transformer.resblocks.0", random)
    np.savez(path, **{name: array.astype(np.float32) for name, array in arrays.items()})
    return path
