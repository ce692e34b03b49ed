"""What a golden model computes when one of its options is taken for another."""

from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import files_at

FAMILIES = Path(__file__).parents[1] / "golden" / "families"


def error_of(name: str, tower: str, **options: Any) -> float:
    """How far the embeddings move, as a part of the largest number."""
    found = recognize(files_at(FAMILIES / name))
    part: Any = found.config.text if tower == "text" else found.config.vision
    changed: dict[str, Any] = {tower: altered(part, options)}
    config = replace(found.config, **changed)
    model = CLIP.read(found.checkpoint, config, found.tokenizer, low_memory=True)  # nothing is kept for others
    with np.load(FAMILIES / f"{name}.npz") as golden:
        if tower == "text":
            ours, theirs = model.encode_text(golden["text"]), golden["encode_text"]
        else:
            ours, theirs = model.encode_image(golden["image"]), golden["encode_image"]
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def altered(part: Any, options: dict[str, Any]) -> Any:
    """Change options; one of a group is named "group.option"."""
    for option, value in options.items():
        assert attrgetter(option)(part) != value
        group, _, name = option.rpartition(".")
        part = replace(part, **{group or name: replace(getattr(part, group), **{name: value}) if group else value})
    return part
