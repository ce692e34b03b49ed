"""Compare the tensors of every tower of timm's that NumPyCLIP takes with those of the real model, at its true size.

    python tools/check_timm.py     (needs timm and open_clip; no weights are made: PyTorch's "meta" device has none)

Writes tests/golden/timm.json: how many numbers each model has, which the tests compare without timm.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import timm
import torch
from open_clip.timm_model import TimmModel

from numpyclip.families import timm as family
from numpyclip.families import timm_convolutional, timm_trunks
from numpyclip.families.config_file import Section
from numpyclip.model.vision.tower import vision_tower
from numpyclip.weights.checkpoint import Checkpoint

TARGET = Path(__file__).parents[1] / "tests" / "golden" / "timm.json"
EMBED_DIM = 64


def shapes_of(name: str) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of what open_clip would save of a tower."""
    with torch.device("meta"):
        model = TimmModel(name, EMBED_DIM, pool="", proj="linear")
    return {
        f"visual.{key}": tuple(tensor.shape) for key, tensor in model.state_dict().items() if tensor.is_floating_point()
    }


def image_size(name: str) -> int:
    """Return the side of the images that timm would build a model for."""
    return timm.get_pretrained_cfg(name).input_size[-1]


def compare(name: str, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Tell whether a tower has just these tensors, after they are renamed."""
    options = {"timm_model_name": name, "image_size": image_size(name), "timm_pool": "", "timm_proj": "linear"}
    config = family.describe(Section(Path(name), "vision_cfg", options))
    arrays = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    checkpoint = family.translate(Checkpoint(Path(name), arrays, None), config)
    expected = dict(vision_tower(config).tensors(checkpoint, config, EMBED_DIM))
    found = {key: array.shape for key, array in checkpoint.arrays.items()}
    if found != expected:
        both = found.keys() & expected.keys()
        print(name, {key: (found[key], expected[key]) for key in both if found[key] != expected[key]})
        print(" ", sorted(found.keys() ^ expected.keys())[:9])
    return found == expected


def main() -> None:
    """Compare all, and write the file."""
    counts = {}
    names = [*timm_trunks.names(), *timm_convolutional.NAMES]
    failed = 0
    for name in names:
        shapes = shapes_of(name)
        failed += not compare(name, shapes)
        kept = (shape for key, shape in shapes.items() if not re.match(r"visual\.trunk\.rope\.", key))
        counts[name] = [image_size(name), sum(map(math.prod, kept))]
    rows = [f"{json.dumps(name)}: {json.dumps(counts[name])}" for name in sorted(counts)]
    TARGET.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")
    print(f"{len(names) - failed} of {len(names)} are equal")


if __name__ == "__main__":
    main()
