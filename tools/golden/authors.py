"""Long-CLIP and TinyCLIP: what their authors' code computes from weights that are golden already.

Needs in $PYTHONPATH the git repositories of github.com/beichenzbc/Long-CLIP (Apache 2.0; commit 3966af9) and, under
src, github.com/wkcn/TinyCLIP (MIT; commit ad981bf; its code hides the package open_clip). tests/families/
test_authors.py puts the same files together, from `authors_weights.py`.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from golden.authors_weights import POSITIONS, positions, pruned
from golden.common import images, record

VIT = Path(__file__).parents[2] / "tests" / "golden" / "checkpoints" / "vit.safetensors"


def save(golden: Path) -> None:
    """Record every model of which the code is there."""
    tensors = {name: tensor.double() for name, tensor in safetensors.torch.load_file(VIT).items()}
    save_long_clip(golden, tensors)
    save_tiny_clip(golden, tensors)
    save_pruned_tiny_clip(golden)


def ids(length: int) -> torch.Tensor:
    """Draw texts that end among the first positions and among the others: (3, length)."""
    random = np.random.default_rng(20)
    text = np.zeros((3, length), np.int64)
    for row, end in zip(text, (7, min(45, length // 2), length - 1), strict=True):
        row[: end + 1] = [94, *random.integers(1, 94, end - 1), 95]
    return torch.from_numpy(text)


def save_long_clip(golden: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Record Long-CLIP's."""
    code = importlib.import_module("model.model_longclip")
    code.LayerNorm.forward = nn.LayerNorm.forward  # it would compute in float32
    first, rest = map(torch.from_numpy, positions(tensors["positional_embedding"].shape[1]))
    state = {**tensors, "positional_embedding": first, "positional_embedding_res": rest}
    model = code.build_model(state, load_from_clip=False)
    model.load_state_dict(state)
    model.double().load_state_dict(state)
    _record(golden / "authors-long-clip", model, ids(POSITIONS), "Long-CLIP 3966af9")


def save_tiny_clip(golden: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Record TinyCLIP's with manual inheritance, whose sizes are those of a CLIP."""
    sys.modules.pop("open_clip", None)
    code = importlib.import_module("open_clip.model")
    length, width = tensors["positional_embedding"].shape
    vision = {"layers": 1, "width": 128, "patch_size": 8, "image_size": 32}
    text = {"context_length": length, "vocab_size": 96, "width": width, "heads": width // 64, "layers": 2}
    model = code.CLIP(tensors["text_projection"].shape[1], vision, text).double()
    model.load_state_dict(code.convert_to_new_checkpoint(dict(tensors)))
    _record(golden / "authors-tiny-clip", model.eval(), ids(length), "TinyCLIP ad981bf")


def save_pruned_tiny_clip(golden: Path) -> None:
    """Record TinyCLIP's with automatic inheritance."""
    code = importlib.import_module("open_clip.model")
    torch.set_default_dtype(torch.float64)
    vision = {"layers": 3, "width": 192, "patch_size": 8, "image_size": 32}
    text = {"context_length": 12, "vocab_size": 96, "width": 128, "heads": 2, "layers": 3}
    model = code.CLIP(48, vision, text, mask_image=True, mask_text=True).eval()
    code.load_pruned_model(model, {name: torch.from_numpy(array).double() for name, array in pruned().items()})
    model = code.prune_model(model)
    torch.set_default_dtype(torch.float32)
    _record(golden / "authors-tiny-clip-pruned", model, ids(12), "TinyCLIP ad981bf")


def _record(folder: Path, model: nn.Module, text: torch.Tensor, code: str) -> None:
    image = images(32)
    with torch.no_grad():
        record(
            folder,
            ("torch", code),
            image=image,
            text=text,
            encode_image=model.encode_image(image.double()),
            encode_text=model.encode_text(text),
        )
