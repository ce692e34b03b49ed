"""Text-to-image recall during training; evaluate.py measures that of exported weights."""

from pathlib import Path

import torch

from model import CLIP
from pictures import plain
from splits import ranks, tests
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
            found_at = ranks((texts @ images.T).numpy(), captions)
            found |= {f"{name}_r{k}": round(100 * float((found_at < k).mean()), 2) for k in (1, 5, 10)}
        return found
