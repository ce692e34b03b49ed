"""What the families' modules share: random weights, inputs, and how results are recorded."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

SEED = 20261123
State = dict[str, torch.Tensor]


def randomize(model: nn.Module, seed: int) -> None:
    """Make every tensor count: norms, biases and statistics too, which start as zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name == "logit_scale":
            tensor.fill_(3.7)
        elif name == "logit_bias":
            tensor.fill_(-9.6)
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + noise.abs())
        elif name.endswith("weight") and tensor.dim() == 1:
            tensor.copy_(1 + 0.2 * noise)
        elif tensor.dim() == 1:
            tensor.copy_(0.2 * noise)
        elif tensor.dim() == 3 and len(tensor) == 1:  # (1, n, d): positions, a class token, a query
            tensor.copy_(0.5 * noise)
        else:
            fan_in = tensor[0].numel() if tensor.dim() > 2 else tensor.shape[-1]
            tensor.copy_(noise * (1.5 if tensor.dim() == 4 else 1.0) * fan_in**-0.5)


def images(size: int | list[int], count: int = 3) -> torch.Tensor:
    """Draw random pictures, normalised: (count, 3, y, x), float32. `size` is the side of a square, or both sides.

    They are of whole eighths, so that files are small.
    """
    shape = (count, 3, *(size if isinstance(size, list) else (size, size)))
    eighths = (8 * np.random.default_rng(SEED).standard_normal(shape)).round()
    return torch.from_numpy((eighths / 8).astype(np.float32))


def ids(context_length: int, vocab_size: int, pad: int = 0) -> torch.Tensor:
    """Draw random texts of several lengths, which end with the highest id, and are padded: (4, context_length)."""
    random = np.random.default_rng(SEED + 1)
    text = np.full((4, context_length), pad, np.int64)
    for row, length in enumerate((2, 5, 9, context_length)):
        text[row, 1 : length - 1] = random.integers(1, vocab_size - 2, length - 2)
        text[row, [0, length - 1]] = vocab_size - 2, vocab_size - 1
    return torch.from_numpy(text)


def compact_tokenizers(folder: Path) -> None:
    """Write every `tokenizer.json` in a folder on one line: libraries put every token on its own."""
    for file in folder.rglob("tokenizer.json"):
        content = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def record(folder: Path, packages: tuple[str, ...], **arrays: torch.Tensor | np.ndarray) -> None:
    """Write `<folder>.npz`: what the library was given, and what it computed in float64 from the weights in the folder.

    Parameters
    ----------
    folder : Path
        Of the model.
    packages : tuple of str
        With which versions it was made; what pip does not know is given with its own.
    **arrays
        `image` (float32, preprocessed) and `encode_image`; `text` (ids) and `encode_text`; perhaps
        `logits_per_image`, `texts` (strings) and `ids` (what the library's tokenizer makes of them).
    """
    made_with = ", ".join(package if " " in package else f"{package} {version(package)}" for package in packages)
    values = {name: array.detach().numpy() if torch.is_tensor(array) else array for name, array in arrays.items()}
    np.savez_compressed(
        folder.with_name(folder.name + ".npz"), made_with=np.array(f"{made_with}, seed {SEED}"), **values
    )
