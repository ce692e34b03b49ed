"""NumPyCLIP, from this checkout."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import numpyclip
from contest.files import Checkpoint
from numpyclip.images.decode_options import DecodeOptions


class NumPyCLIP:
    """NumPyCLIP; its threads, and those of its engines, are those of NumPy's BLAS, set by the environment."""

    def __init__(self, checkpoint: Checkpoint, threads: int, draft: bool, **engine: str) -> None:
        self.model, _ = numpyclip.load(checkpoint.numpyclip, **engine)
        self.threads = threads
        self.draft = draft

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.model.encode_image(pixels)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return self.model.encode_text(self.model.tokenize(texts))

    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        return self.model.embed_images(paths, draft=self.draft)

    def decode(self, paths: Sequence[Path]) -> None:
        """Decode files, and make pixels of them, on as many threads as `files` does."""
        options = DecodeOptions(draft=self.draft)
        with ThreadPoolExecutor(self.threads) as threads:
            for _ in threads.map(lambda path: self.model.preprocess.read(path, options), paths):
                pass


def load(checkpoint: Checkpoint, threads: int, draft: bool = False, **engine: str) -> NumPyCLIP:
    return NumPyCLIP(checkpoint, threads, draft, **engine)
