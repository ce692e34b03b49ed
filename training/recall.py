"""How many texts find their picture, as training goes on; evaluate.py says it of the model that is shipped."""

from pathlib import Path

import numpy as np
import torch

from batches import plain
from model import CLIP
from splits import tests
from tokens import Tokenizer, padded

_AT_ONCE = 256


class Recall:
    """Text-to-image recall on all tests, in percent; every picture with the text's caption counts as found."""

    def __init__(self, data: Path, tokenizer: Tokenizer, seen: set[str]) -> None:
        self._tests = dict(tests(data, seen))
        self._tokenizer = tokenizer

    @torch.no_grad()
    def __call__(self, model: CLIP) -> dict[str, float]:
        found = {}
        for name, (tiles, captions) in self._tests.items():
            starts = range(0, len(tiles), _AT_ONCE)
            images = torch.cat([model.image(plain(tiles[start : start + _AT_ONCE])) for start in starts])
            ids = [self._tokenizer(caption) for caption in captions]
            texts = torch.cat([model.text(padded(ids[start : start + _AT_ONCE])) for start in starts])
            ranks = ranks_of((texts @ images.T).numpy(), captions)
            found |= {f"{name}_r{k}": round(100 * float((ranks < k).mean()), 2) for k in (1, 5, 10)}
        return found


def ranks_of(similarity: np.ndarray, captions: list[str]) -> np.ndarray:
    """Count for each text the pictures that are nearer than the nearest with its caption: (n, n) -> (n,)."""
    names = np.array(captions)
    best = np.where(names[:, None] == names[None], similarity, -9).max(1, keepdims=True)
    return (similarity > best).sum(1)
