"""Preprocessing and tokens for the runtimes that bring none: Pillow and NumPy, and the package tokenizers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contest.files import TOKENIZER

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def pixels(path: Path, size: int) -> NDArray[np.float32]:
    file = Image.open(path)
    width, height = (int(size * side / min(file.size)) for side in file.size)
    image = file.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.crop((left, top, left + size, top + size)).convert("RGB")
    values = (np.asarray(image, np.float32) / np.float32(255) - MEAN) / STD
    return np.ascontiguousarray(values.transpose(2, 0, 1))


class Tokenizer:
    """CLIP's tokens by the package tokenizers, padded to 77."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer as Fast

        self.fast = Fast.from_file(str(TOKENIZER))
        self.fast.enable_padding(length=77, pad_id=0)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Tokenize strings: n of them -> (n, 77)."""
        return np.array([encoding.ids for encoding in self.fast.encode_batch(list(texts))], np.int32)
